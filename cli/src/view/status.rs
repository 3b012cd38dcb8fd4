//! Status codes with their reason phrase.

use zerver_trace::{Kept, Trace};

/// Returns `200 OK`, or `no response` for 0.
pub(super) fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}

/// Returns the status of a request. That an imported trace has none does not mean that there was no response.
pub(super) fn status_of(trace: &Trace) -> String {
    match trace.kept {
        Kept::Imported if trace.status == 0 => "status unknown".to_owned(),
        _ => status(trace.status),
    }
}
