//! `zerver tui`: the terminal UI over a store.

use std::sync::Arc;

use zerver_tui::Open;

use crate::args::{Global, TraceRef, Tui};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::service::replayer::Replayer;
use crate::terminal_ui::{StoreSource, check_terminal, look, services, show};

pub(super) fn run(args: &Tui, global: &Global) -> Result<CommandOutcome, CommandError> {
    check_terminal()?;
    let (open, source) = match &args.id {
        Some(TraceRef::File(path)) => {
            let trace = locate::read_portable(path)?;
            let open = Open::Timeline(trace.id);
            // The list shows the store, if there is one.
            let dir = locate::store_dir(global).unwrap_or_default();
            (open, StoreSource::new(dir).with_extra(vec![trace]))
        }
        id => {
            let dir = locate::store_dir(global)?;
            let reader = locate::open_reader(&dir)?;
            let open = match id {
                Some(TraceRef::Stored(find)) => Open::Timeline(locate::find_trace(&dir, &reader, find)?.id),
                _ => Open::Requests,
            };
            (open, StoreSource::from_reader(dir, reader))
        }
    };
    let replayer = Replayer::new(args.app.clone(), args.program.clone());
    let services = services(&Arc::new(source), replayer);
    show(open, &services, look(&args.theme, global), args.addr.as_deref())?;
    Ok(CommandOutcome::Success)
}
