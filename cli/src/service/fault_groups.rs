//! Outcomes of injected faults over many requests, grouped.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use zerver_analysis::generalize;
use zerver_trace::RequestId;

use super::fault_trial::FaultOutcome;

/// Number of requests and trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct FaultCounts {
    /// Requests whose faults were tried.
    pub(crate) requests: u64,
    /// Requests that cannot be replayed.
    pub(crate) not_replayed: u64,
    /// Trials of one fault in one effect of one request.
    pub(crate) trials: u64,
    /// Trials with a finding.
    pub(crate) with_finding: u64,
}

/// Properties in which the trials of a group are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    flow: String,
    effect: String,
    fault: &'static str,
    outcome: String,
    status: Option<u16>,
    finding: Option<&'static str>,
}

/// Trials that went alike.
#[derive(Debug, Serialize)]
pub(crate) struct FaultGroup {
    pub(crate) flow: String,
    /// The effect, with `*` in the place of numbers and ids.
    pub(crate) effect: String,
    pub(crate) fault: &'static str,
    /// Outcome of the request, as of a single trial.
    pub(crate) outcome: String,
    /// Status of the response; `None` if there was none.
    pub(crate) status: Option<u16>,
    /// Reason why this is a finding; `None` if it is none.
    pub(crate) finding: Option<&'static str>,
    /// Number of trials.
    pub(crate) count: u64,
    /// A request of the group.
    #[serde(serialize_with = "as_text")]
    pub(crate) example: RequestId,
    /// The trial of that request.
    pub(crate) trial: FaultOutcome,
}

fn as_text<S: serde::Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Groups that are being filled.
#[derive(Debug, Default)]
pub(crate) struct FaultGroups {
    groups: BTreeMap<Key, FaultGroup>,
    counts: FaultCounts,
}

impl FaultGroups {
    /// Adds the trials of one request.
    pub(crate) fn add(&mut self, id: RequestId, flow: &str, outcomes: Vec<FaultOutcome>) {
        self.counts.requests += 1;
        for trial in outcomes {
            self.counts.trials += 1;
            self.counts.with_finding += u64::from(trial.finding.is_some());
            let key = Key {
                flow: flow.to_owned(),
                effect: generalize(&trial.effect),
                fault: trial.fault,
                outcome: trial.outcome.clone(),
                status: trial.status,
                finding: trial.finding,
            };
            let group = self.groups.entry(key).or_insert_with_key(|key| FaultGroup {
                flow: key.flow.clone(),
                effect: key.effect.clone(),
                fault: key.fault,
                outcome: key.outcome.clone(),
                status: key.status,
                finding: key.finding,
                count: 0,
                example: id,
                trial,
            });
            group.count += 1;
        }
    }

    /// Counts a request that cannot be replayed.
    pub(crate) const fn not_replayed(&mut self) {
        self.counts.not_replayed += 1;
    }

    pub(crate) const fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// Returns the groups: findings first, and the largest first among them.
    pub(crate) fn sorted(self) -> Vec<FaultGroup> {
        let mut groups: Vec<_> = self.groups.into_values().collect();
        groups.sort_by_key(|group| (group.finding.is_none(), Reverse(group.count)));
        groups
    }
}
