//! The faults of a week, which follow from a seed.

use std::collections::BTreeMap;

use crate::servers::Place;
use crate::traffic::mix;

/// Hours of the week.
pub(crate) const HOURS: u64 = 7 * 24;
/// The hours of the outage: the servers are down, and most requests fail.
pub(crate) const OUTAGE: std::ops::Range<u64> = 100..102;
/// The hour in which half of the pods get the second build.
pub(crate) const SECOND_BUILD: u64 = 84;

/// A fault, or the end of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A server is killed.
    Stop(Place),
    /// The server starts again.
    Resume(Place),
    /// The answer to a shipment is lost after it was committed.
    Cut(Place),
    /// Nothing passes between the pods and a server, and connections stay open.
    Stall(Place, bool),
    /// A pod loses its shipper, which starts again.
    KillShipper(usize),
    /// A pod is lost with its disk, and another takes its place.
    LosePod(usize),
    /// A pod ends and starts again with its disk.
    Restart(usize),
    /// The disk of the database is full, or not any more.
    FullDisk(bool),
    /// The schema of the database has another version, or the right one again.
    OtherVersion(bool),
    /// The bucket is compacted.
    Compact,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stop(Place::Database) => "the database was killed",
            Self::Stop(Place::Bucket) => "the object store was stopped",
            Self::Resume(_) | Self::Stall(_, false) | Self::FullDisk(false) | Self::OtherVersion(false) => {
                "ends of faults"
            }
            Self::Cut(_) => "an answer was to be lost",
            Self::Stall(..) => "the network stalled",
            Self::KillShipper(_) => "a shipper was killed",
            Self::LosePod(_) => "a pod was lost with its disk",
            Self::Restart(_) => "a pod was restarted",
            Self::FullDisk(true) => "the disk of the database was full",
            Self::OtherVersion(true) => "the schema had another version",
            Self::Compact => "the bucket was compacted",
        }
    }
}

/// Returns the faults by the hour in which they begin.
pub(crate) fn schedule(seed: u64, nodes: usize) -> BTreeMap<u64, Vec<Fault>> {
    let mut faults: BTreeMap<u64, Vec<Fault>> = BTreeMap::new();
    let mut state = mix(seed);
    let mut random = |below: u64| {
        state = mix(state);
        state % below
    };
    let mut add = |hour: u64, fault| faults.entry(hour).or_default().push(fault);
    // One fault of a server at a time, each in a span of its own, so that the end of one does not end another.
    for (number, span) in (0..8).enumerate() {
        let from = 3 + span * 12 + random(6);
        let until = from + 1 + random(3);
        let place = Place::ALL[number % 2];
        match number / 2 {
            0 | 2 => {
                add(from, Fault::Stop(place));
                add(until, Fault::Resume(place));
            }
            1 => {
                add(from, Fault::Stall(place, true));
                add(until, Fault::Stall(place, false));
            }
            _ if place == Place::Database => {
                add(from, Fault::FullDisk(true));
                add(until, Fault::FullDisk(false));
            }
            _ => {
                add(from, Fault::OtherVersion(true));
                add(until, Fault::OtherVersion(false));
            }
        }
    }
    for place in Place::ALL {
        add(OUTAGE.start, Fault::Stop(place));
        add(OUTAGE.end, Fault::Resume(place));
        for _ in 0..12 {
            add(2 + random(HOURS - 4), Fault::Cut(place));
        }
    }
    for _ in 0..30 {
        add(1 + random(HOURS - 2), Fault::KillShipper(random(nodes as u64) as usize));
    }
    for _ in 0..nodes / 10 {
        add(10 + random(HOURS - 20), Fault::LosePod(random(nodes as u64) as usize));
    }
    for pod in (0..nodes).step_by(2) {
        add(SECOND_BUILD, Fault::Restart(pod));
    }
    for hour in [30, 90, 140] {
        add(hour, Fault::Compact);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_of_a_server_ends_before_the_next_begins() {
        for seed in 0..50 {
            let mut is_down = [false; 2];
            for fault in schedule(seed, 50).into_values().flatten() {
                match fault {
                    Fault::Stop(place) | Fault::Stall(place, true) => {
                        assert!(!std::mem::replace(&mut is_down[place as usize], true), "seed {seed}");
                    }
                    Fault::Resume(place) | Fault::Stall(place, false) => {
                        assert!(std::mem::replace(&mut is_down[place as usize], false), "seed {seed}");
                    }
                    _ => {}
                }
            }
            assert_eq!(is_down, [false; 2]);
        }
    }
}
