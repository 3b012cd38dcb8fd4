//! Finds the headers that the HTTP shell reads in one pass over all headers, which is faster than a few lookups by
//! name.

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Name of the `traceparent` header. A constant, because a lookup by text builds the name each time.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers found by the scan.
#[derive(Default)]
pub(crate) struct ScannedHeaders<'r> {
    /// Total size of the names and values of all headers.
    pub(crate) bytes: usize,
    pub(crate) host: HeaderValues<'r>,
    pub(crate) transfer_encoding: HeaderValues<'r>,
    pub(crate) traceparent: HeaderValues<'r>,
}

/// Values of a header that may occur only once.
#[derive(Default)]
pub(crate) struct HeaderValues<'r> {
    pub(crate) first: Option<&'r HeaderValue>,
    /// True if there is more than one value.
    pub(crate) is_repeated: bool,
}

impl<'r> ScannedHeaders<'r> {
    pub(crate) fn new(headers: &'r HeaderMap) -> Self {
        let mut scanned = Self::default();
        for (name, value) in headers {
            scanned.bytes += name.as_str().len() + value.len();
            let values = match name {
                name if *name == header::HOST => &mut scanned.host,
                name if *name == header::TRANSFER_ENCODING => &mut scanned.transfer_encoding,
                name if *name == TRACEPARENT => &mut scanned.traceparent,
                _ => continue,
            };
            match values.first {
                None => values.first = Some(value),
                Some(_) => values.is_repeated = true,
            }
        }
        scanned
    }
}
