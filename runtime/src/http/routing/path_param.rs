//! Percent-decoding of path parameters. It happens after routing, so that an encoded slash cannot change the route.

/// Returns the decoded text. `None` if a `%` is not followed by two hexadecimal digits, or if the text is not UTF-8 or
/// contains a NUL.
pub(super) fn decode(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (&[high, low], after) = rest.split_first_chunk()?;
        decoded.push(hex(high)? << 4 | hex(low)?);
        rest = after;
    }
    if decoded.contains(&0) {
        return None;
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn a_parameter_that_is_not_text_is_rejected() {
        let check = |raw: &str, decoded: Option<&str>| assert_eq!(decode(raw).as_deref(), decoded, "{raw}");
        check("plain", Some("plain"));
        check("a%20b%2Fc", Some("a b/c"));
        check("..%2f..", Some("../.."));
        check("%C3%BC", Some("ü"));
        check("%252F", Some("%2F"));
        for raw in ["%", "%2", "%zz", "%+1", "%00", "a%00b", "%ff", "%C3", "%c0%af"] {
            check(raw, None);
        }
    }
}
