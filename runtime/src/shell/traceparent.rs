//! `traceparent` (W3C Trace Context, section 3.2): read strictly, for it is passed on.

use http::HeaderName;

use super::headers::Values;

/// Made once: to look up by text is to make the name of it each time.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The value of the one valid `traceparent`, if there is one.
pub(super) fn parse<'r>(values: &Values<'r>) -> Option<&'r str> {
    let text = values.first?.to_str().ok()?;
    (!values.is_doubled && is_valid(text.as_bytes())).then_some(text)
}

fn is_valid(text: &[u8]) -> bool {
    let hex = |range: std::ops::Range<usize>| {
        text.get(range).is_some_and(|part| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    };
    let zero = |range: std::ops::Range<usize>| text[range].iter().all(|&b| b == b'0');
    let hyphens = [2, 35, 52].iter().all(|&at| text.get(at) == Some(&b'-'));
    // A later version may have more after another hyphen.
    let end =
        if text.starts_with(b"00") { text.len() == 55 } else { matches!(text.get(55), None | Some(b'-')) };
    hyphens
        && end
        && hex(0..2)
        && hex(3..35)
        && hex(36..52)
        && hex(53..55)
        && !text.starts_with(b"ff")
        && !zero(3..35)
        && !zero(36..52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_standard_allows_is_passed_on() {
        let check = |text: &str, valid: bool| assert_eq!(is_valid(text.as_bytes()), valid, "{text:?}");
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true);
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", true);
        check("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", false);
        check("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("00-00000000000000000000000000000000-b7ad6b7169203331-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", false);
        check("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0", false);
        check("00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", false);
        check("", false);
    }
}
