//! Scheme and authority of a request's target.

use std::borrow::Cow;

use bincode::{Decode, Encode};

use super::Recorded;

/// Scheme and authority in the target of a request, exactly as received.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Origin<V = Recorded> {
    /// Not recorded: the trace has a schema before 3.
    NotRecorded,
    /// The target is only a path, as usual in HTTP/1; the authority is in the `Host` header.
    Absent,
    /// `http://host:port`, from `:scheme` and `:authority` of HTTP/2 or from a target in absolute form.
    Named(V),
}

impl Origin {
    /// Returns the scheme and the authority with secrets masked, or `None` if the target has neither or they were not
    /// recorded.
    pub fn visible(&self) -> Option<(String, String)> {
        let Self::Named(recorded) = self else { return None };
        let text = match recorded.value().and_then(|value| value.root().as_bytes().map(Cow::into_owned)) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            None => return Some((String::new(), "●●●● (secret)".to_owned())),
        };
        let (scheme, authority) = text.split_once("://").unwrap_or(("", &text));
        Some((scheme.to_owned(), authority.to_owned()))
    }
}
