//! Decoding of texts nested in other texts: percent encoding, JSON escapes and base64.

use std::borrow::Cow;

/// Decodes a part of a query or form (`application/x-www-form-urlencoded`). Invalid escapes are kept.
pub fn percent_decoded(raw: &[u8]) -> Cow<'_, [u8]> {
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

/// Decodes the escapes in the content of a JSON string.
pub fn json_unescaped(raw: &[u8]) -> Vec<u8> {
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
                let code = str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
                let letter = code.and_then(char::from_u32).unwrap_or('\u{fffd}');
                out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Some(&other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Decodes base64 in either alphabet, with or without padding. Returns `None` for other texts.
pub fn base64_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut have) = (Vec::new(), 0u32, 0);
    for &b in text.trim_ascii().iter().filter(|&&b| b != b'=') {
        let six = match b {
            b'A'..=b'Z' => b - b'A',
            b'a'..=b'z' => b - b'a' + 26,
            b'0'..=b'9' => b - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        have += 6;
        if have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_invalid_ones_are_kept() {
        assert_eq!(*percent_decoded(b"a%2Fb+c%zz%2"), *b"a/b c%zz%2");
        assert_eq!(json_unescaped(br#"a\"b\\c\u00e4\n\"#), "a\"b\\c\u{e4}\n".as_bytes());
        assert_eq!(base64_decoded(b"dXNlcjpwYXNz"), Some(b"user:pass".to_vec()));
        assert_eq!(base64_decoded(b"not base64"), None);
    }
}
