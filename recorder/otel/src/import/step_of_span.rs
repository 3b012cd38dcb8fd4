//! A span that zerver has exported as the run of a step.

use zerver_trace::{Decision, Event, Recorded, StepInfo};

use super::attribute_masks::cut;
use super::span_tree::SpanNode;

/// Run of a step, as the attributes of its span tell it.
pub(super) struct ExportedRun {
    pub(super) info: StepInfo,
    queue_ns: u64,
    cpu_ns: u64,
    decision: Decision,
}

impl ExportedRun {
    /// Returns the run if zerver has exported the span as one.
    pub(super) fn of(node: SpanNode<'_>) -> Option<Self> {
        let attributes = &node.span.attributes;
        let word = attributes.text(&["zerver.decision"]).filter(|_| node.is_own)?;
        let all = [
            Decision::Continue,
            Decision::Need,
            Decision::Yield,
            Decision::Done,
            Decision::Fail,
            Decision::Panic,
        ];
        let number = |name: &str| attributes.integer(&[name]).and_then(|number| u64::try_from(number).ok());
        let text = |name: &str| cut(attributes.text(&[name]).unwrap_or_default(), 200);
        Some(Self {
            info: StepInfo {
                name: text("code.function.name"),
                doc: String::new(),
                file: text("code.file.path"),
                line: number("code.line.number")
                    .and_then(|line| u32::try_from(line).ok())
                    .unwrap_or_default(),
                reads: Vec::new(),
                writes: Vec::new(),
            },
            queue_ns: number("zerver.queue_ns")?,
            cpu_ns: number("zerver.cpu_ns")?,
            decision: all.into_iter().find(|decision| decision.as_str() == word)?,
        })
    }

    pub(super) fn event(&self, step: u16, at_ns: u64) -> Event<Recorded> {
        let ready_ns = at_ns.saturating_sub(self.queue_ns);
        Event::StepRan { step, ready_ns, at_ns, cpu_ns: self.cpu_ns, decision: self.decision }
    }
}
