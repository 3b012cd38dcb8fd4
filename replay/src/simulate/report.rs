//! What a simulation says, per class and per flow.

use std::collections::BTreeMap;

use serde::Serialize;
use zerver_engine::{Machine, Simulated, simulate};
use zerver_trace::{Class, Kept, Trace};

use super::load::{Recorded, load};

/// So far may a simulated figure be from the recorded one: a quarter of it, or so many nanoseconds.
const CLOSE_NS: u64 = 200_000;

/// What would have become of recorded requests.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Simulation {
    /// How many requests were simulated.
    pub requests: usize,
    /// How many were not, since none of their steps ran: what was sent away left no work behind.
    pub left_out: usize,
    /// Whether the recording is only a share of the traffic, so that the real load was higher.
    pub is_sampled: bool,
    /// From the first arrival to the last, in nanoseconds.
    pub span_ns: u64,
    /// All of them together.
    pub all: Compared,
    /// Each class that there is.
    pub classes: Vec<Compared>,
    /// Each flow that there is.
    pub flows: Vec<Compared>,
}

/// Some requests, as they were recorded and as they were simulated.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// Of what.
    pub name: String,
    /// As recorded.
    pub recorded: Figures,
    /// Simulated as recorded.
    pub simulated: Figures,
    /// Simulated with what is changed; none if nothing is.
    pub changed: Option<Figures>,
}

/// What can be counted of some requests. Of times, those of the requests that were served.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// How many there are.
    pub requests: usize,
    /// From head to answer.
    pub duration: Quantiles,
    /// Ready, and not running.
    pub queue: Quantiles,
    /// Sent away.
    pub shed: usize,
    /// Moved to low priority on their way.
    pub demoted: usize,
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
}

impl Simulation {
    /// Simulates these requests on the machine that they were recorded on, and on another one.
    pub fn of(traces: &[Trace], recorded_on: &Machine, changed: Option<&Machine>) -> Self {
        let (recorded, left_out) = load(traces);
        let ones: Vec<One> = recorded
            .iter()
            .map(|r| One {
                duration_ns: r.duration_ns,
                queue_ns: r.queue_ns,
                is_shed: false,
                is_demoted: false,
            })
            .collect();
        let simulated = on(recorded_on, &recorded);
        let changed = changed.map(|machine| on(machine, &recorded));
        let group = |name: &str, among: &dyn Fn(&Recorded) -> bool| {
            let of = |ones: &[One]| {
                let among = std::iter::zip(&recorded, ones).filter(|(recorded, _)| among(recorded));
                figures(among.map(|(_, one)| *one).collect())
            };
            Compared {
                name: name.to_owned(),
                recorded: of(&ones),
                simulated: of(&simulated),
                changed: changed.as_deref().map(of),
            }
        };
        let names: BTreeMap<&str, ()> = recorded.iter().map(|r| (r.flow.as_str(), ())).collect();
        let classes = [Class::Interactive, Class::Default, Class::Batch].into_iter();
        let at = |r: &Recorded| r.load.at_ns;
        Self {
            requests: recorded.len(),
            left_out,
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

    /// Whether what is simulated as recorded is like what was recorded, for each class: the median and the 99th
    /// percentile of the duration differ by no more than a quarter, or by a fifth of a millisecond. If not, what is
    /// simulated for another machine is not to be trusted either.
    pub fn is_close(&self) -> bool {
        self.classes.iter().all(|group| {
            let (recorded, simulated) = (group.recorded.duration, group.simulated.duration);
            let close = |a: u64, b: u64| a.abs_diff(b) <= (a / 4).max(CLOSE_NS);
            group.simulated.shed == 0
                && close(recorded.p50_ns, simulated.p50_ns)
                && close(recorded.p99_ns, simulated.p99_ns)
        })
    }
}

fn on(machine: &Machine, recorded: &[Recorded]) -> Vec<One> {
    let load: Vec<_> = recorded.iter().map(|recorded| recorded.load.clone()).collect();
    let Simulated { fates, .. } = simulate(machine, &load);
    let one = |(recorded, fate): (&Recorded, &zerver_engine::Fate)| One {
        duration_ns: recorded.around_ns.saturating_add(fate.end_ns.saturating_sub(recorded.load.at_ns)),
        queue_ns: fate.queue_ns,
        is_shed: fate.shed.is_some(),
        is_demoted: fate.is_demoted,
    };
    std::iter::zip(recorded, &fates).map(one).collect()
}

fn figures(ones: Vec<One>) -> Figures {
    let served: Vec<_> = ones.iter().filter(|one| !one.is_shed).collect();
    Figures {
        requests: ones.len(),
        duration: mark(served.iter().map(|one| one.duration_ns).collect()),
        queue: mark(served.iter().map(|one| one.queue_ns).collect()),
        shed: ones.len() - served.len(),
        demoted: ones.iter().filter(|one| one.is_demoted).count(),
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
