//! A worker in virtual time: its sockets and its run queue. It does not run requests; [`super::simulation`] does.

use std::collections::{BTreeMap, VecDeque};

use crate::{FairQueue, LagDetector, OverrunTracker, SchedulingSettings, Ticket};

pub(super) struct SimWorker {
    /// Requests that can be read.
    pub(super) sockets: VecDeque<usize>,
    /// Number of requests at the front of `sockets` that belong to the current pass. A worker that is not behind runs
    /// them one by one as it reads them.
    in_pass: usize,
    /// Start of the current pass.
    pass_ns: u64,
    pub(super) lag: LagDetector,
    /// True if the worker was behind at the start of the pass. Requests that it reads in such a pass queue, even if
    /// passes are quick again.
    was_behind: bool,
    pub(super) queue: FairQueue,
    pub(super) overruns: OverrunTracker,
    /// Queued requests by ticket.
    pub(super) waiting: BTreeMap<Ticket, usize>,
    /// True if a request of another worker is on its way to this one.
    pub(super) is_claimed: bool,
}

impl SimWorker {
    pub(super) fn new(settings: &SchedulingSettings, flows: usize) -> Self {
        Self {
            sockets: VecDeque::new(),
            in_pass: 0,
            pass_ns: 0,
            lag: LagDetector::default(),
            was_behind: false,
            queue: FairQueue::new(settings.clone()),
            overruns: OverrunTracker::new(settings, flows),
            waiting: BTreeMap::new(),
            is_claimed: false,
        }
    }

    /// Makes a request readable; `is_idle` if the worker has nothing to do.
    pub(super) fn arrive(&mut self, request: usize, is_idle: bool, now_ns: u64) {
        if is_idle && self.sockets.is_empty() {
            self.pass_ns = now_ns;
            self.lag.caught_up();
            self.was_behind = false;
        }
        self.sockets.push_back(request);
    }

    /// Returns the requests that the worker reads now: a single one if it can run at once, otherwise the rest of the
    /// pass, all of which queue.
    pub(super) fn read(&mut self, now_ns: u64) -> Vec<usize> {
        if self.in_pass == 0 {
            self.was_behind = self.lag.is_behind();
            self.lag.pass_finished(now_ns.saturating_sub(self.pass_ns), now_ns);
            self.pass_ns = now_ns;
            self.in_pass = self.sockets.len();
        }
        let runs_inline = !self.was_behind && !self.lag.is_behind() && self.queue.is_empty();
        let count = if runs_inline { self.in_pass.min(1) } else { self.in_pass };
        self.in_pass -= count;
        self.sockets.drain(..count).collect()
    }
}
