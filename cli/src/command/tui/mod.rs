//! `zerver tui`: the terminal UI over a store.

mod editor;
mod look;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use zerver_replay::{Edits, Opened, Refusal};
use zerver_trace::{FlowInfo, Trace, TraceSource};
use zerver_tui::{Ended, Open, Options, Replayed, Services};

use self::source::Source;
use super::replay;
use crate::args::{self, Global, Program, Tui};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Tui, global: &Global) -> Result<Done, Trouble> {
    look::check_terminal()?;
    let dir = place::store(global)?;
    let reader = place::reader(&dir)?;
    let open = match &args.id {
        None => Open::Requests,
        Some(find) => Open::Timeline(place::find_trace(&dir, &reader, find)?.id),
    };
    let tools = Tools {
        source: Arc::new(Source::of(dir, Some(reader), Vec::new())),
        app: args.app.clone(),
        program: args.program.clone(),
    };
    show(open, &Arc::new(tools), look::look(&args.look, global))
}

/// Whether the terminal UI can be shown where a command prints otherwise.
pub(super) fn is_possible(output: &Output) -> bool {
    output.is_terminal() && !output.is_json && look::check_terminal().is_ok()
}

/// Shows two requests, compared. They need not be in a store.
pub(super) fn diff(traces: [Trace; 2], look: &args::Look, global: &Global) -> Result<(), Trouble> {
    let open = Open::Diff(traces[0].id, traces[1].id);
    let dir = place::store(global).unwrap_or_default();
    let tools = Tools {
        source: Arc::new(Source::of(dir, None, Vec::from(traces))),
        app: None,
        program: Program::default(),
    };
    show(open, &Arc::new(tools), look::look(look, global)).map(|_| ())
}

fn show(open: Open, tools: &Arc<Tools>, look: zerver_tui::Look) -> Result<Done, Trouble> {
    let (remote, told) = zerver_tui::channel();
    let services: Arc<dyn Services> = tools.clone();
    let options = Options { look, open, signals_elsewhere: false };
    match zerver_tui::run(options, &services, &remote, &told) {
        Ok(Ended::Quit | Ended::Told) => Ok(Done::Fine),
        Err(error) => Err(Trouble::new("cannot use the terminal").because(&error)),
    }
}

/// What the screens need from here.
struct Tools {
    source: Arc<Source>,
    /// The package of the service, where it was named.
    app: Option<PathBuf>,
    program: Program,
}

impl Services for Tools {
    fn source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn replay(&self, trace: Trace, edits: Edits) -> Result<Replayed, Refusal> {
        let secrets = self.source.secrets(&trace);
        let opened = Opened { trace, secrets };
        replay::quietly(opened, edits, self.app.as_ref(), &self.program, self.source.dir())
            .map(|(report, build)| Replayed { report, build })
            .map_err(|trouble| Refusal { what: trouble.what, causes: trouble.causes, hints: trouble.hints })
    }

    fn flows(&self) -> Result<Vec<FlowInfo>, String> {
        self.source.flows().map_err(|error| error.to_string())
    }

    fn edit_text(&self, text: &str) -> Result<String, String> {
        editor::edit_text(text)
    }

    fn edit(&self, file: &str, line: u32) -> Result<(), String> {
        editor::edit(self.source.dir(), file, line)
    }
}
