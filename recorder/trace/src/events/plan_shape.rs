//! The plan with which a database performed a call, as the name of a point within the call.

use std::fmt::Write as _;

/// Maximum length of the text, in characters.
const MAX_CHARS: usize = 160;

/// Form of a plan: its operations, without numbers and values. An interpreter reports it as a point
/// ([`Event::EffectPoint`](super::Event::EffectPoint)) whose name is `plan`, a hash and the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanShape<'n> {
    /// Hash of the whole form, in hexadecimal digits.
    pub hash: &'n str,
    /// Form, shortened: `Nested Loop(Seq Scan on a, Index Scan using b_pkey on b)`.
    pub text: &'n str,
}

impl<'n> PlanShape<'n> {
    /// Returns the name of the point for a form and its hash.
    pub fn point(hash: u64, shape: &str) -> String {
        let mut name = format!("plan {hash:016x} ");
        let end = shape.char_indices().nth(MAX_CHARS).map(|(end, _)| end);
        let _ = match end {
            Some(end) => write!(name, "{}..", &shape[..end]),
            None => write!(name, "{shape}"),
        };
        name
    }

    /// Reads the name of a point, or returns `None` if it is not a plan.
    pub fn parse(point: &'n str) -> Option<Self> {
        let (hash, text) = point.strip_prefix("plan ")?.split_once(' ')?;
        (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(Self { hash, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_from_the_name_of_its_point() {
        let short = PlanShape::point(7, "Seq Scan on t");
        let read = PlanShape::parse(&short).unwrap();
        assert_eq!((read.text, read.hash), ("Seq Scan on t", "0000000000000007"));
        let long = PlanShape::point(u64::MAX, &"\u{e4}".repeat(200));
        assert_eq!(PlanShape::parse(&long).unwrap().text.chars().count(), MAX_CHARS + 2);
        for other in ["connected", "plan", "plan x", "plan 1 x", "plan gggggggggggggggg x"] {
            assert_eq!(PlanShape::parse(other), None, "{other}");
        }
    }
}
