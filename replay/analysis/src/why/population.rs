//! One request compared with the others of its flow.

use zerver_trace::Trace;

use super::associations::{self, Association};
use super::fields;
use super::ranked_times::{self, RankedTime};
use crate::{CompletionDelay, IgnoredHeaders, Timeline};

/// With fewer requests than this, nothing is said about what goes with slowness.
pub const MIN_POPULATION: usize = 20;

/// Why one request took as long as it did, as far as others of its flow tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    /// How many requests of its flow were compared, with this one.
    pub population: usize,
    /// The whole of it.
    pub total: RankedTime,
    /// Its parts, those that exceed what is usual by most first.
    pub parts: Vec<RankedTime>,
    /// The longest time in which an answer of this one lay ready while its thread was busy.
    pub completion_delay: Option<CompletionDelay>,
    /// The fields that go with slowness, the closest first.
    pub associations: Vec<Association>,
    /// How many fields were looked at.
    pub fields_examined: usize,
}

impl Why {
    /// Compares a trace with others of its flow; it may be among them. Traces of other flows do not count.
    pub fn of(trace: &Trace, others: &[Trace]) -> Self {
        let mut population: Vec<&Trace> = vec![trace];
        let is_other = |other: &&Trace| other.id != trace.id && other.flow.name == trace.flow.name;
        population.extend(others.iter().filter(is_other));
        let timelines: Vec<Timeline> = population.iter().map(|trace| Timeline::of(trace)).collect();
        let (total, parts) = ranked_times::standings(&timelines);
        let (findings, looked_at) = if population.len() < MIN_POPULATION {
            (Vec::new(), 0)
        } else {
            let ignored = IgnoredHeaders::default();
            let fields =
                population.iter().zip(&timelines).map(|(trace, of)| fields::fields(trace, of, &ignored));
            let durations: Vec<u64> = population.iter().map(|trace| trace.duration_ns).collect();
            associations::findings(&fields.collect::<Vec<_>>(), &durations)
        };
        let late = timelines.first().and_then(Timeline::longest_completion_delay).cloned();
        Self {
            population: population.len(),
            total,
            parts,
            completion_delay: late,
            associations: findings,
            fields_examined: looked_at,
        }
    }

    /// Whether there are enough requests to tell what goes with slowness.
    pub const fn is_enough(&self) -> bool {
        self.population >= MIN_POPULATION
    }
}
