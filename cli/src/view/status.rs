//! Status codes with their reason phrase.

/// Returns `200 OK`, or `no response` for 0.
pub(super) fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}
