//! `zerver tui`: the terminal UI over a store.

mod editor;
mod look;
mod source;

use std::sync::Arc;

use zerver_trace::{RequestId, TraceSource};
use zerver_tui::{Options, Services};

pub(super) use self::look::{check_terminal, look};
pub(super) use self::source::Source;
use crate::args::{Global, Tui};
use crate::place;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Tui, global: &Global) -> Result<Done, Trouble> {
    check_terminal()?;
    let dir = place::store(global)?;
    let reader = place::reader(&dir)?;
    let open = match &args.id {
        None => None,
        Some(find) => Some(place::find_trace(&dir, &reader, find)?.id),
    };
    show(open, &Arc::new(Source::of(dir, reader)), look(&args.look, global))
}

fn show(open: Option<RequestId>, source: &Arc<Source>, look: zerver_tui::Look) -> Result<Done, Trouble> {
    let (remote, told) = zerver_tui::channel();
    let options = Options { look, open, signals_elsewhere: false };
    match zerver_tui::run(options, &tools(source), &remote, &told) {
        Ok(_) => Ok(Done::Fine),
        Err(error) => Err(Trouble::new("cannot use the terminal").because(&error)),
    }
}

/// What the screens need, over a store.
pub(super) fn tools(source: &Arc<Source>) -> Arc<dyn Services> {
    Arc::new(Tools { source: Arc::clone(source) })
}

/// What the screens need from here.
struct Tools {
    source: Arc<Source>,
}

impl Services for Tools {
    fn source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn source_text(&self, file: &str) -> Option<String> {
        editor::text(self.source.dir(), file)
    }

    fn edit(&self, file: &str, line: u32) -> Result<(), String> {
        editor::edit(self.source.dir(), file, line)
    }
}
