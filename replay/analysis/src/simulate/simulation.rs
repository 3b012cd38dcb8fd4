//! Results of a simulation, per class and per flow.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_engine::{SimMachine, SimRequest, SimResult, simulate};
use zerver_trace::{Class, Kept, Trace};

use super::own_time::limit_to_own_time;
use super::recorded_load::{RecordedLoad, RecordedRequest, load};
use crate::quantile::quantile;

/// Estimated results for recorded requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// Number of requests simulated.
    pub requests: usize,
    /// Number of requests left out: they ran no step, and the scheduler did not shed them.
    pub excluded: usize,
    /// Number of requests that were shed when they were recorded. Their work is unknown, so it is that of the previous
    /// request of their flow that was served.
    pub estimated: usize,
    /// True if the recording is only a share of the traffic, so that the real load was higher.
    #[serde(rename = "sampled")]
    pub is_sampled: bool,
    /// Time from the first arrival to the last, in nanoseconds.
    pub span_ns: u64,
    /// All requests.
    pub all: GroupResults,
    /// Requests of each class.
    pub classes: Vec<GroupResults>,
    /// Requests of each flow.
    pub flows: Vec<GroupResults>,
}

/// Results for a group of requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupResults {
    /// Name of the group.
    pub name: String,
    /// Recorded statistics.
    pub recorded: RequestStats,
    /// Statistics simulated on the machine of the recording.
    pub simulated: RequestStats,
    /// Statistics simulated with the changes; `None` without changes.
    pub changed: Option<RequestStats>,
}

/// Statistics of a group of requests. Times cover the requests that were served.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RequestStats {
    /// Number of requests.
    pub requests: usize,
    /// Time from head to response.
    pub duration: Quantiles,
    /// Time in run queues.
    pub queue: Quantiles,
    /// Requests that spent at least 0.1 ms in run queues.
    pub queued: usize,
    /// Requests run by another worker than that of their connection.
    pub stolen: usize,
    /// Requests shed.
    pub shed: usize,
    /// Requests moved to the batch class while they ran.
    pub reclassified: usize,
}

/// Median and 99th percentile, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Median.
    pub p50_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
}

/// Result for one request, recorded or simulated.
#[derive(Clone, Copy)]
struct RequestResult {
    duration_ns: u64,
    queue_ns: u64,
    is_shed: bool,
    is_demoted: bool,
    is_stolen: bool,
}

/// Minimum wait that counts. A shorter one is the time to hand over a request.
const QUEUED_NS: u64 = 100_000;

impl Simulation {
    /// Simulates the requests on the machine on which they were recorded, and on another one.
    pub fn of(traces: &[Trace], recorded_on: &SimMachine, changed: Option<&SimMachine>) -> Self {
        let RecordedLoad { requests: mut recorded, excluded, estimated } = load(traces, recorded_on);
        let mut as_recorded = run(recorded_on, &recorded, true);
        // The number of flows decreases each time.
        while limit_to_own_time(&mut recorded, &as_recorded.reclassified_flows) {
            as_recorded = run(recorded_on, &recorded, true);
        }
        let ones: Vec<RequestResult> = recorded
            .iter()
            .map(|r| RequestResult {
                duration_ns: r.duration_ns,
                queue_ns: r.queue_ns,
                is_shed: r.is_shed,
                is_demoted: r.is_demoted,
                is_stolen: r.is_stolen,
            })
            .collect();
        let simulated = outcomes(&recorded, &as_recorded);
        // With the same number of workers, connections stay where they were; otherwise they are dealt out again.
        let as_dealt = changed.is_some_and(|machine| machine.workers == recorded_on.workers);
        let changed = changed.map(|machine| outcomes(&recorded, &run(machine, &recorded, as_dealt)));
        let group = |name: &str, among: &dyn Fn(&RecordedRequest) -> bool| {
            let of = |ones: &[RequestResult]| {
                let among = std::iter::zip(&recorded, ones).filter(|(recorded, _)| among(recorded));
                figures(among.map(|(_, one)| *one).collect())
            };
            GroupResults {
                name: name.to_owned(),
                recorded: of(&ones),
                simulated: of(&simulated),
                changed: changed.as_deref().map(of),
            }
        };
        let names: BTreeMap<&str, ()> = recorded.iter().map(|r| (r.flow.as_str(), ())).collect();
        let classes = [Class::Interactive, Class::Default, Class::Batch].into_iter();
        let at = |r: &RecordedRequest| r.load.arrives_ns;
        Self {
            requests: recorded.len(),
            excluded,
            estimated,
            is_sampled: traces.iter().any(|trace| trace.kept != Kept::All),
            span_ns: recorded.last().map_or(0, at) - recorded.first().map_or(0, at),
            all: group("all", &|_| true),
            classes: classes
                .filter(|class| recorded.iter().any(|r| r.class == *class))
                .map(|class| group(class.as_str(), &|r| r.class == class))
                .collect(),
            flows: names.keys().map(|name| group(name, &|r| r.flow == *name)).collect(),
        }
    }
}

fn run(machine: &SimMachine, recorded: &[RecordedRequest], as_dealt: bool) -> SimResult {
    let load = recorded.iter().map(|recorded| {
        let worker = recorded.load.worker.filter(|_| as_dealt);
        SimRequest { worker, ..recorded.load.clone() }
    });
    let load: Vec<_> = load.collect();
    simulate(machine, &load)
}

fn outcomes(recorded: &[RecordedRequest], simulated: &SimResult) -> Vec<RequestResult> {
    let one = |(recorded, outcome): (&RecordedRequest, &zerver_engine::SimOutcome)| RequestResult {
        duration_ns: recorded.around_ns.saturating_add(
            outcome.end_ns.saturating_sub(outcome.read_ns).saturating_sub(outcome.not_waiting_ns),
        ),
        queue_ns: outcome.queue_ns,
        is_shed: outcome.shed.is_some(),
        is_demoted: outcome.is_reclassified,
        is_stolen: outcome.is_stolen,
    };
    std::iter::zip(recorded, &simulated.outcomes).map(one).collect()
}

fn figures(ones: Vec<RequestResult>) -> RequestStats {
    let served: Vec<_> = ones.iter().filter(|one| !one.is_shed).collect();
    RequestStats {
        requests: ones.len(),
        duration: quantiles(served.iter().map(|one| one.duration_ns).collect()),
        queue: quantiles(served.iter().map(|one| one.queue_ns).collect()),
        queued: served.iter().filter(|one| one.queue_ns >= QUEUED_NS).count(),
        stolen: served.iter().filter(|one| one.is_stolen).count(),
        shed: ones.len() - served.len(),
        reclassified: ones.iter().filter(|one| one.is_demoted).count(),
    }
}

/// Returns the quantiles by nearest rank.
fn quantiles(mut ns: Vec<u64>) -> Quantiles {
    ns.sort_unstable();
    Quantiles { p50_ns: quantile(&ns, 50), p99_ns: quantile(&ns, 99) }
}
