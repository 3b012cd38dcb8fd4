//! Comparison of one request with the others of its flow.

use zerver_trace::{Trace, duration};

use super::associations::{self, Association};
use super::fields::fields;
use super::ranked_times::{self, RankedTime};
use crate::duration_histogram::{DurationBucket, duration_histogram};
use crate::{CompletionDelay, IgnoredHeaders, InjectedFault, Timeline};

/// Minimum number of requests for finding correlations.
pub const MIN_POPULATION: usize = 20;

/// Comparison of one request with the others of its flow.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// Number of requests compared, including this one.
    pub population: usize,
    /// Rank of the total duration.
    pub total: RankedTime,
    /// Ranks of its parts, those that exceed the median most first.
    pub parts: Vec<RankedTime>,
    /// Durations of all of them, with this one.
    pub durations: Vec<DurationBucket>,
    /// Completion of this request that waited longest for the worker.
    pub completion_delay: Option<CompletionDelay>,
    /// Effects of this request into which chaos injected faults, with the faults.
    pub injected_faults: Vec<(String, InjectedFault)>,
    /// Fields that correlate with latency, the strongest first.
    pub associations: Vec<Association>,
    /// Number of fields examined.
    pub fields_examined: usize,
}

impl Why {
    /// Compares a trace with others of its flow; it may be among them. Traces of other flows are ignored.
    pub fn of(trace: &Trace, others: &[Trace]) -> Self {
        let mut population: Vec<&Trace> = vec![trace];
        let is_other = |other: &&Trace| other.id != trace.id && other.flow.name == trace.flow.name;
        population.extend(others.iter().filter(is_other));
        let timelines: Vec<Timeline> = population.iter().map(|trace| Timeline::of(trace)).collect();
        let (total, parts) = ranked_times::rank_times(&timelines);
        let (findings, looked_at) = if population.len() < MIN_POPULATION {
            (Vec::new(), 0)
        } else {
            let ignored = IgnoredHeaders::default();
            let fields = population.iter().zip(&timelines).map(|(trace, of)| fields(trace, of, &ignored));
            let durations: Vec<u64> = population.iter().map(|trace| trace.duration_ns).collect();
            associations::associations(&fields.collect::<Vec<_>>(), &durations)
        };
        let late = timelines.first().and_then(Timeline::longest_completion_delay).cloned();
        let effects = timelines.iter().take(1).flat_map(|of| &of.runs).flat_map(|run| &run.effects);
        let injected = effects.flat_map(|effect| {
            effect.injected_faults.iter().map(move |fault| (effect.label(), fault.clone()))
        });
        let injected_faults = injected.collect();
        Self {
            population: population.len(),
            total,
            parts,
            durations: duration_histogram(population.iter().map(|trace| trace.duration_ns)),
            completion_delay: late,
            injected_faults,
            associations: findings,
            fields_examined: looked_at,
        }
    }

    /// Returns the rank in words: `slower than 76% of 39 others of its flow; the median is 2.43 ms`.
    pub fn rank(&self) -> String {
        let RankedTime { others, median_ns, .. } = self.total;
        if others == 0 {
            return "no other request of its flow".to_owned();
        }
        let flow = if others == 1 { "other" } else { "others" };
        let share = self.total.share();
        let of = if share.ends_with('%') { format!("{share} of {others}") } else { share };
        format!("slower than {of} {flow} of its flow; the median is {}", duration::show(median_ns))
    }

    /// Returns true if there are enough requests for finding correlations.
    pub const fn is_enough(&self) -> bool {
        self.population >= MIN_POPULATION
    }
}
