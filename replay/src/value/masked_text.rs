//! Comparison of texts in which masks stand for secrets.
//!
//! Equal secrets need not have equal masks, so a difference within a mask proves nothing. A text is treated this way
//! only if the recording says that it contains masks, and the only consequence is that something is not compared.

/// Start of a mask, before twelve digits of a hash and a closing bracket.
const MASK: &str = "<secret:";
const DIGITS: usize = 12;

/// Returns true if a text may contain a mask.
pub fn has_mask(text: &str) -> bool {
    literals(text).len() > 1
}

/// Returns true if two texts may be equal, given that a mask may stand for any text.
pub fn may_be_equal(a: &str, b: &str) -> bool {
    match (has_mask(a), has_mask(b)) {
        (false, false) => a == b,
        (true, false) => may_hide(a, b),
        (false, true) => may_hide(b, a),
        (true, true) => true,
    }
}

/// Returns true if the masked text may stand for `text`.
pub fn may_hide(masked: &str, text: &str) -> bool {
    let literals = literals(masked);
    let Some((first, after)) = literals.split_first() else { return false };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some((last, between)) = after.split_last() else { return rest.is_empty() };
    for literal in between {
        // A secret has at least one byte.
        let Some(from) = rest.chars().next().map(char::len_utf8) else { return false };
        match rest[from..].find(literal) {
            Some(at) => rest = &rest[from + at + literal.len()..],
            None => return false,
        }
    }
    rest.len() > last.len() && rest.ends_with(last)
}

/// Returns the text around masks, which is all of it if there are none.
fn literals(text: &str) -> Vec<&str> {
    let (mut literals, mut from, mut at) = (Vec::new(), 0, 0);
    while let Some(found) = text[at..].find(MASK) {
        let begins = at + found;
        at = begins + MASK.len();
        let digits = text.as_bytes().get(at..=at + DIGITS);
        let is_mask = digits.is_some_and(|digits| {
            digits[..DIGITS].iter().all(u8::is_ascii_hexdigit) && digits[DIGITS] == b'>'
        });
        if is_mask {
            literals.push(&text[from..begins]);
            at += DIGITS + 1;
            from = at;
        }
    }
    literals.push(&text[from..]);
    literals
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "<secret:3f9a2c71d0e4>";
    const TWO: &str = "<secret:0123456789ab>";

    #[test]
    fn a_mask_may_stand_for_any_text() {
        for (a, b, wanted) in [
            ("a", "a", true),
            ("a", "b", false),
            (&*format!("k={ONE}&x=1"), &*format!("k={TWO}&x=2"), true),
            (&format!("k={ONE}"), "k=abc", true),
            (&format!("k={ONE}"), "k=", false),
            (&format!("k={ONE}"), "j=abc", false),
            (&format!("{ONE} and {TWO}."), "one and two.", true),
            (&format!("{ONE} and {TWO}."), "one or two.", false),
            (&format!("{ONE}!"), "ü!", true),
            // Text that only starts like a mask.
            ("<secret:x>", "<secret:y>", false),
            (&format!("<secret:{ONE}"), "<secret:abc>", true),
            (&format!("<secret:{ONE}"), "<other:abc>", false),
        ] {
            assert_eq!(may_be_equal(a, b), wanted, "{a} {b}");
            assert_eq!(may_be_equal(b, a), wanted, "{b} {a}");
        }
    }

    /// If both texts are masked, nothing is known; if one is, the text around its masks must match.
    #[test]
    fn masks_on_both_sides_are_unknown() {
        assert!(may_hide(&format!("no {ONE} here"), &format!("no {TWO} here")));
        assert!(!may_hide(&format!("no {ONE} here"), &format!("no {TWO} there")));
    }
}
