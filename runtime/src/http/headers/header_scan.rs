//! The headers that the shell looks at, found in one pass: to look up a few by name takes longer.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// A constant, because a lookup by text has to build the name each time.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What there is of them.
#[derive(Default)]
pub(crate) struct ScannedHeaders<'r> {
    /// The bytes of all headers, names and values.
    pub(crate) bytes: usize,
    pub(crate) host: HeaderValues<'r>,
    pub(crate) transfer_encoding: HeaderValues<'r>,
    pub(crate) traceparent: HeaderValues<'r>,
}

/// The values of a header that is to be there once.
#[derive(Default)]
pub(crate) struct HeaderValues<'r> {
    pub(crate) first: Option<&'r HeaderValue>,
    /// Whether there are more.
    pub(crate) is_doubled: bool,
}

impl<'r> ScannedHeaders<'r> {
    pub(crate) fn of(headers: &'r HeaderMap) -> Self {
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
