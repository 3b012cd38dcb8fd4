//! The JSON form of [`Why`], printed by `zerver why --json`. Its fields are documented and stable; more may be added.

use serde::Serialize;
use zerver_trace::Trace;

use super::associations::{Association, Correlation, ValueGroup};
use super::population::{MIN_POPULATION, Why};
use super::ranked_times::{RankedTime, TimePart};
use crate::queue_holders::QueueHolders;
use crate::{CompletionDelay, InjectedFault};

/// A request compared with others of its flow, as a JSON document. Times are in nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct WhyJson {
    id: String,
    flow: String,
    /// Number of requests compared, including this one.
    requests: usize,
    /// True if there are enough requests to look for correlations.
    enough_requests: bool,
    min_requests: usize,
    total: RankedTimeJson,
    parts: Vec<RankedTimeJson>,
    /// Omitted if every completion was taken at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_delay: Option<CompletionDelay>,
    /// Omitted if chaos injected nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    injected_faults: Vec<InjectedFaultJson>,
    /// Holders of its threads while it was queued; omitted if it hardly was, or if no other requests were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueHolders>,
    fields: Vec<AssociationJson>,
    fields_examined: usize,
}

#[derive(Debug, Clone, Serialize)]
struct InjectedFaultJson {
    effect: String,
    #[serde(flatten)]
    fault: InjectedFault,
}

#[derive(Debug, Clone, Serialize)]
struct RankedTimeJson {
    kind: &'static str,
    step: Option<String>,
    effect: Option<String>,
    time_ns: u64,
    median_ns: u64,
    slower_than: usize,
    others: usize,
    percentile: Option<u8>,
}

#[derive(Debug, Clone, Serialize)]
struct AssociationJson {
    field: String,
    value: Option<String>,
    requests: usize,
    strength: f64,
    rank_correlation: Option<f64>,
    groups: Option<Vec<GroupJson>>,
}

#[derive(Debug, Clone, Serialize)]
struct GroupJson {
    value: Option<String>,
    requests: usize,
    median_ns: u64,
}

impl WhyJson {
    /// Creates the document of a trace and its comparison.
    pub fn new(trace: &Trace, why: &Why) -> Self {
        Self {
            id: trace.id.to_string(),
            flow: trace.flow.name.clone(),
            requests: why.population,
            enough_requests: why.is_enough(),
            min_requests: MIN_POPULATION,
            total: ranked_time(&why.total),
            parts: why.parts.iter().map(ranked_time).collect(),
            completion_delay: why.completion_delay.clone(),
            injected_faults: why
                .injected_faults
                .iter()
                .map(|(effect, fault)| InjectedFaultJson { effect: effect.clone(), fault: fault.clone() })
                .collect(),
            queue: None,
            fields: why.associations.iter().map(association).collect(),
            fields_examined: why.fields_examined,
        }
    }

    /// Adds what the request waited behind in run queues.
    #[must_use]
    pub fn with_queue(self, queue: Option<QueueHolders>) -> Self {
        Self { queue, ..self }
    }
}

fn ranked_time(ranked_time: &RankedTime) -> RankedTimeJson {
    RankedTimeJson {
        kind: ranked_time.part.kind(),
        step: ranked_time.part.step().map(str::to_owned),
        effect: match &ranked_time.part {
            TimePart::Effect { what, .. } => Some(what.clone()),
            TimePart::PolicyWait { what, .. } => Some(what.clone()),
            TimePart::Phase { what, phase, .. } => Some(format!("{what} {phase}")),
            _ => None,
        },
        time_ns: ranked_time.time_ns,
        median_ns: ranked_time.median_ns,
        slower_than: ranked_time.slower_than,
        others: ranked_time.others,
        percentile: ranked_time.percentile(),
    }
}

fn association(association: &Association) -> AssociationJson {
    let (rank_correlation, groups) = match &association.correlation {
        Correlation::Rank(correlation) => (Some(*correlation), None),
        Correlation::Groups(groups) => {
            let group = |group: &ValueGroup| GroupJson {
                value: group.value.clone(),
                requests: group.requests,
                median_ns: group.median_ns,
            };
            (None, Some(groups.iter().map(group).collect()))
        }
    };
    AssociationJson {
        field: association.field.clone(),
        value: association.value.clone(),
        requests: association.requests,
        strength: association.strength,
        rank_correlation,
        groups,
    }
}
