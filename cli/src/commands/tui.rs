//! `zerver tui`: the terminal UI over a store.

use std::sync::Arc;

use zerver_tui::{StartScreen, UserConfig};

use crate::args::{Global, TraceRef, Tui};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::paths;
use crate::service::replayer::Replayer;
use crate::store_place::StorePlace;
use crate::store_source::StoreSource;
use crate::terminal_ui::{ConfigFile, appearance, check_terminal, look, services, show};

pub(super) fn run(args: &Tui, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    if args.print_config {
        output.bytes(UserConfig::defaults(appearance(&args.theme, global, None)).as_bytes())?;
        return Ok(CommandOutcome::Success);
    }
    if args.check_config {
        return check_config(output);
    }
    check_terminal()?;
    let (start_screen, source) = match &args.id {
        Some(TraceRef::File(path)) => {
            let traces = locate::read_traces(path)?;
            let start_screen = match traces.as_slice() {
                [trace] => StartScreen::Timeline(trace.id),
                _ => StartScreen::Requests,
            };
            // With one request, the list shows the store, if there is one. Several are a list of their own.
            let place = match traces.len() {
                1 => locate::store_place(global).unwrap_or_default(),
                _ => StorePlace::default(),
            };
            (start_screen, StoreSource::new(place).with_extra(traces))
        }
        Some(TraceRef::StandardInput) => {
            return Err(CommandError::new("the terminal UI reads keys from standard input")
                .with_hint("write the trace to a file, and name that"));
        }
        id => {
            let place = locate::store_place(global)?;
            let reader = locate::open_reader(&place)?;
            let start_screen = match id {
                Some(TraceRef::Stored(find)) => {
                    StartScreen::Timeline(locate::find_trace(&place, &reader, find)?.id)
                }
                _ => StartScreen::Requests,
            };
            (start_screen, StoreSource::from_reader(place, reader))
        }
    };
    let replayer = Replayer::new(args.app.clone(), args.program.clone());
    let services = services(&Arc::new(source), replayer);
    show(start_screen, &services, look(&args.theme, global), args.addr.as_deref())?;
    Ok(CommandOutcome::Success)
}

/// Prints what is wrong in the file with keys and colors.
fn check_config(output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let ConfigFile { mistakes, path, .. } = ConfigFile::load();
    for mistake in &mistakes {
        output.print(&format!("{}\n", zerver_trace::text::clean(mistake)))?;
    }
    if mistakes.is_empty() {
        let path = path.as_deref().map_or_else(|| "no file".to_owned(), paths::display);
        output.info(&format!("{path}: no mistakes"));
    }
    Ok(if mistakes.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}
