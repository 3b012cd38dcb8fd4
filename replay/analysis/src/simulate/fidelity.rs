//! Measures how well a simulation reproduces the recording, and so how far it can be trusted.

use serde::Serialize;

use super::{GroupResults, Simulation};

/// Difference that counts as none, in nanoseconds.
const CLOSE_NS: u64 = 200_000;

/// Quality of a simulation, compared with the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reproduction {
    /// No figure deviates by more than a quarter.
    Well,
    /// No figure deviates by more than a factor of 2.
    Roughly,
    /// A figure deviates by more.
    Poorly,
}

/// A figure that deviates from the recording.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Deviation {
    /// Class.
    pub class: String,
    /// Figure: `p50`, `p99`, `queue_p99` or `shed`.
    pub figure: &'static str,
    /// Recorded value, in nanoseconds or in thousandths.
    pub recorded: u64,
    /// Simulated value.
    pub simulated: u64,
    /// Quality of this figure.
    pub reproduction: Reproduction,
}

impl Simulation {
    /// Returns the figure that deviates most, of all classes; `None` if nothing was simulated.
    ///
    /// The deviation of a time is relative to the shorter one; differences below a fifth of a millisecond count as
    /// none. For the share of shed requests, 5 in 100 of all requests count as a quarter, 20 in 100 as a factor of 2.
    /// Queueing is relative to the whole duration.
    pub fn worst(&self) -> Option<Deviation> {
        // Of equal deviations the last one counts: the most urgent class, and its 99th percentile.
        let all = self.classes.iter().rev().flat_map(deviations);
        all.max_by_key(|(off, _)| *off).map(|(_, deviation)| deviation)
    }

    /// Returns how well the recording is reproduced.
    pub fn reproduced(&self) -> Reproduction {
        self.worst().map_or(Reproduction::Well, |worst| worst.reproduction)
    }
}

/// Returns the figures of a class, and the deviation of each in thousandths.
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
