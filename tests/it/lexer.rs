//! Comments and literals in Rust source text, for the tests that read the project's own files.

use std::ops::Range;

/// A part of source text that is not code.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Part {
    Comment,
    Literal,
}

/// Returns the comments, strings and characters of source text, in order.
pub(crate) fn parts(text: &str) -> Vec<(Part, Range<usize>)> {
    let bytes = text.as_bytes();
    let (mut parts, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let found = match rest {
            [b'/', b'/', ..] => {
                Some((Part::Comment, at + rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len())))
            }
            [b'/', b'*', ..] => {
                Some((Part::Comment, text[at..].find("*/").map_or(bytes.len(), |len| at + len + 2)))
            }
            [b'r', b'"' | b'#', ..] if !ends_in_word(bytes, at) => {
                raw_string_end(text, at).map(|end| (Part::Literal, end))
            }
            [b'"', ..] => Some((Part::Literal, string_end(bytes, at))),
            // A character, not a lifetime.
            [b'\'', b'\\', _, after @ ..] => {
                let len = after.iter().position(|&b| b == b'\'').unwrap_or(after.len());
                Some((Part::Literal, (at + 3 + len + 1).min(bytes.len())))
            }
            [b'\'', first, ..] if *first != b'\'' => {
                let len = text[at + 1..].chars().next().map_or(1, char::len_utf8);
                (bytes.get(at + 1 + len) == Some(&b'\'')).then_some((Part::Literal, at + 2 + len))
            }
            _ => None,
        };
        match found {
            Some((part, end)) => {
                parts.push((part, at..end));
                at = end;
            }
            None => at += 1,
        }
    }
    parts
}

fn ends_in_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_') && bytes[at - 1] != b'b'
}

fn raw_string_end(text: &str, at: usize) -> Option<usize> {
    let hashes = text[at + 1..].bytes().take_while(|&b| b == b'#').count();
    let content = text[at + 1 + hashes..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(at + 2 + hashes + content.find(&close)? + close.len())
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while end < bytes.len() && bytes[end] != b'"' {
        end += if bytes[end] == b'\\' { 2 } else { 1 };
    }
    (end + 1).min(bytes.len())
}

#[test]
fn comments_and_literals_are_found() {
    let text = "let a = \"// no\\\" //\"; // yes\nlet b = '\"'; let c: &'a str = r#\"x\"y\"#; /* z */ let d = '\\''; b'ä';";
    let found: Vec<_> = parts(text).into_iter().map(|(part, range)| (part, &text[range])).collect();
    use Part::{Comment, Literal};
    assert_eq!(
        found,
        [
            (Literal, "\"// no\\\" //\""),
            (Comment, "// yes"),
            (Literal, "'\"'"),
            (Literal, "r#\"x\"y\"#"),
            (Comment, "/* z */"),
            (Literal, "'\\''"),
            (Literal, "'ä'"),
        ]
    );
}
