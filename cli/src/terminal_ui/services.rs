//! What the screens of the terminal UI need from outside: traces, replays, an editor, a clipboard.

use std::sync::Arc;

use zerver_recorder::quiet;
use zerver_replay::{Edits, Opened, Refusal};
use zerver_trace::{FlowInfo, Trace, TraceSource};
use zerver_tui::{Copied, Health, Message, Open, Options, Replayed, Services};

use super::store_source::Source;
use super::theme_choice::{check_terminal, look};
use super::{clipboard, service_status, source_code};
use crate::args::{self, Global};
use crate::editor;
use crate::error::{Done, Trouble};
use crate::locate;
use crate::output::Output;
use crate::service::replayer::Replayer;

/// Whether the terminal UI can be shown where a command prints otherwise.
pub(crate) fn is_possible(output: &Output) -> bool {
    output.is_terminal() && !output.is_json && check_terminal().is_ok()
}

/// Shows two requests, compared. They need not be in a store.
pub(crate) fn diff(traces: [Trace; 2], args: &args::Look, global: &Global) -> Result<(), Trouble> {
    let open = Open::Diff(traces[0].id, traces[1].id);
    let source = Source::at(locate::store(global).unwrap_or_default()).with(Vec::from(traces));
    show(open, &tools(&Arc::new(source), Replayer::default()), look(args, global), None).map(|_| ())
}

/// Shows the terminal UI until the user leaves it.
pub(crate) fn show(
    open: Open,
    services: &Arc<dyn Services>,
    look: zerver_tui::Look,
    addr: Option<&str>,
) -> Result<Done, Trouble> {
    let (remote, told) = zerver_tui::channel();
    if let Some(addr) = addr {
        remote.send(Message::Serves(addr.to_owned()));
    }
    let options = Options { look, open, signals_elsewhere: false, is_quiet: Some(quiet::is_quiet) };
    match zerver_tui::run(options, services, &remote, &told) {
        Ok(_) => Ok(Done::Fine),
        Err(error) => Err(Trouble::new("cannot use the terminal").because(&error)),
    }
}

/// What the screens need, over a store.
pub(crate) fn tools(source: &Arc<Source>, replayer: Replayer) -> Arc<dyn Services> {
    Arc::new(Tools { source: Arc::clone(source), replayer })
}

/// What the screens need from here.
struct Tools {
    source: Arc<Source>,
    replayer: Replayer,
}

impl Services for Tools {
    fn source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn replay(&self, trace: Trace, edits: Edits) -> Result<Replayed, Refusal> {
        let secrets = self.source.secrets(&trace);
        let opened = Opened { trace, secrets };
        self.replayer
            .replay(opened, edits, self.source.dir())
            .map(|(report, build)| Replayed { report, build })
            .map_err(|trouble| Refusal { what: trouble.what, causes: trouble.causes, hints: trouble.hints })
    }

    fn flows(&self) -> Result<Vec<FlowInfo>, String> {
        self.source.flows().map_err(|error| error.to_string())
    }

    fn edit_text(&self, text: &str) -> Result<String, String> {
        editor::edit(text, ".json").map(|(text, _)| text).map_err(|trouble| trouble.line())
    }

    fn source_text(&self, file: &str) -> Option<String> {
        source_code::text(self.source.dir(), file)
    }

    fn edit(&self, file: &str, line: u32) -> Result<(), String> {
        source_code::edit(self.source.dir(), file, line)
    }

    fn copy(&self, text: &str) -> Copied {
        clipboard::copy(text)
    }

    fn health(&self, addr: &str) -> Result<Health, String> {
        service_status::ask(addr)
    }
}
