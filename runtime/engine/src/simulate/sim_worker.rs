//! A worker in virtual time: its sockets, and who waits for a turn on it.

use std::collections::{BTreeMap, VecDeque};

use crate::{Behind, Overruns, Ready, Scheduling, Ticket};

pub(super) struct Home {
    /// What is there to be read.
    pub(super) sockets: VecDeque<usize>,
    /// So many of them it runs one by one as it reads them, before it looks again.
    at_once: usize,
    /// When it last looked.
    looked_ns: u64,
    pub(super) behind: Behind,
    /// Whether it was when it last looked: what it read then waits for turns, also once it comes round quickly again.
    was_behind: bool,
    pub(super) ready: Ready,
    pub(super) overruns: Overruns,
    pub(super) waiting: BTreeMap<Ticket, usize>,
    /// Whether a request of another worker is on its way to it.
    pub(super) is_claimed: bool,
}

impl Home {
    pub(super) fn new(settings: &Scheduling, flows: usize) -> Self {
        Self {
            sockets: VecDeque::new(),
            at_once: 0,
            looked_ns: 0,
            behind: Behind::default(),
            was_behind: false,
            ready: Ready::new(settings.clone()),
            overruns: Overruns::new(settings, flows),
            waiting: BTreeMap::new(),
            is_claimed: false,
        }
    }

    /// One is there to be read; whether the worker had nothing to do.
    pub(super) fn arrives(&mut self, job: usize, is_idle: bool, now_ns: u64) {
        if is_idle && self.sockets.is_empty() {
            self.looked_ns = now_ns;
            self.behind.rests();
            self.was_behind = false;
        }
        self.sockets.push_back(job);
    }

    /// Those it reads now. A worker that is calm runs one by one as it reads them; else all wait for a turn.
    pub(super) fn look(&mut self, now_ns: u64) -> Vec<usize> {
        if self.at_once == 0 {
            self.was_behind = self.behind.is_behind();
            self.behind.came_round(now_ns.saturating_sub(self.looked_ns), now_ns);
            self.looked_ns = now_ns;
            self.at_once = self.sockets.len();
        }
        let is_calm = !self.was_behind && !self.behind.is_behind() && self.ready.is_empty();
        let many = if is_calm { self.at_once.min(1) } else { self.at_once };
        self.at_once -= many;
        self.sockets.drain(..many).collect()
    }
}
