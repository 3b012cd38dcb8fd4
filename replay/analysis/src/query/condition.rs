//! Conditions: terms, and how they are combined.

use zerver_trace::{Query, SlotCondition};

use super::field::{Field, ValueType};
use super::lexer::Operator;
use super::value::{Parsed, Value};

/// A condition on a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    /// All of these hold. Without any, the condition admits every request.
    All(Vec<Self>),
    /// At least one of these holds.
    Any(Vec<Self>),
    Not(Box<Self>),
    Term(Term),
}

/// A condition on one field. It holds if one of the values fits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) field: Field,
    pub(super) operator: Operator,
    pub(super) values: Vec<Value>,
}

impl Term {
    /// Returns true if everything that this term fits fits `other`, a shorter one.
    fn implies(&self, other: &Self) -> bool {
        let is_text = self.field.value_type() == ValueType::Text;
        if self.field != other.field || !is_text || [self.operator, other.operator] != [Operator::Fits; 2] {
            return false;
        }
        match (self.values.as_slice(), other.values.as_slice()) {
            // Ids and builds are compared by their beginnings, and words perhaps letter by letter.
            ([long], [short]) => long.text.starts_with(&short.text),
            _ => false,
        }
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Condition {
    /// Combines conditions that must all hold.
    pub(super) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for part in parts {
            match part {
                Self::All(more) => all.extend(more),
                other => all.push(other),
            }
        }
        match <[Self; 1]>::try_from(all) {
            Ok([only]) => only,
            Err(all) => Self::All(all),
        }
    }

    /// Returns true if the condition has a term whose field satisfies `is`.
    pub(super) fn any_field(&self, is: &dyn Fn(&Field) -> bool) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.any_field(is)),
            Self::Not(part) => part.any_field(is),
            Self::Term(term) => is(&term.field),
        }
    }

    /// Returns whether the condition holds, or `None` if that depends on terms for which `holds` returns `None`
    /// (Kleene's logic).
    pub(super) fn holds(&self, holds: &dyn Fn(&Term) -> Option<bool>) -> Option<bool> {
        // The value that decides at once: false for `All`, true for `Any`.
        let decide = |parts: &[Self], decisive: bool| {
            let mut result = Some(!decisive);
            for part in parts {
                match part.holds(holds) {
                    Some(value) if value == decisive => return Some(decisive),
                    Some(_) => {}
                    None => result = None,
                }
            }
            result
        };
        match self {
            Self::All(parts) => decide(parts, false),
            Self::Any(parts) => decide(parts, true),
            Self::Not(part) => part.holds(holds).map(|value| !value),
            Self::Term(term) => holds(term),
        }
    }

    /// Returns the conditions that must all hold.
    fn parts(&self) -> &[Self] {
        match self {
            Self::All(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    pub(super) fn narrows(&self, other: &Self) -> bool {
        let implies = |part: &Self, wide: &Self| match (part, wide) {
            (Self::Term(term), Self::Term(wide)) => term == wide || term.implies(wide),
            _ => part == wide,
        };
        other.parts().iter().all(|wide| self.parts().iter().any(|part| implies(part, wide)))
    }

    pub(super) fn collect_words<'c>(&'c self, words: &mut Vec<&'c str>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect_words(words)),
            Self::Term(Term { field: Field::Word, values, .. }) => {
                words.extend(values.iter().map(|value| value.text.as_str()));
            }
            Self::Term(_) | Self::Not(_) => {}
        }
    }

    pub(super) fn necessary(&self) -> Query {
        let mut query = Query::default();
        for part in self.parts() {
            let Self::Term(Term { field, operator, values }) = part else { continue };
            if let (Field::Slot { name, path }, Operator::Equal) = (field, operator) {
                let values = values.iter().map(|value| value.text.clone()).collect();
                query.slots.push(SlotCondition { slot: name.clone(), path: path.clone(), values });
                continue;
            }
            let [value] = values.as_slice() else { continue };
            match (field, operator, value) {
                (Field::Flow, Operator::Equal, Value { text, .. }) => query.flow = Some(text.clone()),
                (Field::Since, _, Value { parsed: Parsed::Time(ns), .. }) => {
                    query.since_unix_ns = query.since_unix_ns.max(Some(*ns));
                }
                (Field::Until, _, Value { parsed: Parsed::Time(ns), .. }) => {
                    query.until_unix_ns = Some(query.until_unix_ns.map_or(*ns, |until| until.min(*ns)));
                }
                _ => {}
            }
        }
        query
    }
}
