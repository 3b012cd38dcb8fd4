//! Replays of stored requests and the sources of their values, for the terminal UI and the web UI.

use zerver_replay::{
    Edits, MissingInput, Recording, ReplayError, Report, SliceRequest, ValuePath, ValueSlice,
};
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
    let (secrets, locked) = source.secrets(&trace);
    let reader = source.reader().ok().flatten();
    let replayed = replayer.replay(Recording { trace, secrets }, edits, reader.as_deref());
    let (mut report, build) = replayed.map_err(replay_error)?;
    if let Some(reason) = locked {
        let reason = cannot_decrypt(&reason);
        match report.missing_inputs.is_empty() {
            true => report.notes.push(reason),
            // It explains the others.
            false => report.missing_inputs.insert(0, MissingInput::Other(reason)),
        }
    }
    Ok((report, build))
}

/// Finds the sources of a value of a request, with the current code.
pub(crate) fn slice_stored(
    source: &StoreSource,
    replayer: &Replayer,
    trace: Trace,
    target: ValuePath,
) -> Result<ValueSlice, ReplayError> {
    let (secrets, locked) = source.secrets(&trace);
    let reader = source.reader().ok().flatten();
    let request = SliceRequest { target, seen: seen_values(source, &trace), skipped: Vec::new() };
    let sliced = replayer.slice(&Recording { trace, secrets }, request, reader.as_deref());
    sliced.map_err(|error| {
        let mut error = replay_error(error);
        error.causes.extend(locked.as_deref().map(cannot_decrypt));
        error
    })
}

fn cannot_decrypt(reason: &str) -> String {
    format!("its secrets cannot be decrypted: {reason}")
}

fn replay_error(error: CommandError) -> ReplayError {
    ReplayError { message: error.message, causes: error.causes, hints: error.hints }
}
