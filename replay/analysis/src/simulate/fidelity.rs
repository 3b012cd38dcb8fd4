//! How well a simulation reproduces what was recorded, which says how far it is to be trusted.

use serde::Serialize;

use super::{GroupResults, Simulation};

/// So close is as good as equal, in nanoseconds.
const CLOSE_NS: u64 = 200_000;

/// How well a recorded run is reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reproduction {
    /// No figure is off by more than a quarter.
    Well,
    /// None by more than a factor of 2.
    Roughly,
    /// One is.
    Poorly,
}

/// A figure that came out otherwise than it was recorded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deviation {
    /// The class.
    pub class: String,
    /// Which figure: `p50`, `p99`, `queue_p99` or `shed`.
    pub figure: &'static str,
    /// As recorded: in nanoseconds, or of a thousand.
    pub recorded: u64,
    /// As simulated.
    pub simulated: u64,
    /// How good that is.
    pub reproduction: Reproduction,
}

impl Simulation {
    /// The figure that is furthest off, of all classes. None where nothing was simulated.
    ///
    /// Times are off by what they differ by, as a part of the shorter one; less than a fifth of a millisecond is
    /// nothing. Of the share that was sent away, 5 in 100 of all requests are a quarter, 20 in 100 a factor of 2. The time
    /// in queues counts as a part of the whole duration.
    pub fn worst(&self) -> Option<Deviation> {
        // Of those that are off by as much, the last one counts: the most urgent class, and its 99th percentile.
        let all = self.classes.iter().rev().flat_map(deviations);
        all.max_by_key(|(off, _)| *off).map(|(_, deviation)| deviation)
    }

    /// How well what was recorded is reproduced.
    pub fn reproduced(&self) -> Reproduction {
        self.worst().map_or(Reproduction::Well, |worst| worst.reproduction)
    }
}

/// The figures of a class, and how far off each is, in thousandths.
fn deviations(of: &GroupResults) -> [(u64, Deviation); 4] {
    let (recorded, simulated) = (&of.recorded, &of.simulated);
    let time = |figure, recorded: u64, simulated: u64, whole: u64| {
        let far_ns = recorded.abs_diff(simulated);
        let least = recorded.min(simulated).saturating_add(whole - recorded.min(whole)).max(1);
        let off = if far_ns <= CLOSE_NS { 0 } else { far_ns.saturating_mul(1000) / least };
        (off, figure, recorded, simulated)
    };
    let share = |shed: usize| (shed * 1000 / of.recorded.requests.max(1)) as u64;
    let (was, is) = (share(recorded.shed), share(simulated.shed));
    let figures = [
        (was.abs_diff(is) * 5, "shed", was, is),
        time("queue_p99", recorded.queue.p99_ns, simulated.queue.p99_ns, recorded.duration.p99_ns),
        time("p50", recorded.duration.p50_ns, simulated.duration.p50_ns, 0),
        time("p99", recorded.duration.p99_ns, simulated.duration.p99_ns, 0),
    ];
    figures.map(|(off, figure, recorded, simulated)| {
        let reproduced = match off {
            0..=250 => Reproduction::Well,
            251..=1000 => Reproduction::Roughly,
            _ => Reproduction::Poorly,
        };
        (off, Deviation { class: of.name.clone(), figure, recorded, simulated, reproduction: reproduced })
    })
}
