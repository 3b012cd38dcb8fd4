//! `zerver tui`: the terminal UI over a store.

use std::sync::Arc;

use zerver_tui::Open;

use crate::args::{Global, Target, Tui};
use crate::error::{Done, Trouble};
use crate::locate;
use crate::service::replayer::Replayer;
use crate::terminal_ui::{Source, check_terminal, look, show, tools};

pub(super) fn run(args: &Tui, global: &Global) -> Result<Done, Trouble> {
    check_terminal()?;
    let (open, source) = match &args.id {
        Some(Target::File(path)) => {
            let trace = locate::portable_file(path)?;
            let open = Open::Timeline(trace.id);
            // The others are shown where there is a store.
            (open, Source::at(locate::store(global).unwrap_or_default()).with(vec![trace]))
        }
        id => {
            let dir = locate::store(global)?;
            let reader = locate::reader(&dir)?;
            let open = match id {
                Some(Target::Stored(find)) => Open::Timeline(locate::find_trace(&dir, &reader, find)?.id),
                _ => Open::Requests,
            };
            (open, Source::of(dir, reader))
        }
    };
    let replayer = Replayer::new(args.app.clone(), args.program.clone());
    let services = tools(&Arc::new(source), replayer);
    show(open, &services, look(&args.look, global), args.addr.as_deref())
}
