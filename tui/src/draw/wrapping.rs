//! Text that takes several lines. It comes from traces and programs, so it may have any length.

use super::text_width::{clusters, width};

/// Maximum number of lines of one text.
pub(crate) const MAX_WRAPPED: usize = 400;

/// Wraps a text to `columns`, between words if possible.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.extend(wrapped_chars(word, columns)),
        }
        if lines.len() > MAX_WRAPPED {
            break;
        }
    }
    lines
}

/// Splits a text into pieces of `columns`, at least one.
pub(crate) fn wrapped_chars(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for (_, cluster, wide) in clusters(text) {
        if taken + wide > columns.max(2) {
            if lines.len() > MAX_WRAPPED {
                break;
            }
            lines.push(String::new());
            taken = 0;
        }
        taken += wide;
        if let Some(line) = lines.last_mut() {
            line.push_str(cluster);
        }
    }
    lines
}
