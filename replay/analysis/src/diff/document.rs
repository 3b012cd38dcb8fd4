//! The JSON form of a diff, printed by `zerver diff --json`. Its fields are documented and stable; more may be added.

use serde::Serialize;
use zerver_replay::RecordedJson;

use crate::Step;
use crate::diff::causes::Cause;
use crate::diff::comparison::{Diff, DiffSide};
use crate::diff::difference::Difference;
use crate::diff::plan_changes::PlanChange;
use crate::queue_holders::QueueHolders;

/// A diff as a JSON document. Times are in nanoseconds; a difference in time is positive if `b` took longer. Values
/// follow [`RecordedJson`]; `null` stands for no value.
#[derive(Debug, Clone, Serialize)]
pub struct DiffJson {
    verdict: &'static str,
    a: SideJson,
    b: SideJson,
    delta_ns: i128,
    causes: Vec<CauseJson>,
    first_difference: Option<DifferenceJson>,
    differences: Vec<DifferenceJson>,
    /// Omitted if no plan changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plan_changes: Vec<PlanChangeJson>,
    slots: Vec<DifferenceJson>,
    unlisted_differences: usize,
    ignored_headers: Vec<String>,
    not_compared: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct SideJson {
    id: String,
    flow: String,
    build: String,
    duration_ns: u64,
    missing: Vec<String>,
    status: u16,
    succeeded: bool,
    /// Holders of its threads while it was queued; omitted if it hardly was, or if no other requests were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueHolders>,
}

#[derive(Debug, Clone, Serialize)]
struct CauseJson {
    step: Option<String>,
    kind: &'static str,
    delta_ns: i128,
    label: String,
    a_ns: u64,
    b_ns: u64,
}

#[derive(Debug, Clone, Serialize)]
struct DifferenceJson {
    step: Option<String>,
    kind: &'static str,
    effect: Option<String>,
    path: String,
    a: Option<RecordedJson>,
    b: Option<RecordedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_differing_byte: Option<u64>,
    source: Option<SourceJson>,
}

#[derive(Debug, Clone, Serialize)]
struct PlanChangeJson {
    step: String,
    effect: String,
    a: String,
    b: String,
}

#[derive(Debug, Clone, Serialize)]
struct SourceJson {
    file: String,
    line: u32,
}

impl DiffJson {
    /// Creates the document of a diff.
    pub fn new(diff: &Diff) -> Self {
        Self {
            verdict: diff.sameness().as_str(),
            a: side(&diff.a),
            b: side(&diff.b),
            delta_ns: diff.delta_ns(),
            causes: diff.causes.iter().map(cause).collect(),
            first_difference: diff.first().map(difference),
            differences: diff.differences.iter().map(difference).collect(),
            plan_changes: diff.plan_changes.iter().map(plan_change).collect(),
            slots: diff.slots.iter().map(difference).collect(),
            unlisted_differences: diff.unlisted,
            ignored_headers: diff.ignored.clone(),
            not_compared: diff.not_compared.iter().map(ToString::to_string).collect(),
        }
    }

    /// Adds what the two requests waited behind in run queues.
    #[must_use]
    pub fn with_queues(mut self, [a, b]: [Option<QueueHolders>; 2]) -> Self {
        (self.a.queue, self.b.queue) = (a, b);
        self
    }
}

fn side(side: &DiffSide) -> SideJson {
    SideJson {
        id: side.id.to_string(),
        flow: side.flow.clone(),
        build: side.build.clone(),
        duration_ns: side.timeline.totals.total_ns,
        missing: side.timeline.gaps.iter().map(ToString::to_string).collect(),
        status: side.status,
        succeeded: side.has_succeeded,
        queue: None,
    }
}

fn cause(cause: &Cause) -> CauseJson {
    CauseJson {
        step: cause.step.clone(),
        kind: cause.kind.as_str(),
        delta_ns: cause.delta_ns(),
        label: cause.label.clone(),
        a_ns: cause.a_ns,
        b_ns: cause.b_ns,
    }
}

fn plan_change(change: &PlanChange) -> PlanChangeJson {
    let PlanChange { step, effect, a, b } = change.clone();
    PlanChangeJson { step, effect, a, b }
}

fn difference(difference: &Difference) -> DifferenceJson {
    let source = |step: &Step| SourceJson { file: step.file.clone(), line: step.line };
    DifferenceJson {
        step: difference.step.as_ref().map(|step| step.name.clone()),
        kind: difference.kind.as_str(),
        effect: difference.effect.clone(),
        path: difference.path.clone(),
        a: difference.a.clone(),
        b: difference.b.clone(),
        first_differing_byte: difference.first_differing_byte,
        source: difference.step.as_deref().filter(|step| step.line > 0).map(source),
    }
}
