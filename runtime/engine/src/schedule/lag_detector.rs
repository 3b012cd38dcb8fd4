//! Detects that a worker is behind. Real and simulated workers share this one rule, which decides whether a new request
//! runs inline as soon as it is read, or goes through the run queue.

/// A worker that needs this long for a full pass over its ready tasks and its sockets is behind: new requests queue, so
/// that urgent ones go first. The limit is well below the shortest wait after which a request is shed. It is not lower
/// still because queueing costs about 2 µs per request, and many short requests are often ready at once.
const SLOW_PASS_NS: u64 = 4_000_000;

/// A single run of this length makes its worker behind. Next to it the cost of queueing is negligible.
const LONG_RUN_NS: u64 = 500_000;

/// A wait in the queue of this length shows that queueing is still needed. While all waits and runs are shorter, the
/// worker stops queueing after [`SLOW_PASS_NS`], even if the queue is not empty: a few clients that send one request
/// after another always leave something in it.
const LONG_WAIT_NS: u64 = 2_000_000;

/// Tracks whether one worker is behind. All times are read from the same clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LagDetector {
    is_behind: bool,
    /// Time of the latest sign that queueing is needed.
    last_lag_ns: u64,
}

impl LagDetector {
    /// Returns true if a run of this length is long. Only for a long run is it worth measuring how much of it was the
    /// worker's own time.
    pub const fn is_long_run(ran_ns: u64) -> bool {
        ran_ns >= LONG_RUN_NS
    }

    /// Records a full pass of the worker's event loop, which took `took_ns`.
    pub const fn pass_finished(&mut self, took_ns: u64, now_ns: u64) {
        self.is_behind = false;
        if took_ns >= SLOW_PASS_NS {
            self.lagged(now_ns);
        }
    }

    /// Records that a request ran for `ran_ns`. Returns true if that was long; requests that were read in the same pass
    /// then queue.
    pub const fn request_ran(&mut self, ran_ns: u64, now_ns: u64) -> bool {
        let is_long = Self::is_long_run(ran_ns);
        if is_long {
            self.lagged(now_ns);
        }
        is_long
    }

    /// Returns true if a wait of this length in the run queue shows that queueing is needed.
    pub const fn is_long_wait(waited_ns: u64) -> bool {
        waited_ns >= LONG_WAIT_NS
    }

    /// Records that a request waited for `waited_ns` in the run queue.
    pub const fn request_waited(&mut self, waited_ns: u64, now_ns: u64) {
        if Self::is_long_wait(waited_ns) {
            self.lagged(now_ns);
        }
    }

    /// Records that the worker is idle, or that its passes are quick again.
    pub const fn caught_up(&mut self) {
        self.is_behind = false;
    }

    /// Returns true if new requests must queue.
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Returns true if queueing is no longer needed: every request that is still in the queue may run.
    pub const fn has_recovered(&self, now_ns: u64) -> bool {
        !self.is_behind && now_ns.saturating_sub(self.last_lag_ns) >= SLOW_PASS_NS
    }

    const fn lagged(&mut self, now_ns: u64) {
        self.is_behind = true;
        self.last_lag_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_worker_is_behind_after_anything_slow_and_recovers_after_a_quick_while() {
        let mut worker = LagDetector::default();
        worker.pass_finished(4 * MS - 1, 100 * MS);
        assert!(!worker.request_ran(MS / 2 - 1, 100 * MS));
        worker.request_waited(2 * MS - 1, 100 * MS);
        assert!(!worker.is_behind() && worker.has_recovered(100 * MS));
        for lag in [
            |worker: &mut LagDetector| worker.pass_finished(4 * MS, 100 * MS),
            |worker: &mut LagDetector| assert!(worker.request_ran(MS / 2, 100 * MS)),
            |worker: &mut LagDetector| worker.request_waited(2 * MS, 100 * MS),
        ] {
            let mut worker = LagDetector::default();
            lag(&mut worker);
            assert!(worker.is_behind() && !worker.has_recovered(200 * MS));
            worker.pass_finished(MS, 101 * MS);
            assert!(
                !worker.is_behind() && !worker.has_recovered(104 * MS - 1) && worker.has_recovered(104 * MS)
            );
        }
    }
}
