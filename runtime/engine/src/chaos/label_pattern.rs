//! Patterns for the names of effects and their targets.

use std::borrow::Cow;

/// Text in which `..` or `…` stands for anything, so that a name may be shortened as commands shorten it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelPattern {
    text: String,
}

impl LabelPattern {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }

    /// Returns true if the pattern describes a name as the program gave it, or as commands display it.
    pub(super) fn matches(&self, name: &str) -> bool {
        if self.is_match(name) {
            return true;
        }
        match zerver_trace::text::clean(name) {
            Cow::Owned(displayed) => self.is_match(&displayed),
            Cow::Borrowed(_) => false,
        }
    }

    fn is_match(&self, name: &str) -> bool {
        // A name may contain the sign itself: `GET files.internal/a/../b`.
        if self.text == name {
            return true;
        }
        let mut parts = parts(&self.text);
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(mut part) = parts.next() else { return rest.is_empty() };
        for next in parts {
            // The first place is the best one, because it leaves the most for the parts that follow.
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
            part = next;
        }
        rest.ends_with(part)
    }
}

/// Returns the parts between the signs that stand for anything. There is always one more than there are signs.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split("..").flat_map(|part| part.split('…'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_may_leave_out_any_part() {
        let check = |pattern: &str, name: &str, expected: bool| {
            assert_eq!(LabelPattern::new(pattern).matches(name), expected, "{pattern:?} {name:?}");
        };
        check("get todo:1", "get todo:1", true);
        check("get todo:1", "get todo:12", false);
        check("get todo:..", "get todo:12", true);
        check("get tod…", "get todo:12", true);
        check("..", "", true);
        check("..", "anything", true);
        check("..todo..", "get todo:1", true);
        check("GET ../figures?..", "GET a.internal/figures?ms=1", true);
        check("GET ../figures?..", "GET a.internal/figures", false);
        check("GET ../a..", "GET a.internal/b", false);
        check("GET a..a", "GET a", false);
        check("..ab", "abab", true);
        check("a..b..c", "a-b-c", true);
        check("a..b..c", "a-c-b", false);
        check("GET a/../b", "GET a/../b", true);
        check("get a\\u{1b}[2Jb", "get a\u{1b}[2Jb", true);
        check("", "", true);
        check("", "a", false);
    }

    proptest::proptest! {
        #[test]
        fn a_shortened_name_matches_the_name(before in ".{0,12}", left_out in ".{0,12}", after in ".{0,12}") {
            let pattern = LabelPattern::new(&format!("{before}..{after}"));
            let name = format!("{}{left_out}{}", before.replace("..", ""), after.replace("..", ""));
            let is_plain = !before.contains(['.', '…']) && !after.contains(['.', '…']);
            proptest::prop_assert!(!is_plain || pattern.matches(&name));
        }
    }
}
