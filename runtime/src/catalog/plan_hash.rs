//! Plan hashes: they change if a flow is not the same flow any more.
//!
//! A hash covers the route; the names of the steps, in order, and which of them recovers; what each step reads and writes, and
//! what may be left unwritten; the paths and the shapes of the slots, and which are secret; and the parts of the request that
//! steps take, with their shapes. It covers neither the name of the flow, its owner, aliases, class, deadline and objectives,
//! nor the code of the steps, their documentation and their lines. It is the same on every machine.

use zerver_trace::{FlowInfo, InputInfo};

/// Number of bytes of a hash.
const LEN: usize = 8;

/// Returns the hash of a flow, in hexadecimal.
pub(super) fn plan_hash(info: &FlowInfo, inputs: &[InputInfo], slot_shapes: &[String]) -> String {
    let mut plan = Plan(blake3::Hasher::new());
    plan.text(&info.method);
    plan.text(&info.pattern);
    plan.number(info.slots.len());
    for (slot, shape) in info.slots.iter().zip(slot_shapes) {
        plan.text(&slot.path);
        plan.number(usize::from(slot.is_secret));
        plan.text(shape);
    }
    plan.number(info.steps.len());
    plan.number(info.recovery_step().map_or(0, |at| at + 1));
    for step in &info.steps {
        plan.text(&step.name);
        let reads: Vec<_> = step.reads.iter().map(|read| (read.slot, read.is_optional)).collect();
        let writes: Vec<_> = step.writes.iter().map(|write| (write.slot, write.is_optional)).collect();
        for list in [reads, writes] {
            plan.number(list.len());
            for (slot, is_optional) in list {
                plan.number(usize::from(slot));
                plan.number(usize::from(is_optional));
            }
        }
    }
    plan.number(inputs.len());
    for input in inputs {
        plan.number(usize::from(input.step));
        plan.text(&input.part);
        plan.text(&input.shape);
    }
    plan.0.finalize().as_bytes()[..LEN].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A plan that is being hashed. Lengths precede lists and texts, so that different plans are different bytes.
struct Plan(blake3::Hasher);

impl Plan {
    fn number(&mut self, number: usize) {
        self.0.update(&(number as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.update(text.as_bytes());
    }
}
