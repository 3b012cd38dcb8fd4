//! What a simulation says, per class and per flow.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_engine::{SimMachine, SimRequest, SimResult, simulate};
use zerver_trace::{Class, Kept, Trace};

use super::own_time::disown;
use super::recorded_load::{Recorded, Recording, load};

/// What would have become of recorded requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// How many requests were simulated.
    pub requests: usize,
    /// How many were not: they ran no step, and the scheduler did not send them away.
    pub excluded: usize,
    /// How many of them were sent away when they were recorded. What they would have done is not known: what the one of
    /// their flow did that was served before them is taken instead.
    pub estimated: usize,
    /// Whether the recording is only a share of the traffic, so that the real load was higher.
    #[serde(rename = "sampled")]
    pub is_sampled: bool,
    /// From the first arrival to the last, in nanoseconds.
    pub span_ns: u64,
    /// All of them together.
    pub all: GroupResults,
    /// Each class that there is.
    pub classes: Vec<GroupResults>,
    /// Each flow that there is.
    pub flows: Vec<GroupResults>,
}

/// Some requests, as they were recorded and as they were simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupResults {
    /// Of what.
    pub name: String,
    /// As recorded.
    pub recorded: RequestStats,
    /// Simulated as recorded.
    pub simulated: RequestStats,
    /// Simulated with what is changed; none if nothing is.
    pub changed: Option<RequestStats>,
}

/// What can be counted of some requests. Of times, those of the requests that were served.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RequestStats {
    /// How many there are.
    pub requests: usize,
    /// From head to answer.
    pub duration: Quantiles,
    /// Ready, and not running.
    pub queue: Quantiles,
    /// Had to wait for 0.1 ms or longer, all their waits together.
    pub queued: usize,
    /// Run by another worker than that of their connection.
    pub stolen: usize,
    /// Sent away.
    pub shed: usize,
    /// Moved to low priority on their way.
    pub reclassified: usize,
}

/// The median, and what 99 of 100 stay below, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
}

/// What is known of one request, recorded or simulated.
#[derive(Clone, Copy)]
struct One {
    duration_ns: u64,
    queue_ns: u64,
    is_shed: bool,
    is_demoted: bool,
    is_stolen: bool,
}

/// A shorter wait is the time in which one is handed over.
const QUEUED_NS: u64 = 100_000;

impl Simulation {
    /// Simulates these requests on the machine that they were recorded on, and on another one.
    pub fn of(traces: &[Trace], recorded_on: &SimMachine, changed: Option<&SimMachine>) -> Self {
        let Recording { requests: mut recorded, left_out, borrowed } = load(traces, recorded_on);
        let mut as_recorded = run(recorded_on, &recorded, true);
        // Each time there are fewer.
        while disown(&mut recorded, &as_recorded.reclassified_flows) {
            as_recorded = run(recorded_on, &recorded, true);
        }
        let ones: Vec<One> = recorded
            .iter()
            .map(|r| One {
                duration_ns: r.duration_ns,
                queue_ns: r.queue_ns,
                is_shed: r.is_shed,
                is_demoted: r.is_demoted,
                is_stolen: r.is_stolen,
            })
            .collect();
        let simulated = fates(&recorded, &as_recorded);
        // With as many workers, connections are where they were; with another number they are dealt anew.
        let as_dealt = changed.is_some_and(|machine| machine.workers == recorded_on.workers);
        let changed = changed.map(|machine| fates(&recorded, &run(machine, &recorded, as_dealt)));
        let group = |name: &str, among: &dyn Fn(&Recorded) -> bool| {
            let of = |ones: &[One]| {
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
        let at = |r: &Recorded| r.load.arrives_ns;
        Self {
            requests: recorded.len(),
            excluded: left_out,
            estimated: borrowed,
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

fn run(machine: &SimMachine, recorded: &[Recorded], as_dealt: bool) -> SimResult {
    let load = recorded.iter().map(|recorded| {
        let worker = recorded.load.worker.filter(|_| as_dealt);
        SimRequest { worker, ..recorded.load.clone() }
    });
    let load: Vec<_> = load.collect();
    simulate(machine, &load)
}

fn fates(recorded: &[Recorded], simulated: &SimResult) -> Vec<One> {
    let one = |(recorded, fate): (&Recorded, &zerver_engine::SimOutcome)| One {
        duration_ns: recorded
            .around_ns
            .saturating_add(fate.end_ns.saturating_sub(fate.read_ns).saturating_sub(fate.not_waiting_ns)),
        queue_ns: fate.queue_ns,
        is_shed: fate.shed.is_some(),
        is_demoted: fate.is_reclassified,
        is_stolen: fate.is_stolen,
    };
    std::iter::zip(recorded, &simulated.outcomes).map(one).collect()
}

fn figures(ones: Vec<One>) -> RequestStats {
    let served: Vec<_> = ones.iter().filter(|one| !one.is_shed).collect();
    RequestStats {
        requests: ones.len(),
        duration: mark(served.iter().map(|one| one.duration_ns).collect()),
        queue: mark(served.iter().map(|one| one.queue_ns).collect()),
        queued: served.iter().filter(|one| one.queue_ns >= QUEUED_NS).count(),
        stolen: served.iter().filter(|one| one.is_stolen).count(),
        shed: ones.len() - served.len(),
        reclassified: ones.iter().filter(|one| one.is_demoted).count(),
    }
}

/// By nearest rank.
fn mark(mut ns: Vec<u64>) -> Quantiles {
    ns.sort_unstable();
    let rank = |percent: usize| {
        let at = (ns.len() * percent).div_ceil(100).saturating_sub(1);
        ns.get(at).copied().unwrap_or(0)
    };
    Quantiles { p50_ns: rank(50), p99_ns: rank(99) }
}
