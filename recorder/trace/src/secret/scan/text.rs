//! The search in a whole text, which may be a form or contain other texts.

use std::ops::Range;

use super::scanner::Scan;
use crate::secret::names::{MAX_NAME, NameWords, Sensitivity};
use crate::secret::{Author, Rule, merge_spans, percent_decoded, placeholder};

/// Maximum nesting of texts within texts that is searched.
const MAX_NESTED: u32 = 3;

/// Returns the spans of the secrets in a text, in order.
pub(crate) fn text(rule: &Rule, text: &[u8], author: Author) -> Vec<Range<usize>> {
    if !rule.may_be_in(text) {
        return Vec::new();
    }
    let mut spans = Vec::new();
    nested(rule, text, author, 0, &mut spans);
    merge_spans(spans)
}

fn nested(rule: &Rule, text: &[u8], author: Author, depth: u32, spans: &mut Vec<Range<usize>>) {
    match is_form(text, author) {
        true => form(rule, text, 0..text.len(), author, depth, &|name| is_field(rule, name), spans),
        false => Scan::new(rule, text, author, spans).all(),
    }
}

fn is_field(rule: &Rule, name: &[u8]) -> bool {
    rule.words(&NameWords::split(name)) != Sensitivity::NotSecret
}

/// Returns true if the entire text is a form: it begins with a name and an equals sign, and has no character that forms
/// encode. Text of a client may contain spaces.
fn is_form(text: &[u8], author: Author) -> bool {
    let Some(equals) = text.iter().take(MAX_NAME).position(|&b| b == b'=') else { return false };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"_-.[]%+$:".contains(b);
    let is_odd = |&b: &u8| b < b' ' || b"\"<{".contains(&b) || (b == b' ' && author == Author::Service);
    equals > 0 && text[..equals].iter().all(is_name) && !text.iter().any(is_odd)
}

/// Searches the parameters of a query or form. The value of a parameter extends to the next `&`.
pub(super) fn form(
    rule: &Rule,
    text: &[u8],
    within: Range<usize>,
    author: Author,
    depth: u32,
    is_secret: &dyn Fn(&[u8]) -> bool,
    spans: &mut Vec<Range<usize>>,
) {
    let mut start = within.start;
    for pair in text[within].split(|&b| b == b'&') {
        let range = start..start + pair.len();
        start = range.end + 1;
        let Some(equals) = pair.iter().position(|&b| b == b'=') else { continue };
        let value = range.start + equals + 1..range.end;
        if is_secret(&percent_decoded(&pair[..equals])) {
            if !placeholder::is_visible(&text[value.clone()], author) {
                spans.push(value);
            }
            continue;
        }
        let raw = &text[value.clone()];
        let decoded = percent_decoded(raw);
        if depth >= MAX_NESTED || !rule.may_be_in(&decoded) {
            continue;
        }
        let mut inner = Vec::new();
        nested(rule, &decoded, author, depth + 1, &mut inner);
        match *decoded == *raw {
            true => {
                spans.extend(inner.into_iter().map(|span| value.start + span.start..value.start + span.end))
            }
            // Positions in the decoded text are not positions in this one, so the whole value counts as secret.
            false if !inner.is_empty() => spans.push(value),
            false => {}
        }
    }
}
