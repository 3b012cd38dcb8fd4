//! Headers that naturally differ between requests.

/// Headers that are not compared by default: times, request ids, and measurements of proxies.
const BY_DEFAULT: [&str; 7] =
    ["age", "date", "server-timing", "traceparent", "tracestate", "x-request-id", "x-response-time"];

/// Headers that are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredHeaders(Vec<String>);

impl Default for IgnoredHeaders {
    /// Ignores the headers that naturally differ.
    fn default() -> Self {
        Self::of(BY_DEFAULT)
    }
}

impl IgnoredHeaders {
    /// Ignores no header.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Ignores the headers with these names.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// Returns true if the header is not compared.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|ignored| name.eq_ignore_ascii_case(ignored))
    }
}
