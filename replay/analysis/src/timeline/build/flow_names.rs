//! Names of a flow's steps and slots, also for indexes that the flow does not have.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use zerver_trace::{FlowInfo, SlotInfo};

use crate::timeline::rows::step::Step;

pub(crate) struct Names<'t> {
    flow: &'t FlowInfo,
    slots: Vec<&'t str>,
    steps: BTreeMap<u16, Arc<Step>>,
}

impl<'t> Names<'t> {
    pub(crate) fn new(flow: &'t FlowInfo) -> Self {
        let mut uses: BTreeMap<&str, u32> = BTreeMap::new();
        for slot in &flow.slots {
            *uses.entry(&slot.name).or_default() += 1;
        }
        // Paths distinguish types with the same name.
        let name = |slot: &'t SlotInfo| -> &'t str {
            if uses[slot.name.as_str()] > 1 { &slot.path } else { &slot.name }
        };
        Self { flow, slots: flow.slots.iter().map(name).collect(), steps: BTreeMap::new() }
    }

    pub(crate) fn slot(&self, slot: u16) -> String {
        self.slots.get(usize::from(slot)).map_or_else(|| format!("slot#{slot}"), |name| (*name).to_owned())
    }

    pub(crate) fn step(&mut self, index: u16) -> Arc<Step> {
        if let Some(step) = self.steps.get(&index) {
            return Arc::clone(step);
        }
        let name = step_name(self.flow, index).into_owned();
        let step = Arc::new(match self.flow.steps.get(usize::from(index)) {
            Some(step) => Step {
                index,
                name,
                file: step.file.clone(),
                line: step.line,
                reads: step.reads.iter().map(|read| self.slot(read.slot)).collect(),
            },
            None => Step { index, name, file: String::new(), line: 0, reads: Vec::new() },
        });
        self.steps.insert(index, Arc::clone(&step));
        step
    }
}

/// Returns the name of the step at a position of a flow.
pub(crate) fn step_name(flow: &FlowInfo, index: u16) -> Cow<'_, str> {
    match flow.steps.get(usize::from(index)) {
        Some(step) => Cow::Borrowed(&step.name),
        None => Cow::Owned(format!("step#{index}")),
    }
}

/// Returns the positions of the slots that [`Names::slot`] gives this name.
pub(crate) fn slots_named(flow: &FlowInfo, name: &str) -> impl Iterator<Item = u16> {
    let is_shared = move |name: &str| flow.slots.iter().filter(|slot| slot.name == name).count() > 1;
    let is_named = move |slot: &SlotInfo| match slot.name == name || slot.path == name {
        true if is_shared(&slot.name) => slot.path == name,
        true => slot.name == name,
        false => false,
    };
    let known = (0..).zip(&flow.slots).filter(move |(_, slot)| is_named(slot)).map(|(number, _)| number);
    let unknown = name.strip_prefix("slot#").and_then(|number| number.parse::<u16>().ok());
    known.chain(
        unknown.filter(|number| usize::from(*number) >= flow.slots.len() && name == format!("slot#{number}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_found_by_the_names_that_they_have() {
        let slot =
            |name: &str, path: &str| SlotInfo { name: name.into(), path: path.into(), ..SlotInfo::default() };
        let slots = vec![
            slot("Todo", "a::Todo"),
            slot("User", "a::User"),
            slot("Todo", "b::Todo"),
            slot("a::User", "c"),
        ];
        let flow = FlowInfo { slots, ..FlowInfo::default() };
        let names = Names::new(&flow);
        for name in [
            "Todo",
            "a::Todo",
            "b::Todo",
            "User",
            "a::User",
            "c",
            "slot#1",
            "slot#4",
            "slot#04",
            "slot#70000",
            "",
        ] {
            let expected: Vec<u16> = (0..6).filter(|number| names.slot(*number) == name).collect();
            assert_eq!(slots_named(&flow, name).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
