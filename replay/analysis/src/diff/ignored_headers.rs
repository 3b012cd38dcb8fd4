//! Headers that differ from one request to the next by their nature, and so say nothing about it.

/// Not compared, unless asked for: times, ids of the request, and what a proxy measures.
const BY_DEFAULT: [&str; 7] =
    ["age", "date", "server-timing", "traceparent", "tracestate", "x-request-id", "x-response-time"];

/// Which headers are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredHeaders(Vec<String>);

impl Default for IgnoredHeaders {
    /// The headers that differ by their nature.
    fn default() -> Self {
        Self::of(BY_DEFAULT)
    }
}

impl IgnoredHeaders {
    /// No header.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// The headers of these names.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// Whether a header of this name is not compared.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|ignored| name.eq_ignore_ascii_case(ignored))
    }
}
