//! The headers that the shell looks at, found in one pass: to look up a few by name takes longer.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A constant, because a lookup by text has to build the name each time.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What there is of them.
#[derive(Default)]
pub(super) struct ScannedHeaders<'r> {
    /// The bytes of all headers, names and values.
    pub(super) bytes: usize,
    pub(super) host: HeaderValues<'r>,
    pub(super) transfer_encoding: HeaderValues<'r>,
    pub(super) traceparent: HeaderValues<'r>,
}

/// The values of a header that is to be there once.
#[derive(Default)]
pub(super) struct HeaderValues<'r> {
    pub(super) first: Option<&'r HeaderValue>,
    /// Whether there are more.
    pub(super) is_doubled: bool,
}

impl<'r> ScannedHeaders<'r> {
    pub(super) fn of(headers: &'r HeaderMap) -> Self {
        let mut seen = Self::default();
        for (name, value) in headers {
            seen.bytes += name.as_str().len() + value.len();
            let values = match name {
                name if *name == header::HOST => &mut seen.host,
                name if *name == header::TRANSFER_ENCODING => &mut seen.transfer_encoding,
                name if *name == TRACEPARENT => &mut seen.traceparent,
                _ => continue,
            };
            match values.first {
                None => values.first = Some(value),
                Some(_) => values.is_doubled = true,
            }
        }
        seen
    }
}
