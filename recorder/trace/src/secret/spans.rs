//! Spans of secrets in a text, and their replacement.

use std::ops::Range;

/// Replacement of a secret where there is no key to distinguish secrets by.
pub const MASK: &str = "<secret>";

/// Returns the text with each span replaced. The spans must be sorted and must not overlap.
pub fn replace_spans(text: &[u8], spans: &[Range<usize>], with: impl Fn(&[u8]) -> String) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for span in spans {
        out.push_str(&String::from_utf8_lossy(&text[from..span.start]));
        out.push_str(&with(&text[span.clone()]));
        from = span.end;
    }
    out.push_str(&String::from_utf8_lossy(&text[from..]));
    out
}

/// Sorts spans, and merges those that overlap or touch.
pub fn merge_spans(mut spans: Vec<Range<usize>>) -> Vec<Range<usize>> {
    spans.retain(|span| span.start < span.end);
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    spans.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
    spans
}
