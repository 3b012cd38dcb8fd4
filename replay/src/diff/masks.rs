//! Texts in which masks stand for secrets, where equal secrets need not have equal masks. Only where the recording says
//! that there are masks is a text looked at in this way, and all that comes of it is that something is not compared.

/// How a mask begins.
const MASK: &str = "<secret:";

/// Whether a text may have a mask in it.
pub(super) fn has_mask(text: &str) -> bool {
    text.contains(MASK)
}

/// Whether two texts may be equal, if a mask in either may stand for any text.
pub(super) fn may_be_equal(a: &str, b: &str) -> bool {
    match (has_mask(a), has_mask(b)) {
        (false, false) => a == b,
        (true, false) => may_hide(a, b),
        (false, true) => may_hide(b, a),
        (true, true) => true,
    }
}

/// Whether a masked text may be this one.
fn may_hide(masked: &str, text: &str) -> bool {
    let mut literals = masked.split(MASK);
    let Some(mut rest) = literals.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut literals = literals.map(|part| part.split_once('>').map_or("", |(_, after)| after)).peekable();
    while let Some(literal) = literals.next() {
        // A secret has at least one byte.
        let mut after = rest.char_indices().skip(1).map(|(at, _)| at).chain([rest.len()]);
        let found = match literals.peek() {
            None => rest.len() > literal.len() && rest.ends_with(literal),
            Some(_) => match after.find(|at| rest[*at..].starts_with(literal)) {
                Some(at) => {
                    rest = &rest[at + literal.len()..];
                    true
                }
                None => false,
            },
        };
        if !found {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_may_be_any_text_and_the_rest_is_what_it_is() {
        for (a, b, wanted) in [
            ("a", "a", true),
            ("a", "b", false),
            ("k=<secret:1>&x=1", "k=<secret:2>&x=2", true),
            ("k=<secret:1>", "k=abc", true),
            ("k=<secret:1>", "k=", false),
            ("k=<secret:1>", "j=abc", false),
            ("<secret:1> and <secret:2>.", "one and two.", true),
            ("<secret:1> and <secret:2>.", "one or two.", false),
            ("<secret:1>!", "ü!", true),
        ] {
            assert_eq!(may_be_equal(a, b), wanted, "{a} {b}");
            assert_eq!(may_be_equal(b, a), wanted, "{b} {a}");
        }
    }
}
