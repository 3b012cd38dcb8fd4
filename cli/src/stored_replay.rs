//! Replays of stored requests, for the terminal UI and the web UI.

use zerver_replay::{Edits, Recording, ReplayError, Report};
use zerver_trace::Trace;

use crate::service::replayer::Replayer;
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
    replayer.replay(Recording { trace, secrets }, edits, reader.as_deref()).map_err(|error| ReplayError {
        message: error.message,
        causes: error.causes,
        hints: error.hints,
    })
}
