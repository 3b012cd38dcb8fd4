//! What `zerver why --json` prints. Its fields are documented and stable; more may come.

use serde::Serialize;
use zerver_trace::Trace;

use super::associations::{Association, Correlation};
use super::ranked_times::{RankedTime, TimePart};
use super::{MIN_POPULATION, Why};
use crate::CompletionDelay;

/// Where a request stands, as a JSON document. Times are nanoseconds.
#[derive(Debug, Clone, Serialize)]
pub struct WhyJson {
    id: String,
    flow: String,
    /// How many requests were compared, with this one.
    n: usize,
    /// Whether they are enough to tell what goes with slowness.
    enough: bool,
    /// How many it takes.
    needed: usize,
    total: StandingJson,
    parts: Vec<StandingJson>,
    /// Left out where each answer was taken at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    late: Option<CompletionDelay>,
    fields: Vec<FindingJson>,
    fields_looked_at: usize,
}

#[derive(Debug, Clone, Serialize)]
struct StandingJson {
    kind: &'static str,
    step: Option<String>,
    effect: Option<String>,
    ns: u64,
    median_ns: u64,
    slower_than: usize,
    others: usize,
    percentile: Option<u8>,
}

#[derive(Debug, Clone, Serialize)]
struct FindingJson {
    field: String,
    here: Option<String>,
    n: usize,
    strength: f64,
    rank_correlation: Option<f64>,
    groups: Option<Vec<GroupJson>>,
}

#[derive(Debug, Clone, Serialize)]
struct GroupJson {
    value: Option<String>,
    n: usize,
    median_ns: u64,
}

impl WhyJson {
    /// The document of a trace and where it stands.
    pub fn new(trace: &Trace, why: &Why) -> Self {
        Self {
            id: trace.id.to_string(),
            flow: trace.flow.name.clone(),
            n: why.population,
            enough: why.is_enough(),
            needed: MIN_POPULATION,
            total: standing(&why.total),
            parts: why.parts.iter().map(standing).collect(),
            late: why.completion_delay.clone(),
            fields: why.associations.iter().map(finding).collect(),
            fields_looked_at: why.fields_examined,
        }
    }
}

fn standing(standing: &RankedTime) -> StandingJson {
    StandingJson {
        kind: standing.part.kind(),
        step: standing.part.step().map(str::to_owned),
        effect: match &standing.part {
            TimePart::Effect { what, .. } => Some(what.clone()),
            _ => None,
        },
        ns: standing.time_ns,
        median_ns: standing.median_ns,
        slower_than: standing.slower_than,
        others: standing.others,
        percentile: standing.percentile(),
    }
}

fn finding(finding: &Association) -> FindingJson {
    let (rank_correlation, groups) = match &finding.correlation {
        Correlation::Rank(correlation) => (Some(*correlation), None),
        Correlation::Groups(groups) => {
            let group = |group: &super::ValueGroup| GroupJson {
                value: group.value.clone(),
                n: group.requests,
                median_ns: group.median_ns,
            };
            (None, Some(groups.iter().map(group).collect()))
        }
    };
    FindingJson {
        field: finding.field.clone(),
        here: finding.value.clone(),
        n: finding.requests,
        strength: finding.strength,
        rank_correlation,
        groups,
    }
}
