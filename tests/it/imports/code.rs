//! Source text without comments, literals and tests.

use crate::lexer::parts;

/// Returns the text with comments and literals replaced by spaces.
pub(super) fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (_, part) in parts(text) {
        out.push_str(&text[at..part.start]);
        out.extend(text[part.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }));
        at = part.end;
    }
    out.push_str(&text[at..]);
    out
}

/// Removes the items behind `#[cfg(test)]`.
pub(super) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    while let Some(start) = out.find("#[cfg(test)]").or_else(|| out.find("#[cfg(all(test")) {
        out.replace_range(start..item_end(&out, start), "");
    }
    out
}

/// Returns the end of the item at `start`: its `;`, or the brace that closes its first block.
fn item_end(code: &str, start: usize) -> usize {
    let (mut depth, mut brackets) = (0usize, 0usize);
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'[' | b'(' => brackets += 1,
            b']' | b')' => brackets = brackets.saturating_sub(1),
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                // The braces of `use a::{b, c};` are followed by a semicolon.
                if depth == 0 && brackets == 0 && !code[at + 1..].starts_with(';') {
                    return at + 1;
                }
            }
            b';' if depth == 0 && brackets == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}
