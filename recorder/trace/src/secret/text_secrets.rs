//! Secrets in texts, headers and targets.

use std::ops::Range;

use super::{Author, Rule, placeholder, replace_spans, scan};

impl Rule {
    /// Returns the spans of the secrets in a text, in order.
    pub fn spans(&self, text: &[u8], author: Author) -> Vec<Range<usize>> {
        scan::text(self, text, author)
    }

    /// Returns the spans of the secrets in the value of a header.
    pub fn header_spans(&self, name: &str, value: &[u8], author: Author) -> Vec<Range<usize>> {
        let is_visible = !self.is_unlisted_header(name) && placeholder::is_visible(value, Author::Client);
        let is_secret = self.is_header(name) && !is_visible;
        if is_secret { std::iter::once(0..value.len()).collect() } else { self.spans(value, author) }
    }

    /// Returns the spans of the secrets in the target of a request. `pattern` is the route pattern of the flow.
    pub fn target_spans(&self, flow: &str, pattern: &str, target: &[u8]) -> Vec<Range<usize>> {
        scan::target(self, flow, pattern, target)
    }

    /// Returns the text with each secret replaced by the result of `mask`, or `None` if the text has no secrets.
    pub fn masked(&self, text: &str, author: Author, mask: impl Fn(&[u8]) -> String) -> Option<String> {
        let spans = self.spans(text.as_bytes(), author);
        (!spans.is_empty()).then(|| replace_spans(text.as_bytes(), &spans, mask))
    }
}
