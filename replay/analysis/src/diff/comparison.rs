//! Compares two traces.

use zerver_replay::Sameness;
use zerver_trace::{RequestId, Trace};

use crate::diff::causes::Cause;
use crate::diff::compare::differences::{Differences, Subject, text};
use crate::diff::compare::slot_writes::{PlacedWrite, writes};
use crate::diff::compare::{http_message, run_differences};
use crate::diff::difference::{Difference, DifferenceKind, NotCompared};
use crate::diff::ignored_headers::IgnoredHeaders;
use crate::diff::pairing::RunPair;
use crate::diff::plan_changes::{PlanChange, plan_changes};
use crate::diff::{causes, pairing};
use crate::time_attribution::attribute_time;
use crate::{Gap, Timeline};

/// Two requests side by side, `a` and `b`. A difference in time is positive if `b` took longer.
#[derive(Debug, Clone)]
pub struct Diff {
    /// First request.
    pub a: DiffSide,
    /// Second request.
    pub b: DiffSide,
    /// Causes of the difference in time, the largest first. They add up to [`Diff::delta_ns`].
    pub causes: Vec<Cause>,
    /// Paired runs and effects.
    pub run_pairs: Vec<RunPair>,
    /// Differences, the most upstream first: the request, each run with its effects and writes, the response.
    pub differences: Vec<Difference>,
    /// Effects that a database performed with another plan.
    pub plan_changes: Vec<PlanChange>,
    /// Slots whose last values differ.
    pub slots: Vec<Difference>,
    /// Number of places in values that differ beyond those listed.
    pub unlisted: usize,
    /// Headers that differ and were not compared.
    pub ignored: Vec<String>,
    /// Values that could not be compared, because they were not recorded or only a hash is known.
    pub not_compared: Vec<NotCompared>,
}

/// Side of the comparison: one of the two requests.
#[derive(Debug, Clone)]
pub struct DiffSide {
    /// Id.
    pub id: RequestId,
    /// Name of the flow.
    pub flow: String,
    /// Build that ran the request.
    pub build: String,
    /// Timeline.
    pub timeline: Timeline,
    /// Status code; 0 without a response.
    pub status: u16,
    /// True if a step answered with a status of 2xx or 3xx.
    pub has_succeeded: bool,
}

impl Diff {
    /// Compares any two traces. Data that they lack is listed in [`Timeline::gaps`].
    pub fn of(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> Self {
        diff(a, b, ignored)
    }

    /// Returns how much longer the second request took, in nanoseconds.
    pub fn delta_ns(&self) -> i128 {
        i128::from(self.b.timeline.totals.total_ns) - i128::from(self.a.timeline.totals.total_ns)
    }

    /// Returns whether both had the same request, decisions, values and response, as far as is known. Time does not
    /// matter.
    pub fn sameness(&self) -> Sameness {
        let differs = self.differences.iter().any(|difference| !difference.kind.is_time());
        Sameness::of(differs || self.unlisted > 0, self.not_compared.is_empty())
    }

    /// Returns true if everything was compared and nothing but time differs.
    pub fn is_same(&self) -> bool {
        self.sameness() == Sameness::Same
    }

    /// Returns the most upstream difference, from which the others may follow. A length follows from its content, so it
    /// comes first only if nothing else differs.
    pub fn first(&self) -> Option<&Difference> {
        let is_length = |difference: &Difference| {
            let path = difference.path.trim_end_matches(".value");
            path.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case("content-length"))
        };
        self.differences.iter().find(|difference| !is_length(difference)).or(self.differences.first())
    }

    /// Returns true if both requests belong to the same flow.
    pub fn is_one_flow(&self) -> bool {
        self.a.flow == self.b.flow
    }

    /// Returns the largest cause that works in the direction of the difference, and its share of all such causes, in
    /// percent.
    pub fn leading(&self) -> Option<(&Cause, u8)> {
        let delta_ns = self.delta_ns();
        let same_way = |cause: &&Cause| cause.delta_ns().signum() == delta_ns.signum();
        let cause = self.causes.iter().find(same_way)?;
        let all: u128 =
            self.causes.iter().filter(same_way).map(|cause| cause.delta_ns().unsigned_abs()).sum();
        let part = cause.delta_ns().unsigned_abs();
        Some((cause, ((part * 100 + all / 2) / all.max(1)).min(100) as u8))
    }
}

fn diff(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> Diff {
    let (of_a, of_b) = (Timeline::of(a), Timeline::of(b));
    let (shares_a, shares_b) = (attribute_time(&of_a), attribute_time(&of_b));
    let rows = pairing::rows(&of_a, &of_b);
    let causes = causes::causes((&of_a, &shares_a), (&of_b, &shares_b), &rows);

    let lacks = [a, b].map(|trace| trace.events_dropped > 0);
    let mut found = Differences::new(ignored, [&a.redaction, &b.redaction], lacks);
    if a.flow.name != b.flow.name {
        found.add(
            Subject::whole(DifferenceKind::Flow),
            "",
            Some(text(&a.flow.name)),
            Some(text(&b.flow.name)),
        );
    }
    http_message::request(a, b, &mut found);
    run_differences::rows((&of_a, &shares_a), (&of_b, &shares_b), &rows, &mut found);
    http_message::response((a, &of_a), (b, &of_b), &mut found);
    let slots = slots(&of_a, &of_b, &mut found);
    gaps(&of_a, &of_b, &mut found);
    let plan_changes = plan_changes(&of_a, &of_b, &rows);
    Diff {
        a: side(a, of_a),
        b: side(b, of_b),
        causes,
        run_pairs: rows,
        differences: found.list,
        plan_changes,
        slots,
        unlisted: found.unlisted,
        not_compared: found.not_compared,
        ignored: found.ignored.into_iter().collect(),
    }
}

fn side(trace: &Trace, timeline: Timeline) -> DiffSide {
    DiffSide {
        id: trace.id,
        flow: trace.flow.name.clone(),
        build: trace.build.clone(),
        timeline,
        status: trace.status,
        has_succeeded: trace.has_succeeded(),
    }
}

/// Returns the slots whose last values differ, in the order in which they were written.
fn slots(a: &Timeline, b: &Timeline, found: &mut Differences<'_>) -> Vec<Difference> {
    let mut slots = Differences::new(found.ignored_by, found.redactions, found.lacks);
    fn placed(of: &Timeline) -> Vec<PlacedWrite<'_>> {
        of.slots.iter().map(|write| PlacedWrite { write, effect: None }).collect()
    }
    writes(&Subject::whole(DifferenceKind::Slot), &placed(a), &placed(b), &mut slots);
    found.ignored.append(&mut slots.ignored);
    // Values that cannot be compared are listed where they were written.
    slots.list
}

/// Notes data that the traces lack and that no other comparison covers.
fn gaps(a: &Timeline, b: &Timeline, found: &mut Differences<'_>) {
    for (side, timeline) in [("a", a), ("b", b)] {
        for gap in &timeline.gaps {
            if matches!(
                gap,
                Gap::Imported
                    | Gap::Layer
                    | Gap::Dropped(_)
                    | Gap::StrayAnswers(_)
                    | Gap::WithoutRun(_)
                    | Gap::UnknownNames(_)
            ) {
                found.skip(&Subject::whole(DifferenceKind::Step), "", format!("{gap} in {side}"));
            }
        }
    }
}
