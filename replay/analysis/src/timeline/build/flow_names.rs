//! Names of a flow's steps and slots, also for indexes that the flow does not have.

use std::collections::BTreeMap;
use std::sync::Arc;

use zerver_trace::FlowInfo;

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
        let name = |slot: &'t zerver_trace::SlotInfo| -> &'t str {
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
        let step = Arc::new(match self.flow.steps.get(usize::from(index)) {
            Some(step) => Step {
                index,
                name: step.name.clone(),
                file: step.file.clone(),
                line: step.line,
                reads: step.reads.iter().map(|read| self.slot(read.slot)).collect(),
            },
            None => {
                let name = format!("step#{index}");
                Step { index, name, file: String::new(), line: 0, reads: Vec::new() }
            }
        });
        self.steps.insert(index, Arc::clone(&step));
        step
    }
}
