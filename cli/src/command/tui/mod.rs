//! `zerver tui`: the terminal UI over a store.

mod editor;
mod look;
mod source;

use std::sync::Arc;

use zerver_trace::{RequestId, TraceSource};
use zerver_tui::{Ended, Options, Services};

use self::source::Source;
use crate::args::{Global, Tui};
use crate::place;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Tui, global: &Global) -> Result<Done, Trouble> {
    look::check_terminal()?;
    let dir = place::store(global)?;
    let reader = place::reader(&dir)?;
    let open = match &args.id {
        None => None,
        Some(find) => Some(place::find_trace(&dir, &reader, find)?.id),
    };
    show(open, &Arc::new(Tools { source: Arc::new(Source::of(dir, reader)) }), look::look(&args.look, global))
}

fn show(open: Option<RequestId>, tools: &Arc<Tools>, look: zerver_tui::Look) -> Result<Done, Trouble> {
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
}

impl Services for Tools {
    fn source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn edit(&self, file: &str, line: u32) -> Result<(), String> {
        editor::edit(self.source.dir(), file, line)
    }
}
