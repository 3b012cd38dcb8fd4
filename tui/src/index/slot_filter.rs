//! Filter on the value of a slot, which needs the whole trace.

use zerver_trace::{Node, Trace};

/// Condition on a slot, or on a part of one: `slot.Claims.sub=user-1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotFilter {
    slot: String,
    path: Vec<String>,
    value: String,
    is_not: bool,
}

impl SlotFilter {
    pub(super) fn parse(text: &str, is_not: bool) -> Result<Self, String> {
        let wrong = || "expected slot.NAME.FIELD=VALUE".to_owned();
        let (position, value) = text.split_once('=').ok_or_else(wrong)?;
        let mut parts = position.split('.').map(str::to_owned);
        let slot = parts.next().filter(|slot| !slot.is_empty()).ok_or_else(wrong)?;
        Ok(Self { slot, path: parts.collect(), value: value.to_owned(), is_not })
    }

    /// Returns true if the trace meets the condition. Secrets never match, so that they cannot be guessed.
    pub(crate) fn matches(&self, trace: &Trace) -> bool {
        let slots = zerver_analysis::Timeline::of(trace).slots;
        let found = slots.iter().filter(|slot| slot.name == self.slot && !slot.is_masked());
        let mut values = found.filter_map(|slot| slot.value.value());
        values.any(|value| self.is_at(&value.root())) != self.is_not
    }

    fn is_at(&self, root: &Node<'_>) -> bool {
        let mut node = root;
        for part in &self.path {
            let next = match (node, part.parse::<usize>()) {
                (Node::Seq(items), Ok(at)) => items.get(at),
                _ => node.field(part),
            };
            let Some(next) = next else { return false };
            node = next;
        }
        match node.as_str() {
            Some(text) => text == self.value,
            None => node.to_string() == self.value,
        }
    }
}
