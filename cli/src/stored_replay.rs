//! Replays of stored requests and the sources of their values, for the terminal UI and the web UI.

use zerver_replay::{Edits, Recording, ReplayError, Report, SliceRequest, ValuePath, ValueSlice};
use zerver_trace::Trace;

use crate::error::CommandError;
use crate::service::replayer::Replayer;
use crate::service::slicer::seen_values;
use crate::store_source::StoreSource;

/// Replays a request with the current code. Returns the report and the id of the build that replayed it.
pub(crate) fn replay_stored(
    source: &StoreSource,
    replayer: &Replayer,
    trace: Trace,
    edits: Edits,
) -> Result<(Report, String), ReplayError> {
    let secrets = source.secrets(&trace);
    let reader = source.reader().ok().flatten();
    replayer.replay(Recording { trace, secrets }, edits, reader.as_deref()).map_err(replay_error)
}

/// Finds the sources of a value of a request, with the current code.
pub(crate) fn slice_stored(
    source: &StoreSource,
    replayer: &Replayer,
    trace: Trace,
    target: ValuePath,
) -> Result<ValueSlice, ReplayError> {
    let secrets = source.secrets(&trace);
    let reader = source.reader().ok().flatten();
    let request = SliceRequest { target, seen: seen_values(source, &trace), skipped: Vec::new() };
    replayer.slice(&Recording { trace, secrets }, request, reader.as_deref()).map_err(replay_error)
}

fn replay_error(error: CommandError) -> ReplayError {
    ReplayError { message: error.message, causes: error.causes, hints: error.hints }
}
