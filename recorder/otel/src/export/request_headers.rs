//! Headers of a recorded request.

use zerver_trace::{Recorded, Trace};

/// Returns the text of a header that the request has exactly once, unless it is a secret.
pub(crate) fn header_text(trace: &Trace, name: &str) -> Option<String> {
    let mut found = trace.request_headers.iter().filter(|header| header.name == name);
    let (Some(header), None) = (found.next(), found.next()) else { return None };
    visible_text(&header.value)
}

/// Returns the text of a value with its secrets masked, or `None` if all of it is secret or missing.
pub(crate) fn visible_text(recorded: &Recorded) -> Option<String> {
    let root = recorded.value()?.root();
    let bytes = root.as_bytes();
    match bytes {
        Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        None => Some(String::new()),
    }
}
