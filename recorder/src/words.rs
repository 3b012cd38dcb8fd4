//! Names that announce a secret, and the search for them in text: `"password": ..`, `token=..`, `Authorization: ..`.

use std::borrow::Cow;

/// How the names of secrets begin. A text without any of these is passed over at once.
const STEMS: [&str; 18] = [
    "auth",
    "cookie",
    "token",
    "passw",
    "passp",
    "pwd",
    "secret",
    "api",
    "credential",
    "private",
    "signature",
    "sess",
    "jwt",
    "otp",
    "cvv",
    "cvc",
    "ssn",
    "card",
];

/// A set of runs of three bytes, which says yes to others now and then.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Triples([u64; 16]);

impl Triples {
    pub(crate) const fn insert(&mut self, [a, b, c]: [u8; 3]) {
        let hash = Self::hash((a as u32) << 16 | (b as u32) << 8 | c as u32);
        self.0[hash >> 6] |= 1 << (hash & 63);
    }

    /// All that are in some bytes.
    pub(crate) fn insert_all(&mut self, bytes: &[u8]) {
        bytes.windows(3).for_each(|three| self.insert([three[0], three[1], three[2]]));
    }

    /// Whether the bytes of which these are the triples may have `run` in them, by how it begins.
    pub(crate) fn may_have(&self, run: &[u8]) -> bool {
        run.windows(3).take(6).all(|three| self.has([three[0], three[1], three[2]]))
    }

    const fn hash(three: u32) -> usize {
        (three.wrapping_mul(0x9e37_79b1) >> 22) as usize
    }

    /// Whether this may be one of them.
    fn has(&self, [a, b, c]: [u8; 3]) -> bool {
        let hash = Self::hash(u32::from(a) << 16 | u32::from(b) << 8 | u32::from(c));
        self.0[hash >> 6] >> (hash & 63) & 1 == 1
    }

    /// Where in some bytes one of them may begin.
    #[inline]
    pub(crate) fn positions(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        let mut three = 0;
        bytes.iter().enumerate().filter_map(move |(at, &byte)| {
            three = (three << 8 | u32::from(byte)) & 0xff_ffff;
            let hash = Self::hash(three);
            (self.0[hash >> 6] >> (hash & 63) & 1 == 1 && at >= 2).then(|| at - 2)
        })
    }
}

/// How the stems begin, with the bit set that small letters have and capital ones have not.
static BEGINNINGS: Triples = {
    let mut triples = Triples([0; 16]);
    let mut n = 0;
    while n < STEMS.len() {
        let stem = STEMS[n].as_bytes();
        triples.insert([stem[0] | 32, stem[1] | 32, stem[2] | 32]);
        n += 1;
    }
    triples
};

/// The first and the second letter of each stem, and its second and third: of each pair of letters, whether it is one of
/// those. Of a letter, only five bits count, which are the same for small and capital ones.
static PAIRS: [u64; 16] = {
    let mut pairs = [0; 16];
    let mut n = 0;
    while n < STEMS.len() {
        let stem = STEMS[n].as_bytes();
        let (first, second) = (pair(stem[0], stem[1]), pair(stem[1], stem[2]));
        pairs[first >> 6] |= 1 << (first & 63);
        pairs[second >> 6] |= 1 << (second & 63);
        n += 1;
    }
    pairs
};

const fn pair(a: u8, b: u8) -> usize {
    (a as usize & 31) << 5 | b as usize & 31
}

/// Whether a field, header or parameter of this name holds a secret.
pub(crate) fn is_sensitive(name: &str) -> bool {
    const EXACT: [&str; 24] = [
        "authorization",
        "proxyauthorization",
        "auth",
        "cookie",
        "setcookie",
        "cookies",
        "apikey",
        "xapikey",
        "jwt",
        "otp",
        "totp",
        "pwd",
        "passwd",
        "passphrase",
        "signature",
        "sessionid",
        "session",
        "sessionkey",
        "cvv",
        "cvc",
        "ssn",
        "cardnumber",
        "privatekey",
        "authkey",
    ];
    const ENDS: [&str; 9] = [
        "token",
        "password",
        "secret",
        "apikey",
        "signature",
        "credential",
        "credentials",
        "secretkey",
        "privatekey",
    ];
    const PAGES: [&str; 4] = ["pagetoken", "nexttoken", "continuationtoken", "synctoken"];
    if name.len() > 64 || next_stem(name.as_bytes(), 0).is_none() {
        return false;
    }
    let plain: String =
        name.bytes().filter(u8::is_ascii_alphanumeric).map(|b| char::from(b.to_ascii_lowercase())).collect();
    EXACT.contains(&plain.as_str())
        || (ENDS.iter().any(|end| plain.ends_with(end)) && !PAGES.iter().any(|end| plain.ends_with(end)))
}

/// Whether what has this name is written as in a header: a word before the secret, or several in one text.
pub(crate) fn is_header(name: &str) -> bool {
    let has = |word: &str| {
        name.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
    };
    has("authorization") || has("cookie")
}

/// The same for a parameter of a URL, where short names are common.
pub(crate) fn is_sensitive_parameter(name: &str) -> bool {
    is_sensitive(name) || ["key", "sig", "pass", "code"].iter().any(|word| name.eq_ignore_ascii_case(word))
}

/// Whether anything in some bytes may be the name of a secret. Quick, and wrong only by saying yes.
pub(crate) fn may_name_a_secret(bytes: &[u8]) -> bool {
    next_stem(bytes, 0).is_some()
}

/// The same for the tokens of a value, where a mere text must also have what stands between a name and a secret.
pub(crate) fn may_announce(tokens: &[u8]) -> bool {
    const TEXT: u8 = 12;
    const BYTES: u8 = 13;
    let mere_text = matches!(tokens.first(), Some(&(TEXT | BYTES)));
    (!mere_text || memchr::memchr2(b'=', b':', tokens).is_some()) && may_name_a_secret(tokens)
}

fn next_stem(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let mut at = 0;
    // Every stem has one of its pairs where this looks, whether it begins at an even place or at an odd one.
    while at + 1 < rest.len() {
        let pair = pair(rest[at], rest[at + 1]);
        if PAIRS[pair >> 6] >> (pair & 63) & 1 == 1 {
            let found = (at.saturating_sub(1)..=at).find(|&at| begins_with_stem(&rest[at..]));
            if let Some(at) = found {
                return Some(from + at);
            }
        }
        at += 2;
    }
    None
}

fn begins_with_stem(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|three: &[u8; 3]| BEGINNINGS.has(three.map(|byte| byte | 32)))
        && STEMS.iter().any(|stem| {
            bytes.get(..stem.len()).is_some_and(|word| word.eq_ignore_ascii_case(stem.as_bytes()))
        })
}

/// Calls `found` with each secret that a name in the text announces.
pub(crate) fn secrets_in(text: &[u8], found: &mut dyn FnMut(&[u8])) {
    let mut from = 0;
    while let Some(at) = next_stem(text, from) {
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let start = at - text[..at].iter().rev().take(64).take_while(|b| is_name(b)).count();
        let end = at + text[at..].iter().take(64).take_while(|b| is_name(b)).count();
        from = end.max(at + 1);
        let name = std::str::from_utf8(&text[start..end]).unwrap_or_default();
        if is_sensitive(name) {
            from = from.max(end + announced(&text[end..], found));
        }
    }
}

/// What follows a name; how far it goes.
fn announced(after: &[u8], found: &mut dyn FnMut(&[u8])) -> usize {
    let mut at = 0;
    // The quote that ends the name, itself escaped where JSON stands within JSON.
    let skip = |at: &mut usize, wanted: &[u8]| {
        while after.get(*at).is_some_and(|b| wanted.contains(b)) {
            *at += 1;
        }
    };
    skip(&mut at, b"\\");
    let quoted = matches!(after.get(at), Some(b'"' | b'\''));
    skip(&mut at, b"\"'");
    skip(&mut at, b" \t\r\n");
    match after.get(at) {
        Some(b':') if quoted => {
            at += 1;
            skip(&mut at, b" \t\r\n");
            at + json_value(&after[at..], found)
        }
        Some(b'=') => {
            at += 1;
            skip(&mut at, b"\"' ");
            let len = run(&after[at..], b"&;# \t\r\n\"'<>,");
            found(&after[at..at + len]);
            at + len
        }
        Some(b':') => {
            at += 1;
            skip(&mut at, b" \t");
            let len = run(&after[at..], b"\r\n\"");
            for part in after[at..at + len].split(|b| b" ;,".contains(b)) {
                found(part);
            }
            at + len
        }
        _ => at,
    }
}

fn run(bytes: &[u8], ends: &[u8]) -> usize {
    bytes.iter().position(|b| ends.contains(b)).unwrap_or(bytes.len())
}

/// A JSON value that may be cut off: every text in it, or the number.
fn json_value(bytes: &[u8], found: &mut dyn FnMut(&[u8])) -> usize {
    let (mut at, mut depth) = (0, 0usize);
    loop {
        match bytes.get(at) {
            None => return at,
            Some(b'{' | b'[') => depth += 1,
            Some(b'}' | b']') => depth = depth.saturating_sub(1),
            Some(b'"') => at += 1 + json_text(&bytes[at + 1..], found),
            // JSON within JSON: the quote is escaped, and so is the one that ends the text.
            Some(b'\\') if bytes.get(at + 1) == Some(&b'"') => {
                let len = memchr::memmem::find(&bytes[at + 2..], b"\\\"").unwrap_or(bytes.len() - at - 2);
                found(&bytes[at + 2..at + 2 + len]);
                at += len + 3;
            }
            Some(b'0'..=b'9' | b'-') => {
                let len = run(&bytes[at..], b",}] \t\r\n");
                found(&bytes[at..at + len]);
                at += len.saturating_sub(1);
            }
            Some(b',') if depth == 0 => return at,
            Some(_) => {}
        }
        at += 1;
        if depth == 0 && !bytes.get(at).is_some_and(u8::is_ascii_alphanumeric) {
            return at;
        }
    }
}

/// The text up to its closing quote; its length with that quote not counted.
fn json_text(bytes: &[u8], found: &mut dyn FnMut(&[u8])) -> usize {
    let mut len = 0;
    while len < bytes.len() && bytes[len] != b'"' {
        len += if bytes[len] == b'\\' { 2 } else { 1 };
    }
    let len = len.min(bytes.len());
    let raw = &bytes[..len];
    found(raw);
    if raw.contains(&b'\\') {
        found(&json_unescaped(raw));
    }
    len
}

fn json_unescaped(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&b) = rest.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match rest.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b't') => out.push(b'\t'),
            Some(b'r') => out.push(b'\r'),
            Some(b'u') => {
                let digits: Vec<u8> = rest.by_ref().take(4).copied().collect();
                let code =
                    std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
                let letter = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(&other) => out.push(other),
            None => {}
        }
    }
    out
}

/// The parameters of a query or a form, as they stand there.
pub(crate) fn parameters(query: &[u8]) -> impl Iterator<Item = (Cow<'_, [u8]>, &[u8])> {
    query.split(|&b| b == b'&').filter_map(|pair| {
        let equals = memchr::memchr(b'=', pair)?;
        Some((percent_decoded(&pair[..equals]), &pair[equals + 1..]))
    })
}

pub(crate) fn percent_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|b| matches!(b, b'%' | b'+')) {
        return Cow::Borrowed(raw);
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&b) = raw.get(at) {
        let hex = |at: usize| raw.get(at).and_then(|&b| char::from(b).to_digit(16));
        at += 1;
        out.push(match (b, hex(at), hex(at + 1)) {
            (b'%', Some(high), Some(low)) => {
                at += 2;
                (high << 4 | low) as u8
            }
            (b'+', ..) => b' ',
            _ => b,
        });
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[&str]) {
        let mut found = Vec::new();
        secrets_in(text.as_bytes(), &mut |secret| found.push(String::from_utf8_lossy(secret).into_owned()));
        assert_eq!(found, wanted, "{text}");
        assert!(wanted.is_empty() || may_name_a_secret(text.as_bytes()));
    }

    #[test]
    fn named_secrets_are_found() {
        check(r#"{"user":"ann","password":"hunter22"}"#, &["hunter22"]);
        check(r#"{"accessToken" : "abc\"def", "n":1}"#, &["abc\\\"def", "abc\"def"]);
        check(
            r#"{"refresh_token":{"value":["one","two"],"n":77},"x":"y"}"#,
            &["value", "one", "two", "n", "77"],
        );
        check(r#"{"api_key":12345678,"x":"y"}"#, &["12345678"]);
        check(r#"{"password":"cut of"#, &["cut of"]);
        check(r#"{\"password\":\"inner\",\"x\":1}"#, &["inner"]);
        check("user=ann&password=hunter%2F22&next=1", &["hunter%2F22"]);
        check("https://example.com/a?access_token=abc#part", &["abc"]);
        check("Authorization: Bearer abcdef\r\nhost: x", &["Bearer", "abcdef"]);
        check("client_secret='abc'", &["abc"]);
        check(r#"{"author":"ann","tokens":3,"nextPageToken":"p2","token_count":1}"#, &[]);
        check("plain text, nothing to see", &[]);
        check(r#"{"password":null,"token":""}"#, &[""]);
    }

    #[test]
    fn names_are_told_apart() {
        for name in
            ["Authorization", "X-Api-Key", "set-cookie", "csrf_token", "clientSecret", "user.password"]
        {
            assert!(is_sensitive(name), "{name}");
        }
        for name in ["author", "key", "accept", "page_token", "tokens", "passenger", "keyboard"] {
            assert!(!is_sensitive(name), "{name}");
        }
        assert!(is_sensitive_parameter("key"));
    }

    #[test]
    fn stems_are_found_wherever_they_stand() {
        for stem in STEMS {
            for stem in [stem.to_owned(), stem.to_uppercase()] {
                for before in 0..5 {
                    let text = format!("{}{stem}{}", "x".repeat(before), "y".repeat(before / 2));
                    assert_eq!(next_stem(text.as_bytes(), 0), Some(before), "{text}");
                    assert_eq!(next_stem(text.as_bytes(), before), Some(before), "{text}");
                    assert_eq!(next_stem(text.as_bytes(), before + 1), None, "{text}");
                }
            }
            assert_eq!(next_stem(&stem.as_bytes()[..stem.len() - 1], 0), None, "{stem}");
        }
        assert_eq!(next_stem(b"a cookie with a token", 0), Some(2));
    }

    #[test]
    fn odd_texts_end() {
        for text in [
            &b"password"[..],
            b"password=",
            b"\"password\":",
            b"\"password\":\"\\",
            b"\"token\":[[[",
            b"%",
            b"token\\",
        ] {
            secrets_in(text, &mut |_| {});
            let _ = percent_decoded(text);
        }
        assert_eq!(*percent_decoded(b"a%2Fb+c%zz%2"), *b"a/b c%zz%2");
    }
}
