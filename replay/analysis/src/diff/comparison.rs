//! From two traces to their diff.

use zerver_replay::Sameness;
use zerver_trace::{RequestId, Trace};

use super::causes::Cause;
use super::difference::{Difference, DifferenceKind, NotCompared};
use super::differences::{At, Found, text};
use super::ignored_headers::IgnoredHeaders;
use super::pairing::RunPair;
use super::slot_writes::{Placed, writes};
use super::{causes, http_message, pairing, run_differences};
use crate::time_attribution::shares;
use crate::{Gap, Timeline};

/// Two requests, side by side: `a` and `b`. Differences in time are how much longer `b` took.
#[derive(Debug, Clone)]
pub struct Diff {
    /// The first.
    pub a: DiffSide,
    /// The second.
    pub b: DiffSide,
    /// Where the difference in time is, the largest part first; they add up to [`Diff::delta_ns`].
    pub causes: Vec<Cause>,
    /// Runs and effects that go together.
    pub rows: Vec<RunPair>,
    /// What differs, the most upstream first: the request, each run with what it asked for and wrote, the response.
    pub differences: Vec<Difference>,
    /// The slots whose last values differ.
    pub slots: Vec<Difference>,
    /// So many more places in values differ than are listed.
    pub unlisted: usize,
    /// The headers that were not compared, and differ.
    pub ignored: Vec<String>,
    /// What could not be compared, since it was not recorded or only its hash is known.
    pub not_compared: Vec<NotCompared>,
}

/// One of the two requests.
#[derive(Debug, Clone)]
pub struct DiffSide {
    /// Its id.
    pub id: RequestId,
    /// The name of its flow.
    pub flow: String,
    /// The build that ran it.
    pub build: String,
    /// Its timeline.
    pub timeline: Timeline,
    /// Its status; 0 without an answer.
    pub status: u16,
    /// Whether a step answered it with a status of 2xx or 3xx.
    pub has_succeeded: bool,
}

impl Diff {
    /// Compares two requests. Takes any two traces; what they do not tell is in [`Timeline::gaps`].
    pub fn of(a: &Trace, b: &Trace, ignored: &IgnoredHeaders) -> Self {
        diff(a, b, ignored)
    }

    /// How much longer the second took, in nanoseconds.
    pub fn delta_ns(&self) -> i128 {
        i128::from(self.b.timeline.totals.total_ns) - i128::from(self.a.timeline.totals.total_ns)
    }

    /// Whether they had the same request, decisions, values and response, as far as that is known. Time does not matter.
    pub fn sameness(&self) -> Sameness {
        let differs = self.differences.iter().any(|difference| !difference.kind.is_time());
        Sameness::of(differs || self.unlisted > 0, self.not_compared.is_empty())
    }

    /// Whether all of both was compared, and nothing but time differs.
    pub fn is_same(&self) -> bool {
        self.sameness() == Sameness::Same
    }

    /// The most upstream difference: what the others may follow from. A length follows from what it is the length of, and
    /// is the first only where nothing else differs.
    pub fn first(&self) -> Option<&Difference> {
        let is_length = |difference: &Difference| {
            let path = difference.path.trim_end_matches(".value");
            path.rsplit('.').next().is_some_and(|name| name.eq_ignore_ascii_case("content-length"))
        };
        self.differences.iter().find(|difference| !is_length(difference)).or(self.differences.first())
    }

    /// Whether both are of one flow.
    pub fn is_one_flow(&self) -> bool {
        self.a.flow == self.b.flow
    }

    /// The largest of the causes that make `b` slower, if it is slower, or else faster; with its share, in percent, of all that do.
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
    let (shares_a, shares_b) = (shares(&of_a), shares(&of_b));
    let rows = pairing::rows(&of_a, &of_b);
    let causes = causes::causes((&of_a, &shares_a), (&of_b, &shares_b), &rows);

    let lacks = [a, b].map(|trace| trace.events_dropped > 0);
    let mut found = Found::new(ignored, [&a.redaction, &b.redaction], lacks);
    if a.flow.name != b.flow.name {
        found.add(At::whole(DifferenceKind::Flow), "", Some(text(&a.flow.name)), Some(text(&b.flow.name)));
    }
    http_message::request(a, b, &mut found);
    run_differences::rows((&of_a, &shares_a), (&of_b, &shares_b), &rows, &mut found);
    http_message::response((a, &of_a), (b, &of_b), &mut found);
    let slots = slots(&of_a, &of_b, &mut found);
    gaps(&of_a, &of_b, &mut found);
    Diff {
        a: side(a, of_a),
        b: side(b, of_b),
        causes,
        rows,
        differences: found.list,
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

/// The slots whose last values differ, in the order of their writing.
fn slots(a: &Timeline, b: &Timeline, found: &mut Found<'_>) -> Vec<Difference> {
    let mut slots = Found::new(found.ignored_by, found.redactions, found.lacks);
    fn placed(of: &Timeline) -> Vec<Placed<'_>> {
        of.slots.iter().map(|write| Placed { write, effect: None }).collect()
    }
    writes(&At::whole(DifferenceKind::Slot), &placed(a), &placed(b), &mut slots);
    found.ignored.append(&mut slots.ignored);
    // What cannot be compared was said where it was written.
    slots.list
}

/// What the traces lack, so that it is nowhere to be compared.
fn gaps(a: &Timeline, b: &Timeline, found: &mut Found<'_>) {
    for (side, timeline) in [("a", a), ("b", b)] {
        for gap in &timeline.gaps {
            if matches!(
                gap,
                Gap::Dropped(_) | Gap::StrayAnswers(_) | Gap::WithoutRun(_) | Gap::UnknownNames(_)
            ) {
                found.skip(&At::whole(DifferenceKind::Step), "", format!("{gap} in {side}"));
            }
        }
    }
}
