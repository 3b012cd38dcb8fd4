//! The announcement of effects, and the error for a trace that cannot be replayed.

use zerver_replay::Report;
use zerver_trace::Recorded;

use crate::error::CommandError;
use crate::locate::LoadedTrace;
use crate::output::Output;

/// Prints the effect that is about to be performed for real.
pub(super) fn announce(effect: &str, output: &mut Output) {
    output.notice(&format!("live: {}", zerver_trace::text::clean(effect)));
}

/// Returns the report unless the replay was impossible.
pub(super) fn check_possible(report: Report, loaded: &LoadedTrace) -> Result<Report, CommandError> {
    if report.missing_inputs.is_empty() {
        return Ok(report);
    }
    let id = loaded.trace.id.short(loaded.digits());
    let mut error = CommandError::new(format!("cannot replay {id} as it was recorded"));
    error.causes = report.missing_inputs.iter().map(ToString::to_string).collect();
    // A portable file has only hashes of secrets; the store can decrypt its own.
    let is_secret = |value: &Recorded| matches!(value, Recorded::Hashed { .. });
    let trace = &loaded.trace;
    let recorded = trace.request_headers.iter().map(|header| &header.value);
    if loaded.reader.is_none() && recorded.chain([&trace.target, &trace.request_body.bytes]).any(is_secret) {
        let id = trace.id;
        error = error.with_hint(format!(
            "the store that recorded it has its secrets: run `zerver replay {id}` on that store"
        ));
    }
    Err(error)
}
