//! Comparison of the requests of one flow.

use zerver_trace::{RequestId, Summary, Trace, is_client_error};

use super::measurement::{ChangeMeasure, ChangeSubject, Measurement};
use super::samples::{Samples, rows};
use super::set_change::SetChange;
use crate::Timeline;
use crate::common_effects::CommonEffects;

/// Requests of one flow in one set, in the order of time.
#[derive(Debug, Clone, Copy)]
pub struct FlowSet<'s> {
    /// All of them.
    pub requests: &'s [&'s Summary],
    /// Traces of a sample of them.
    pub traces: &'s [Trace],
}

/// The requests of one flow in two sets, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowComparison {
    /// Slug of the flow; empty for requests that matched no flow.
    pub flow: String,
    /// Number of requests in the first set.
    pub requests_a: usize,
    /// Number of requests in the second set.
    pub requests_b: usize,
    /// Number of requests in the first set whose steps and effects were compared.
    pub traces_a: usize,
    /// Number of requests in the second set whose steps and effects were compared.
    pub traces_b: usize,
    /// Request of the first set that is nearest its median duration.
    pub example_a: Option<RequestId>,
    /// Request of the second set that is nearest its median duration.
    pub example_b: Option<RequestId>,
    /// Duration of the requests; `None` if a set has none.
    pub took: Option<SetChange>,
    /// Everything else that was compared.
    pub rows: Vec<SetChange>,
}

impl FlowComparison {
    /// Compares the requests of a flow. Steps, effects and fields are compared over the traces, the rest over all
    /// requests.
    pub fn of(flow: &str, a: FlowSet<'_>, b: FlowSet<'_>) -> Self {
        let mut compared = Self {
            flow: flow.to_owned(),
            requests_a: a.requests.len(),
            requests_b: b.requests.len(),
            traces_a: a.traces.len(),
            traces_b: b.traces.len(),
            example_a: middle_request(a.requests),
            example_b: middle_request(b.requests),
            took: None,
            rows: Vec::new(),
        };
        if a.requests.is_empty() || b.requests.is_empty() {
            return compared;
        }
        let durations =
            [a, b].map(|set| set.requests.iter().map(|of| of.duration_ns as f64).collect::<Vec<_>>());
        compared.rows.extend(SetChange::of_slowest(&durations[0], &durations[1]));
        compared.took =
            SetChange::of(ChangeSubject::Request, ChangeMeasure::Took, &Samples::Amounts(durations));
        let shares = |counts: &dyn Fn(&Summary) -> bool| {
            Samples::Shares([a, b].map(|set| set.requests.iter().map(|request| counts(request)).collect()))
        };
        for (measure, samples) in [
            (ChangeMeasure::Failed, shares(&Summary::is_error)),
            (ChangeMeasure::ClientErrors, shares(&|request| is_client_error(request.status))),
        ] {
            compared.rows.extend(SetChange::of(ChangeSubject::Request, measure, &samples));
        }
        let timelines = [a, b].map(|set| set.traces.iter().map(Timeline::of).collect::<Vec<_>>());
        let names = CommonEffects::of(timelines.iter().flatten());
        let measure = |(set, timelines): (FlowSet<'_>, &Vec<Timeline>)| {
            let of = |(trace, timeline)| Measurement::of(trace, timeline, &names);
            set.traces.iter().zip(timelines).map(of).collect::<Vec<_>>()
        };
        let (of_a, of_b) = (measure((a, &timelines[0])), measure((b, &timelines[1])));
        if !of_a.is_empty() && !of_b.is_empty() {
            let rows = rows([&of_a, &of_b]).into_iter();
            compared.rows.extend(
                rows.filter_map(|((subject, measure), samples)| SetChange::of(subject, measure, &samples)),
            );
        }
        compared
    }

    /// Returns everything that was compared.
    pub fn all_rows(&self) -> impl Iterator<Item = &SetChange> {
        self.took.iter().chain(&self.rows)
    }

    /// Returns the changes that the tests found, without that of the duration.
    pub fn changes(&self) -> impl Iterator<Item = &SetChange> {
        self.rows.iter().filter(|row| row.is_found())
    }

    /// Returns true if a test found a change.
    pub fn has_changed(&self) -> bool {
        self.all_rows().any(SetChange::is_found)
    }

    /// Returns true if there are enough requests to test whether the duration has changed.
    pub fn is_tested(&self) -> bool {
        self.took.as_ref().is_some_and(|took| took.test.is_some())
    }

    /// Returns the time that the change of the median has cost all requests of the second set, in nanoseconds; 0 if no
    /// change was found.
    pub(super) fn weight(&self) -> f64 {
        let took = self.took.as_ref().filter(|took| took.is_found());
        took.map_or(0.0, |took| took.difference().abs() * self.requests_b as f64)
    }
}

/// Returns the request whose duration is nearest the median, the newest of several.
fn middle_request(requests: &[&Summary]) -> Option<RequestId> {
    let mut durations: Vec<u64> = requests.iter().map(|request| request.duration_ns).collect();
    durations.sort_unstable();
    let median = crate::quantile::quantile(&durations, 50);
    let nearest = requests.iter().rev().min_by_key(|request| request.duration_ns.abs_diff(median));
    nearest.map(|request| request.id)
}
