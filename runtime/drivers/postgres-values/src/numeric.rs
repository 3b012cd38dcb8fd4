//! The binary form of `numeric`: groups of four decimal digits.

/// Maximum number of digits before the point in PostgreSQL.
const MAX_WHOLE_DIGITS: usize = 131_072;

/// Maximum number of digits after the point in PostgreSQL.
const MAX_SCALE: usize = 16_383;

/// Converts to decimal text without loss: `-12.50`, `NaN`, `Infinity`. Returns `None` if the bytes are malformed.
pub(crate) fn to_text(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, usize::from(word(3)?));
    match sign {
        0xc000 => return Some("NaN".to_owned()),
        0xd000 => return Some("Infinity".to_owned()),
        0xf000 => return Some("-Infinity".to_owned()),
        0 | 0x4000 => {}
        _ => return None,
    }
    let groups: Vec<u16> = (0..count.into()).map(|group| word(4 + group)).collect::<Option<_>>()?;
    // The first group has the factor 10,000 to the power of `weight`.
    let group = |power: i32| {
        let at = usize::try_from(i32::from(weight) - power).ok();
        at.and_then(|at| groups.get(at)).copied().unwrap_or_default()
    };
    let mut text = String::new();
    for power in (0..=i32::from(weight).max(0)).rev() {
        let digits = group(power);
        text.push_str(&if text.is_empty() { digits.to_string() } else { format!("{digits:04}") });
    }
    if scale > 0 {
        let groups_after_point = i32::try_from(scale.div_ceil(4)).ok()?;
        let fraction: String =
            (1..=groups_after_point).map(|power| format!("{:04}", group(-power))).collect();
        text.push('.');
        text.push_str(fraction.get(..scale)?);
    }
    Some(if sign == 0 { text } else { format!("-{text}") })
}

/// Converts decimal text to the binary form. Returns `None` for any other text, and for more digits than the type has.
pub(crate) fn from_text(text: &str) -> Option<Vec<u8>> {
    let special = |sign: u16| Some([0, 0, sign, 0].iter().flat_map(|word| word.to_be_bytes()).collect());
    match text {
        "NaN" => return special(0xc000),
        "Infinity" => return special(0xd000),
        "-Infinity" => return special(0xf000),
        _ => {}
    }
    let (digits, is_negative) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_decimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_decimal(whole) || !is_decimal(fraction) || digits.ends_with('.') {
        return None;
    }
    if whole.len() > MAX_WHOLE_DIGITS || fraction.len() > MAX_SCALE {
        return None;
    }
    // Groups of four digits to both sides of the point.
    let padding = (4 - whole.len() % 4) % 4;
    let mut padded = "0".repeat(padding) + whole;
    let whole_groups = padded.len() / 4;
    padded.push_str(fraction);
    padded.push_str(&"0".repeat((4 - fraction.len() % 4) % 4));
    let groups: Vec<u16> = padded
        .as_bytes()
        .chunks(4)
        .map(|group| str::from_utf8(group).ok()?.parse().ok())
        .collect::<Option<_>>()?;
    let leading = groups.iter().take_while(|group| **group == 0).count();
    let trailing = groups.iter().skip(leading).rev().take_while(|group| **group == 0).count();
    let kept = &groups[leading..groups.len() - trailing];
    let weight = if kept.is_empty() {
        0
    } else {
        i16::try_from(whole_groups).ok()? - 1 - i16::try_from(leading).ok()?
    };
    let sign = if is_negative && !kept.is_empty() { 0x4000 } else { 0 };
    let head =
        [u16::try_from(kept.len()).ok()?, weight.cast_unsigned(), sign, u16::try_from(fraction.len()).ok()?];
    Some(head.iter().chain(kept).flat_map(|word| word.to_be_bytes()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(words: &[u16]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    #[test]
    fn groups_of_digits_become_text() {
        let check = |words: &[u16], text: Option<&str>| assert_eq!(to_text(&bytes(words)).as_deref(), text);
        check(&[0, 0, 0, 0], Some("0"));
        check(&[0, 0, 0, 3], Some("0.000"));
        check(&[2, 0, 0x4000, 2, 12, 5000], Some("-12.50"));
        check(&[1, 1, 0, 0, 1], Some("10000"));
        check(&[1, 0xffff, 0, 4, 1], Some("0.0001"));
        check(&[1, 0xfffe, 0, 8, 1], Some("0.00000001"));
        check(&[3, 1, 0, 1, 1, 2, 3000], Some("10002.3"));
        check(&[0, 0, 0xc000, 0], Some("NaN"));
        check(&[1, 0, 0, 0], None);
        check(&[0, 0, 1, 0], None);
    }
    #[test]
    fn text_becomes_groups_of_digits() {
        for text in [
            "0",
            "0.000",
            "-12.50",
            "10000",
            "0.0001",
            "0.00000001",
            "10002.3",
            "NaN",
            "-Infinity",
            "99999999.9999",
            "100000000",
            "1234.56789",
        ] {
            let bytes = from_text(text).unwrap();
            assert_eq!(to_text(&bytes).as_deref(), Some(text));
        }
        assert_eq!(from_text("-12.50").unwrap(), bytes(&[2, 0, 0x4000, 2, 12, 5000]));
        assert_eq!(from_text("100000000").unwrap(), bytes(&[1, 2, 0, 0, 1]));
        assert_eq!(to_text(&from_text("-0.0").unwrap()).as_deref(), Some("0.0"));
        assert_eq!(to_text(&from_text("007").unwrap()).as_deref(), Some("7"));
        for text in ["", "-", ".5", "5.", "1e5", "+1", " 1", "1_000", "--1", "1.2.3"] {
            assert_eq!(from_text(text), None, "{text}");
        }
    }
}
