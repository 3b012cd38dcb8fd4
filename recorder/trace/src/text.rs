//! The only sanitizer for strings that are printed or drawn. Recorded data is untrusted.
//!
//! It escapes the control characters of ASCII and C1 (ECMA-48), line and paragraph separators, interlinear annotation
//! characters, and every character with the property `Default_Ignorable_Code_Point` (Unicode 17.0,
//! `DerivedCoreProperties.txt`). A terminal may draw the latter as nothing: they include bidirectional controls (UAX 9),
//! zero-width characters, Hangul fillers, variation selectors and tags.
//!
//! There is one exception: U+FE0F is kept directly after a character that has an emoji form, as in a red heart, because
//! the character is visible in either form. U+200D, which joins emoji, is escaped.

use std::borrow::Cow;

/// Selects the emoji form of the preceding character.
const EMOJI_FORM: char = '\u{fe0f}';

/// Returns the text with every dangerous character escaped, as in `\u{1b}`. A backslash is not escaped, because the
/// result is for people, not for parsers.
pub fn clean(text: &str) -> Cow<'_, str> {
    // Most texts are printable ASCII, and no dangerous character has a byte of printable ASCII.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !has_dangerous(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut before = '\0';
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_dangerous_after(before, c) => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
        before = c;
    }
    Cow::Owned(out)
}

fn has_dangerous(text: &str) -> bool {
    let mut before = '\0';
    text.chars().any(|c| is_dangerous_after(std::mem::replace(&mut before, c), c))
}

/// Applies [`clean`] to bytes, which need not be UTF-8. Invalid bytes are escaped as `\xff`.
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

const fn is_dangerous_after(before: char, c: char) -> bool {
    is_dangerous(c) && !(c == EMOJI_FORM && has_emoji_form(before))
}

/// Returns true if the character on its own could mislead a terminal or a reader.
pub const fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}'
        | '\u{7f}'..='\u{9f}'
        | '\u{2028}'..='\u{2029}'
        | '\u{fff9}'..='\u{fffb}')
        || is_default_ignorable(c)
}

/// Returns true if the character has the property `Default_Ignorable_Code_Point`. Includes unassigned code points.
const fn is_default_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Returns true if the character has an emoji form (`emoji-variation-sequences.txt`), or is near one in the same block.
/// Digits, `#` and `*`, which have one in keycaps, are excluded.
const fn has_emoji_form(c: char) -> bool {
    matches!(c,
        '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2194}'..='\u{2199}'
        | '\u{21a9}'..='\u{21aa}'
        | '\u{231a}'..='\u{231b}'
        | '\u{2328}'
        | '\u{23cf}'
        | '\u{23e9}'..='\u{23fa}'
        | '\u{24c2}'
        | '\u{25aa}'..='\u{25ab}'
        | '\u{25b6}'
        | '\u{25c0}'
        | '\u{25fb}'..='\u{25fe}'
        | '\u{2600}'..='\u{27bf}'
        | '\u{2934}'..='\u{2935}'
        | '\u{2b05}'..='\u{2b07}'
        | '\u{2b1b}'..='\u{2b1c}'
        | '\u{2b50}'
        | '\u{2b55}'
        | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
        | '\u{1f000}'..='\u{1faff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &str) {
        let got = clean(text);
        assert_eq!(got, wanted);
        assert!(!got.chars().any(is_dangerous));
        assert_eq!(clean(&got), got, "cleaning is idempotent");
    }

    #[test]
    fn control_characters_are_escaped() {
        check("plain, ünïcode, 漢字 and 🎉", "plain, ünïcode, 漢字 and 🎉");
        check("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}");
        check("\u{1b}]52;c;AAAA\u{9c}", "\\u{1b}]52;c;AAAA\\u{9c}");
        check("\u{9b}31m", "\\u{9b}31m");
        check("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c");
        check("line\r\nnext\ttab\0", "line\\r\\nnext\\ttab\\u{0}");
    }

    #[test]
    fn invisible_characters_are_escaped() {
        // First and last code point of each range of `Default_Ignorable_Code_Point`.
        let ranges = [
            (0xad, 0xad),
            (0x34f, 0x34f),
            (0x61c, 0x61c),
            (0x115f, 0x1160),
            (0x17b4, 0x17b5),
            (0x180b, 0x180f),
            (0x200b, 0x200f),
            (0x202a, 0x202e),
            (0x2060, 0x206f),
            (0x3164, 0x3164),
            (0xfe00, 0xfe0f),
            (0xfeff, 0xfeff),
            (0xffa0, 0xffa0),
            (0xfff0, 0xfff8),
            (0x1bca0, 0x1bca3),
            (0x1d173, 0x1d17a),
            (0xe0000, 0xe0fff),
        ];
        let count: u32 = ranges.iter().map(|(first, last)| last - first + 1).sum();
        assert_eq!(count, 4174, "the total in DerivedCoreProperties.txt");
        for code in ranges.iter().flat_map(|&(first, last)| first..=last) {
            let c = char::from_u32(code).unwrap();
            check(&format!("a{c}b"), &format!("a\\u{{{code:x}}}b"));
            check(&c.to_string(), &format!("\\u{{{code:x}}}"));
        }
        let ignorable = |c: char| ranges.iter().any(|&(first, last)| (first..=last).contains(&u32::from(c)));
        assert!(('\0'..=char::MAX).all(|c| ignorable(c) == is_default_ignorable(c)));
        let hidden = "Buy milk\u{e0173}\u{e0165}";
        check(hidden, "Buy milk\\u{e0173}\\u{e0165}");
    }

    #[test]
    fn an_emoji_keeps_its_variation_selector() {
        for text in ["\u{2764}\u{fe0f}", "a \u{26a0}\u{fe0f} b", "\u{1f3f3}\u{fe0f}"] {
            assert_eq!(clean(text), text);
        }
        check("\u{fe0f}", "\\u{fe0f}");
        check("a\u{fe0f}", "a\\u{fe0f}");
        check("1\u{fe0f}\u{20e3}", "1\\u{fe0f}\u{20e3}");
        assert_eq!(clean("\u{2764}\u{fe0f}\u{fe0f}"), "\u{2764}\u{fe0f}\\u{fe0f}");
        check("\u{2764}\u{fe0e}", "\u{2764}\\u{fe0e}");
        check("\u{1f469}\u{200d}\u{1f467}", "\u{1f469}\\u{200d}\u{1f467}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        assert_eq!(clean_bytes(b"ok \xff\x1b[31m\xc3\xbc"), "ok \\xff\\u{1b}[31mü");
    }
}
