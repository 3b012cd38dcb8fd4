//! The search for secrets in a text of any sort: names with values (JSON, forms, XML, multipart, headers, settings), and
//! secrets that show by themselves (user information of URLs, private keys, tokens). What is cut off or malformed is read
//! as far as it goes; nothing here allocates but for what it finds.

use std::ops::Range;

use super::super::sensitive_names::{MAX_NAME, Sensitivity, Words};
use super::super::{Author, Rule, merge_spans, percent_decoded, placeholder};

/// How deep texts within texts are looked into.
const MAX_NESTED: u32 = 3;

/// Where the secrets of a text are, in their order.
pub(in super::super) fn text(rule: &Rule, text: &[u8], author: Author) -> Vec<Range<usize>> {
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
    rule.words(&Words::of(name)) != Sensitivity::NotSecret
}

/// Where the secrets of a request's target are, in their order.
pub(in super::super) fn target(rule: &Rule, flow: &str, pattern: &str, target: &[u8]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let path = target.iter().position(|&b| b == b'?').unwrap_or(target.len());
    if rule.may_be_in(&target[..path]) {
        Scan::new(rule, &target[..path], Author::Client, &mut spans).all();
    }
    path_parameters(rule, flow, pattern, &target[..path], &mut spans);
    if path < target.len() {
        let is_secret = |name: &[u8]| rule.is_parameter(flow, &String::from_utf8_lossy(name));
        form(rule, target, path + 1..target.len(), Author::Client, 0, &is_secret, &mut spans);
    }
    merge_spans(spans)
}

/// The segments of a path that are secret parameters of its route.
fn path_parameters(rule: &Rule, flow: &str, pattern: &str, path: &[u8], spans: &mut Vec<Range<usize>>) {
    // Of a target in absolute form, the path is what follows the authority.
    let scheme = path
        .windows(3)
        .position(|window| window == b"://")
        .filter(|&at| path[..at].iter().all(u8::is_ascii_alphabetic));
    let mut at = scheme.map_or(0, |at| {
        let authority = at + 3;
        path[authority..].iter().position(|&b| b == b'/').map_or(path.len(), |len| authority + len)
    });
    for segment in pattern.split('/').skip(1) {
        if path.get(at) != Some(&b'/') {
            return;
        }
        at += 1;
        let is_rest = segment.starts_with("{*");
        let len = path[at..].iter().position(|&b| b == b'/' && !is_rest).unwrap_or(path.len() - at);
        if let Some((start, inner)) = segment.split_once('{')
            && let Some((name, end)) = inner.split_once('}')
            && rule.is_path_parameter(flow, name.trim_start_matches('*'))
        {
            spans.push((at + start.len()).min(at + len)..(at + len).saturating_sub(end.len()));
        }
        at += len;
    }
}

/// Whether a text is a form as a whole: a name, an equals sign, and nothing that forms write otherwise. What a client sent
/// may have spaces.
fn is_form(text: &[u8], author: Author) -> bool {
    let Some(equals) = text.iter().take(MAX_NAME).position(|&b| b == b'=') else { return false };
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"_-.[]%+$:".contains(b);
    let is_odd = |&b: &u8| b < b' ' || b"\"<{".contains(&b) || (b == b' ' && author == Author::Service);
    equals > 0 && text[..equals].iter().all(is_name) && !text.iter().any(is_odd)
}

/// The parameters of a query or a form: everything up to the next `&` is the value.
fn form(
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
            // Where it is in the text that was decoded is not where it is in this one.
            false if !inner.is_empty() => spans.push(value),
            false => {}
        }
    }
}

/// One pass over a text.
pub(super) struct Scan<'t, 's> {
    pub(super) rule: &'t Rule,
    pub(super) text: &'t [u8],
    pub(super) author: Author,
    pub(super) spans: &'s mut Vec<Range<usize>>,
    /// How many bytes may still be looked at for the ends of elements, which may all be missing.
    pub(super) budget: usize,
}

impl<'t, 's> Scan<'t, 's> {
    fn new(rule: &'t Rule, text: &'t [u8], author: Author, spans: &'s mut Vec<Range<usize>>) -> Self {
        Self { rule, text, author, spans, budget: 16 * text.len() }
    }
}

impl Scan<'_, '_> {
    fn all(&mut self) {
        let mut from = 0;
        while let Some(at) = self.rule.0.stems.next(self.text, from) {
            from = match self.bare(at) {
                Some(end) => end.max(at + 1),
                None => self.named(at, from),
            };
        }
    }

    /// What a name announces that has a stem at this place; where to go on.
    fn named(&mut self, at: usize, from: usize) -> usize {
        let text = self.text;
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let mut start = at - text[from..at].iter().rev().take(MAX_NAME).take_while(|b| is_name(b)).count();
        let end = at + text[at..].iter().take_while(|b| is_name(b)).count();
        // The two digits of `%5B` are none of the name.
        if start > 0
            && text[start - 1] == b'%'
            && text[start..at].iter().take(2).filter(|b| b.is_ascii_hexdigit()).count() == 2
        {
            start += 2;
        }
        if end - start > MAX_NAME {
            return end;
        }
        let said = match self.rule.words(&Words::of(&text[start..end])) {
            Sensitivity::NotSecret => self.of_two_words(start, end),
            said => said,
        };
        match said {
            Sensitivity::NotSecret => end.max(at + 1),
            said => self.announced(start..end, said).max(end),
        }
    }

    /// The same for a name with a space in it: `api key`.
    fn of_two_words(&self, start: usize, end: usize) -> Sensitivity {
        let text = self.text;
        let is_second = ["key", "keys", "code", "number", "phrase", "card", "word"]
            .iter()
            .any(|word| text[start..end].eq_ignore_ascii_case(word.as_bytes()));
        if !is_second || start < 2 || text[start - 1] != b' ' {
            return Sensitivity::NotSecret;
        }
        let word = text[..start - 1].iter().rev().take(16).take_while(|b| b.is_ascii_alphabetic()).count();
        self.rule.words(&Words::of(&text[start - 1 - word..end]))
    }

    /// Notes a value, if it is a secret.
    pub(super) fn value(&mut self, range: Range<usize>) {
        if !placeholder::is_visible(&self.text[range.clone()], self.author) {
            self.spans.push(range);
        }
    }

    /// From a place on, how many bytes are among these.
    pub(super) fn skip(&self, at: usize, wanted: &[u8]) -> usize {
        at + self.text[at.min(self.text.len())..].iter().take_while(|b| wanted.contains(b)).count()
    }

    /// Whether these bytes are at a place, in capital letters or small ones.
    pub(super) fn is_at(&self, at: usize, wanted: &[u8]) -> bool {
        self.text.get(at..at + wanted.len()).is_some_and(|there| there.eq_ignore_ascii_case(wanted))
    }

    /// Where some bytes are from a place on, not farther than that.
    pub(super) fn find(&self, at: usize, wanted: &[u8], within: usize) -> Option<usize> {
        let end = self.text.len().min(at.saturating_add(within));
        let found = self
            .text
            .get(at..end)?
            .windows(wanted.len())
            .position(|window| window.eq_ignore_ascii_case(wanted));
        found.map(|found| at + found)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
