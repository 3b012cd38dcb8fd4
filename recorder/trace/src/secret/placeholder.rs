//! Values that are not secret despite their name: placeholders, and messages about a secret.

use super::Author;

/// Numbers below this count as quantities rather than secrets, except from a client.
pub(super) const SMALL: u64 = 100;

/// Returns true if a value is not a secret although its name marks one, because it is empty. If the service wrote the
/// value, this also applies to placeholders (`$1`, `?`, `:token`, `%s`, `{token}`, `<token>`, `***`, `[FILTERED]`) and
/// to messages about the secret.
pub(super) fn is_visible(value: &[u8], author: Author) -> bool {
    let value = value.trim_ascii();
    let is_empty = matches!(value, [] | b"null" | b"true" | b"false" | b"None" | b"nil" | b"undefined");
    is_empty || (author == Author::Service && (is_placeholder(value) || is_message(value)))
}

fn is_placeholder(value: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-: ".contains(b))
    };
    let is = |wanted: &[&str]| wanted.iter().any(|wanted| value.eq_ignore_ascii_case(wanted.as_bytes()));
    match value {
        b"?" | b"%s" | b"%v" | b"{}" | b"[]" | b"()" => true,
        [b'$', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) => true,
        [b'$', b'{', name @ .., b'}'] | [b'{', b'{', name @ .., b'}', b'}'] => is_name(name),
        [b'<', name @ .., b'>'] | [b'{', name @ .., b'}'] => is_name(name),
        [b':' | b'@', name @ ..] => is_name(name) && name.iter().all(|b| !b.is_ascii_digit()),
        _ if value.len() > 2 && value.iter().all(|b| matches!(b, b'*' | b'.' | b'x' | b'X')) => true,
        _ if value.is_ascii() => is(&["[filtered]", "[redacted]", "[masked]", "redacted", "filtered"]),
        _ => {
            let mask = |c| matches!(c, '\u{25cf}' | '\u{2022}' | '\u{2026}');
            str::from_utf8(value).is_ok_and(|text| text.trim_end_matches(" (secret)").chars().all(mask))
        }
    }
}

/// Words of messages about a secret, in lower case. Each such message has at least one of them.
#[rustfmt::skip]
const MESSAGE: [&str; 116] = [
    "accepted", "after", "already", "are", "at", "bad", "be", "been", "blank", "but", "by", "can", "cannot",
    "can't", "character", "characters", "contain", "contains", "could", "couldn't", "denied", "did",
    "didn't", "digit", "do", "does", "doesn't", "don't", "digits", "empty", "end", "ended", "error",
    "exist", "expected", "expire", "expired", "expires", "failed", "few", "for", "forbidden", "format",
    "found", "from", "given", "got", "had", "has", "have", "if", "in", "incorrect", "input", "into",
    "invalid", "is", "isn't", "it", "least", "length", "letter", "letters", "long", "longer", "malformed",
    "many", "match", "matches", "matched", "maximum", "may", "minimum", "mismatch", "missing", "more",
    "most", "must", "needed", "no", "not", "of", "on", "only", "or", "please", "provided", "refused",
    "rejected", "required", "requires", "revoked", "short", "shorter", "should", "string", "than", "that",
    "the", "this", "to", "too", "undefined", "unexpected", "unknown", "unrecognized", "unsupported", "used",
    "valid", "was", "weak", "were", "with", "without", "wrong", "your",
];
/// Words that are a complete message on their own or joined to each other: `required`, `too_short`.
#[rustfmt::skip]
const ALONE: [&str; 30] = [
    "accepted", "bad", "blank", "denied", "empty", "error", "expired", "failed", "forbidden", "incorrect",
    "invalid", "long", "malformed", "mismatch", "missing", "needed", "no", "not", "found", "provided",
    "refused", "rejected", "required", "revoked", "short", "too", "unknown", "unrecognized", "unsupported",
    "weak",
];

/// Returns true if a text is a message about a secret: plain words and small numbers, with at least one of [`MESSAGE`].
/// Quoted text does not count as plain, because it may be the secret.
pub(super) fn is_message(value: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(value) else { return false };
    let text = text.trim();
    if text.len() > 512 {
        return false;
    }
    if !text.contains(' ') {
        let mut parts = text.split(['_', '-', '.']).filter(|part| !part.is_empty()).peekable();
        return parts.peek().is_some() && parts.all(|part| is_listed(&ALONE, part));
    }
    let mut has_message_word = false;
    for word in text.split(' ') {
        let word = word.trim_matches(['.', ',', ':', ';', '!', '?', '(', ')', '/']);
        has_message_word |= is_listed(&MESSAGE, word);
        if !is_plain(word) {
            return false;
        }
    }
    has_message_word
}

fn is_listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|listed| listed.eq_ignore_ascii_case(word))
}

/// Returns true for a plain word, a small number, a time, or an empty string.
fn is_plain(word: &str) -> bool {
    let bytes = word.as_bytes();
    if bytes.iter().any(u8::is_ascii_digit) {
        let is_number = bytes.len() <= 3 && bytes.iter().all(u8::is_ascii_digit);
        // A time in the format of RFC 3339, or a part of one.
        let is_time = bytes.iter().all(|b| b.is_ascii_digit() || b"-:.TZ+".contains(b))
            && (bytes.get(4) == Some(&b'-') || bytes.get(2) == Some(&b':'));
        return is_number || is_time;
    }
    // One word or several joined. Capital letters are only at the beginning, except in abbreviations.
    let is_word = |part: &str| {
        let mut chars = part.chars();
        let rest_is_small = |chars: std::str::Chars<'_>| {
            chars.clone().all(|c| c.is_lowercase() || c == '\'' || c == '\u{2019}')
        };
        let is_capital = part.len() <= 5 && part.bytes().all(|b| b.is_ascii_uppercase());
        part.len() <= 24
            && (is_capital || chars.next().is_none_or(|c| c.is_alphabetic() && rest_is_small(chars)))
    };
    word.split(['-', '_', '/', '.']).all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_distinguished_from_secrets() {
        for text in [
            "is missing",
            "can't be blank",
            "is too short (minimum is 8 characters)",
            "This field is required.",
            "expired",
            "too_short",
            "not found",
            "Must match confirmation",
            "token has expired at 2026-11-29T05:11:00Z",
            "invalid-token-format is wrong",
        ] {
            assert!(is_message(text.as_bytes()), "{text}");
        }
        for text in [
            "hunter2",
            "correct horse battery staple",
            "the word is a1b2c3",
            "'hunter' is wrong",
            "your code is 123456",
            "password",
            "is aBcDe",
            "abc",
            "",
        ] {
            assert!(!is_message(text.as_bytes()), "{text}");
        }
    }
}
