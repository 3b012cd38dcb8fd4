//! What a value looks like: a message about a secret, a placeholder for one, and what may be searched for elsewhere.

use super::Author;

/// From this much, in bits as [`strength`] estimates them, and this length on a secret is searched for elsewhere.
const SEARCHED_BITS: u32 = 22;
/// From this much on a word in a text looks made by a machine.
const MADE_BITS: u32 = 28;
const SEARCHED_LEN: usize = 8;
/// Numbers below this say how many there are or how long something is, but in what a client sent.
pub(super) const SMALL: u64 = 100;

/// Whether copies of a secret are to be masked wherever they are: it is long enough and no plain word. A mask in the place
/// of a plain word, in a text that is known, would tell the word.
pub fn is_searchable(secret: &[u8]) -> bool {
    secret.len() >= SEARCHED_LEN && strength(secret) >= SEARCHED_BITS
}

/// How hard it is to guess, in bits, at least: a word counts for 12, whatever its length; a letter or two by themselves 5
/// each; a digit 2; anything else 8.
pub fn strength(secret: &[u8]) -> u32 {
    let (mut bits, mut at) = (0u32, 0);
    while let Some(&byte) = secret.get(at) {
        let len = match byte {
            b'a'..=b'z' => run(&secret[at..], u8::is_ascii_lowercase),
            b'A'..=b'Z' => match run(&secret[at..], u8::is_ascii_uppercase) {
                // A capital letter and small ones are a word.
                1 => 1 + run(&secret[at + 1..], u8::is_ascii_lowercase),
                capitals => capitals,
            },
            _ => 1,
        };
        bits = bits.saturating_add(match byte {
            b'a'..=b'z' | b'A'..=b'Z' if len > 2 => 12,
            b'a'..=b'z' | b'A'..=b'Z' => 5 * len as u32,
            b'0'..=b'9' => 2,
            _ => 8,
        });
        at += len;
    }
    // The same again and again is no harder to guess.
    let (mut seen, mut different) = ([false; 256], 0);
    for &byte in secret {
        different += u32::from(!std::mem::replace(&mut seen[usize::from(byte)], true));
    }
    bits.min(different * 8)
}

fn run(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is(byte)).unwrap_or(bytes.len())
}

/// Whether it looks made by a machine: letters and digits in one, or both sorts of letters within a word.
pub(super) fn is_made(value: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    strength(value) >= MADE_BITS && has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit)
}

/// Whether it is no secret although the name says so: there is nothing. Of what the service wrote, also a placeholder
/// (`$1`, `?`, `:token`, `%s`, `{token}`, `<token>`, `***`, `[FILTERED]`) and a message about the secret.
pub(super) fn is_visible(value: &[u8], author: Author) -> bool {
    let value = value.trim_ascii();
    let is_nothing = matches!(value, [] | b"null" | b"true" | b"false" | b"None" | b"nil" | b"undefined");
    is_nothing || (author == Author::Service && (is_placeholder(value) || is_message(value)))
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

/// Words of which messages about a secret have at least one, in small letters.
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
/// Of those, the ones that are a whole message, alone or joined with others: `required`, `too_short`.
#[rustfmt::skip]
const ALONE: [&str; 30] = [
    "accepted", "bad", "blank", "denied", "empty", "error", "expired", "failed", "forbidden", "incorrect",
    "invalid", "long", "malformed", "mismatch", "missing", "needed", "no", "not", "found", "provided",
    "refused", "rejected", "required", "revoked", "short", "too", "unknown", "unrecognized", "unsupported",
    "weak",
];

/// Whether a text is a message about a secret: plain words and small numbers, and among them one that such messages have.
/// What is quoted in it may be the secret.
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
    let mut is_said = false;
    for word in text.split(' ') {
        let word = word.trim_matches(['.', ',', ':', ';', '!', '?', '(', ')', '/']);
        is_said |= is_listed(&MESSAGE, word);
        if !is_plain(word) {
            return false;
        }
    }
    is_said
}

fn is_listed(list: &[&str], word: &str) -> bool {
    list.iter().any(|listed| listed.eq_ignore_ascii_case(word))
}

/// Whether it is a plain word, a small number, a time, or nothing.
fn is_plain(word: &str) -> bool {
    let bytes = word.as_bytes();
    if bytes.iter().any(u8::is_ascii_digit) {
        let is_number = bytes.len() <= 3 && bytes.iter().all(u8::is_ascii_digit);
        // RFC 3339, or a part of it.
        let is_time = bytes.iter().all(|b| b.is_ascii_digit() || b"-:.TZ+".contains(b))
            && (bytes.get(4) == Some(&b'-') || bytes.get(2) == Some(&b':'));
        return is_number || is_time;
    }
    // A word, or several joined; a capital letter only as the first one, but for abbreviations.
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
    fn plain_words_are_not_searched_for() {
        for secret in [
            "password",
            "Password1",
            "password123",
            "admin",
            "hunter22",
            "letmein!",
            "correcthorsebattery",
            "19900101",
            "123456",
            "aaaaaaaaaaaaaaaa",
            "1111111111111111",
            "s3cret",
            "",
        ] {
            assert!(!is_searchable(secret.as_bytes()), "{secret}: {}", strength(secret.as_bytes()));
        }
        for secret in [
            "correct horse battery staple",
            "ann-token",
            "canary-9",
            "3f9a2c71d0e4",
            "4111 1111 1111 1111",
            "123-45-6789",
            "Kanary01ZqXw",
            "019aa4c2-7d1e-7b3a-9c55-0123456789ab",
            "Tr0ub4dor&3",
            "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
        ] {
            assert!(is_searchable(secret.as_bytes()), "{secret}: {}", strength(secret.as_bytes()));
        }
    }

    #[test]
    fn messages_are_told_from_secrets() {
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
