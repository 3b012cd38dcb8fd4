//! Services of the screens: traces, replays, an editor, a clipboard. Opens the terminal UI with them.

use std::sync::Arc;

use zerver_recorder::catch_panic;
use zerver_replay::{Edits, ReplayError, ValuePath, ValueSlice};
use zerver_trace::{CatalogFlow, Trace, TraceSource};
use zerver_tui::{CopyOutcome, Message, Options, ReplayResult, SchedulerStatus, Services, StartScreen};

use super::theme_choice::{Look, check_terminal, look};
use super::{clipboard, service_status};
use crate::args::{Global, ThemeArgs};
use crate::clock::local_clock;
use crate::editor;
use crate::error::CommandError;
use crate::locate;
use crate::output::Output;
use crate::service::replayer::Replayer;
use crate::source_code;
use crate::store_source::StoreSource;
use crate::stored_replay::{replay_stored, slice_stored};

/// Returns true if a command may open the terminal UI instead of printing its result.
pub(crate) fn can_open(output: &Output) -> bool {
    output.is_terminal() && !output.is_json && check_terminal().is_ok()
}

/// Shows the comparison of two requests, which need not be in a store.
pub(crate) fn show_diff(traces: [Trace; 2], args: &ThemeArgs, global: &Global) -> Result<(), CommandError> {
    let start_screen = StartScreen::Diff(traces[0].id, traces[1].id);
    let source =
        StoreSource::new(locate::store_place(global).unwrap_or_default()).with_extra(Vec::from(traces));
    show(start_screen, &services(&Arc::new(source), Replayer::default()), look(args, global), None)
}

/// Shows the terminal UI until the user leaves it. `addr` is the address of a running service.
pub(crate) fn show(
    start_screen: StartScreen,
    services: &Arc<dyn Services>,
    look: Look,
    addr: Option<&str>,
) -> Result<(), CommandError> {
    let (sender, received) = zerver_tui::channel();
    if let Some(addr) = addr {
        sender.send(Message::ServiceAddress(addr.to_owned()));
    }
    let options = Options {
        appearance: look.appearance,
        config: look.config,
        start_screen,
        is_panic_handled: Some(catch_panic::is_catching),
        has_external_signal_handling: false,
        time_zone: local_clock().zone,
    };
    match zerver_tui::run(options, services, &sender, &received) {
        Ok(_) => Ok(()),
        Err(error) => Err(CommandError::new("cannot use the terminal").caused_by(&error)),
    }
}

/// Returns the services of the screens, over a store.
pub(crate) fn services(source: &Arc<StoreSource>, replayer: Replayer) -> Arc<dyn Services> {
    Arc::new(StoreServices { source: Arc::clone(source), replayer })
}

struct StoreServices {
    source: Arc<StoreSource>,
    replayer: Replayer,
}

impl Services for StoreServices {
    fn trace_source(&self) -> Arc<dyn TraceSource> {
        self.source.clone()
    }

    fn replay(&self, trace: Trace, edits: Edits) -> Result<ReplayResult, ReplayError> {
        replay_stored(&self.source, &self.replayer, trace, edits)
            .map(|(report, build)| ReplayResult { report, build })
    }

    fn value_sources(&self, trace: Trace, value: ValuePath) -> Result<ValueSlice, ReplayError> {
        slice_stored(&self.source, &self.replayer, trace, value)
    }

    fn flows(&self) -> Result<Vec<CatalogFlow>, String> {
        self.source.catalog().map_err(|error| error.to_string())
    }

    fn edit_text(&self, text: &str) -> Result<String, String> {
        editor::edit(text, ".json").map(|(text, _)| text).map_err(|error| error.one_line())
    }

    fn source_text(&self, file: &str) -> Option<String> {
        source_code::text(self.source.dir(), file)
    }

    fn open_editor(&self, file: &str, line: u32) -> Result<(), String> {
        source_code::edit(self.source.dir(), file, line)
    }

    fn copy_text(&self, text: &str) -> CopyOutcome {
        clipboard::copy(text)
    }

    fn scheduler_status(&self, addr: &str) -> Result<SchedulerStatus, String> {
        service_status::fetch(addr)
    }
}
