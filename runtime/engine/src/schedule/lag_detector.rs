//! Whether a worker is behind: the one rule by which real workers and simulated ones tell whether requests run as they
//! come, or wait for a turn.

/// A worker that takes longer to come round, to everybody who is ready and to its sockets, is behind: whoever arrives then
/// waits for a turn, so that the urgent go first. Well below the shortest time after which anybody is sent away; not less,
/// for a turn takes about 2 us, and of short requests many are ready at once.
const ROUND_NS: u64 = 4_000_000;

/// One that runs for so long makes its worker behind by itself: beside it, what a turn takes is little.
const LONG_NS: u64 = 500_000;

/// As long as nobody waits for so long, and nothing else is long, turns are given up again after [`ROUND_NS`]: of a few
/// that ask again and again, somebody always waits.
const SHORT_NS: u64 = 2_000_000;

/// Whether one worker is behind. All times are of one clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    is_behind: bool,
    /// When it was last seen that turns are needed.
    hurried_ns: u64,
}

impl Behind {
    /// Whether a run of this length is long: then it counts how much of it was the worker's own time.
    pub const fn is_long(ran_ns: u64) -> bool {
        ran_ns >= LONG_NS
    }

    /// The worker has come round, which took so long.
    pub const fn came_round(&mut self, took_ns: u64, now_ns: u64) {
        self.is_behind = false;
        if took_ns >= ROUND_NS {
            self.hurry(now_ns);
        }
    }

    /// A request has run for so long. Whether that was long: whoever was read together with it waits for a turn.
    pub const fn ran(&mut self, ran_ns: u64, now_ns: u64) -> bool {
        let is_long = Self::is_long(ran_ns);
        if is_long {
            self.hurry(now_ns);
        }
        is_long
    }

    /// Whether a wait for a turn of this length says that turns are needed.
    pub const fn is_long_wait(waited_ns: u64) -> bool {
        waited_ns >= SHORT_NS
    }

    /// Somebody has waited for a turn for so long.
    pub const fn waited(&mut self, waited_ns: u64, now_ns: u64) {
        if Self::is_long_wait(waited_ns) {
            self.hurry(now_ns);
        }
    }

    /// It has nothing to do, or comes round quickly again.
    pub const fn rests(&mut self) {
        self.is_behind = false;
    }

    /// Whether whoever comes now is to wait for a turn.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether turns are no longer needed, though some wait: all of them get one.
    pub const fn is_over(&self, now_ns: u64) -> bool {
        !self.is_behind && now_ns.saturating_sub(self.hurried_ns) >= ROUND_NS
    }

    const fn hurry(&mut self, now_ns: u64) {
        self.is_behind = true;
        self.hurried_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_takes_long_makes_a_worker_behind_until_it_has_been_quick_for_a_while() {
        let mut worker = Behind::default();
        worker.came_round(4 * MS - 1, 100 * MS);
        assert!(!worker.ran(MS / 2 - 1, 100 * MS));
        worker.waited(2 * MS - 1, 100 * MS);
        assert!(!worker.is_behind() && worker.is_over(100 * MS));
        for hurry in [
            |worker: &mut Behind| worker.came_round(4 * MS, 100 * MS),
            |worker: &mut Behind| assert!(worker.ran(MS / 2, 100 * MS)),
            |worker: &mut Behind| worker.waited(2 * MS, 100 * MS),
        ] {
            let mut worker = Behind::default();
            hurry(&mut worker);
            assert!(worker.is_behind() && !worker.is_over(200 * MS));
            worker.came_round(MS, 101 * MS);
            assert!(!worker.is_behind() && !worker.is_over(104 * MS - 1) && worker.is_over(104 * MS));
        }
    }
}
