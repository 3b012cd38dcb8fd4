//! The binary form of `numeric`: groups of four decimal digits.

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
}
