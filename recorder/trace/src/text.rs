//! The one sanitiser in front of every string that is printed or drawn: what was recorded is hostile.
//!
//! Taken out are the control characters of ASCII and of C1 (ECMA-48), and the characters that reorder or hide text:
//! bidirectional controls (UAX 9), zero-width characters, line and paragraph separators, tags, the byte order mark.

use std::borrow::Cow;

/// The same text with every dangerous character written out, as in `\u{1b}`. A backslash stays as it is: the result is
/// for eyes, not for parsers.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_dangerous) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_dangerous(c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// [`clean`] for bytes that may not be text; what is not UTF-8 is written as `\xff`.
pub fn clean_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(&clean(chunk.valid()));
        for byte in chunk.invalid() {
            out.push_str(&format!("\\x{byte:02x}"));
        }
    }
    out
}

/// Whether a terminal or a reader's eye could be misled by it.
pub const fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &str) {
        let got = clean(text);
        assert_eq!(got, wanted);
        assert!(!got.chars().any(is_dangerous));
        assert_eq!(clean(&got), got, "twice is the same");
    }

    #[test]
    fn what_could_mislead_is_written_out() {
        check("plain, ünïcode, 漢字 and 🎉", "plain, ünïcode, 漢字 and 🎉");
        check("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}");
        check("\u{1b}]52;c;AAAA\u{9c}", "\\u{1b}]52;c;AAAA\\u{9c}");
        check("\u{9b}31m", "\\u{9b}31m");
        check("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c");
        check("line\r\nnext\ttab\0", "line\\r\\nnext\\ttab\\u{0}");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_such() {
        assert_eq!(clean_bytes(b"ok \xff\x1b[31m\xc3\xbc"), "ok \\xff\\u{1b}[31mü");
    }
}
