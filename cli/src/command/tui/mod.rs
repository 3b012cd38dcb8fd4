//! `zerver tui`: the terminal UI over a store.

mod clipboard;
mod code;
mod health;
mod look;
mod source;

use std::sync::Arc;

use zerver_recorder::quiet;
use zerver_replay::{Edits, Recording, ReplayError};
use zerver_trace::{FlowInfo, Trace, TraceSource};
use zerver_tui::{Copied, Health, Message, Open, Options, Replayed, Services};

pub(super) use self::look::{check_terminal, look};
pub(super) use self::source::Source;
use super::replay::Replayer;
use crate::args::{self, Global, Target, Tui};
use crate::editor;
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Tui, global: &Global) -> Result<Done, Trouble> {
    check_terminal()?;
    let (open, source) = match &args.id {
        Some(Target::File(path)) => {
            let trace = place::portable_file(path)?;
            let open = Open::Timeline(trace.id);
            // The others are shown where there is a store.
            (open, Source::at(place::store(global).unwrap_or_default()).with(vec![trace]))
        }
        id => {
            let dir = place::store(global)?;
            let reader = place::reader(&dir)?;
            let open = match id {
                Some(Target::Stored(find)) => Open::Timeline(place::find_trace(&dir, &reader, find)?.id),
                _ => Open::Requests,
            };
            (open, Source::of(dir, reader))
        }
    };
    let replayer = Replayer::new(args.app.clone(), args.program.clone());
    let services = tools(&Arc::new(source), replayer);
    show(open, &services, look(&args.look, global), args.addr.as_deref())
}

/// Whether the terminal UI can be shown where a command prints otherwise.
pub(super) fn is_possible(output: &Output) -> bool {
    output.is_terminal() && !output.is_json && check_terminal().is_ok()
}

/// Shows two requests, compared. They need not be in a store.
pub(super) fn diff(traces: [Trace; 2], args: &args::Look, global: &Global) -> Result<(), Trouble> {
    let open = Open::Diff(traces[0].id, traces[1].id);
    let source = Source::at(place::store(global).unwrap_or_default()).with(Vec::from(traces));
    show(open, &tools(&Arc::new(source), Replayer::default()), look(args, global), None).map(|_| ())
}

fn show(
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
pub(super) fn tools(source: &Arc<Source>, replayer: Replayer) -> Arc<dyn Services> {
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

    fn replay(&self, trace: Trace, edits: Edits) -> Result<Replayed, ReplayError> {
        let secrets = self.source.secrets(&trace);
        let opened = Recording { trace, secrets };
        self.replayer
            .replay(opened, edits, self.source.dir())
            .map(|(report, build)| Replayed { report, build })
            .map_err(|trouble| ReplayError {
                message: trouble.what,
                causes: trouble.causes,
                hints: trouble.hints,
            })
    }

    fn flows(&self) -> Result<Vec<FlowInfo>, String> {
        self.source.flows().map_err(|error| error.to_string())
    }

    fn edit_text(&self, text: &str) -> Result<String, String> {
        editor::edit(text, ".json").map(|(text, _)| text).map_err(|trouble| trouble.line())
    }

    fn source_text(&self, file: &str) -> Option<String> {
        code::text(self.source.dir(), file)
    }

    fn edit(&self, file: &str, line: u32) -> Result<(), String> {
        code::edit(self.source.dir(), file, line)
    }

    fn copy(&self, text: &str) -> Copied {
        clipboard::copy(text)
    }

    fn health(&self, addr: &str) -> Result<Health, String> {
        health::ask(addr)
    }
}
