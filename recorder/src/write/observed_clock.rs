//! Observed time, by which traces age: the time that a recorder has seen pass.
//!
//! A wall clock can be wrong by years, and a retention that trusts it would delete everything at once. Observed time is
//! a position instead. While a recorder runs, the position advances with the monotonic clock. Between two recordings it
//! advances by the difference of their wall-clock times if that is plausible. It does not advance if the wall clock
//! went back, or jumped further than a service is usually down. A trace from the future ages like those recorded with
//! it.

use std::time::{Duration, Instant};

use crate::block::block_index::BlockIndex;

/// The longest gap between two recordings that is plausible.
const MAX_GAP: Duration = Duration::from_secs(24 * 60 * 60);

/// A clock that counts observed time.
#[derive(Debug)]
pub(crate) struct ObservedClock {
    /// Position at the instant `at`.
    position: Duration,
    at: Instant,
    /// Start of the newest request in the existing blocks, by the wall clock since the Unix epoch.
    newest: Option<Duration>,
}

/// An implausible difference between the wall clock and the newest trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockDifference {
    pub(crate) by: Duration,
    pub(crate) is_ahead: bool,
}

impl ObservedClock {
    pub(crate) fn new() -> Self {
        Self { position: Duration::ZERO, at: Instant::now(), newest: None }
    }

    /// Advances past an existing block. Blocks come in the order of their recording. Returns the position at the end of
    /// the block.
    pub(crate) fn advance_past(&mut self, index: &BlockIndex) -> Duration {
        if index.count > 0 && index.min_started <= index.max_started {
            let (first, last) =
                (Duration::from_nanos(index.min_started), Duration::from_nanos(index.max_started));
            let gap = self.newest.and_then(|newest| first.checked_sub(newest));
            self.position += gap.map_or(Duration::ZERO, plausible) + plausible(last - first);
            self.newest = Some(last);
        }
        self.position
    }

    /// Starts recording at this wall-clock time, after all existing blocks. Returns the difference from the newest
    /// trace if it is implausible.
    pub(crate) fn begin(&mut self, now: Duration) -> Option<ClockDifference> {
        self.at = Instant::now();
        let newest = self.newest?;
        let (by, is_ahead) = match now.checked_sub(newest) {
            Some(gap) => (gap, true),
            None => (newest - now, false),
        };
        if is_ahead {
            self.position += plausible(by);
        }
        (by > MAX_GAP).then_some(ClockDifference { by, is_ahead })
    }

    /// Current position.
    pub(crate) fn now(&self) -> Duration {
        self.position + self.at.elapsed()
    }
}

fn plausible(gap: Duration) -> Duration {
    if gap <= MAX_GAP { gap } else { Duration::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600;
    const DAY: u64 = 24 * HOUR;
    /// A moment in 2026, in seconds since the Unix epoch.
    const START: u64 = 1_790_000_000;

    /// Returns the positions, in seconds, at the ends of blocks with these first and last seconds.
    fn positions(blocks: &[(u64, u64)]) -> (ObservedClock, Vec<u64>) {
        let mut clock = ObservedClock::new();
        let found = |&(min, max): &(u64, u64)| {
            let ns = |seconds: u64| (START + seconds) * 1_000_000_000;
            let index =
                BlockIndex { count: 1, min_started: ns(min), max_started: ns(max), ..BlockIndex::default() };
            clock.advance_past(&index).as_secs()
        };
        let positions = blocks.iter().map(found).collect();
        (clock, positions)
    }

    #[test]
    fn only_plausible_gaps_advance_the_clock() {
        let check = |blocks: &[(u64, u64)], wanted: &[u64]| assert_eq!(positions(blocks).1, wanted);
        check(&[(0, HOUR), (2 * HOUR, 3 * HOUR)], &[HOUR, 3 * HOUR]);
        // The wall clock jumped ahead, between two blocks and within one.
        check(&[(0, HOUR), (30 * DAY, 30 * DAY + HOUR)], &[HOUR, 2 * HOUR]);
        check(&[(0, 30 * DAY), (30 * DAY + HOUR, 30 * DAY + HOUR)], &[0, HOUR]);
        // The wall clock was set back.
        check(&[(30 * DAY, 30 * DAY), (HOUR, HOUR), (2 * HOUR, 2 * HOUR)], &[0, 0, HOUR]);
        assert_eq!(ObservedClock::new().advance_past(&BlockIndex::default()), Duration::ZERO);
    }

    #[test]
    fn an_implausible_wall_clock_at_the_start_does_not_advance_the_clock() {
        let begin = |now: u64| {
            let (mut clock, _) = positions(&[(0, HOUR)]);
            let difference = clock.begin(Duration::from_secs(START + now));
            (
                clock.position.as_secs(),
                difference.map(|difference| (difference.by.as_secs(), difference.is_ahead)),
            )
        };
        assert_eq!(begin(13 * HOUR), (13 * HOUR, None));
        assert_eq!(begin(HOUR + 8 * DAY), (HOUR, Some((8 * DAY, true))));
        assert_eq!(begin(0), (HOUR, None));
        let (mut clock, _) = positions(&[(0, 400 * DAY)]);
        let difference = clock.begin(Duration::from_secs(START + DAY)).unwrap();
        assert_eq!((difference.by.as_secs(), difference.is_ahead), (399 * DAY, false));
    }
}
