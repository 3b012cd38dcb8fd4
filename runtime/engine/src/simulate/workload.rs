//! A load in virtual time: what it runs on, what it does, and what becomes of it.

use zerver_trace::Class;

use crate::{Scheduling, Why};

/// What a load runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Cores that all workers share.
    pub cores: usize,
    /// Ordinary workers, at least one. Connections that are on none are dealt to them in turn.
    pub workers: usize,
    /// Workers of low priority, for batch; with none, batch runs on the ordinary ones after the others.
    pub low_workers: usize,
    /// The policy.
    pub settings: Scheduling,
}

/// One request of a load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// When it is there for its worker to be read, in nanoseconds.
    pub at_ns: u64,
    /// Its class.
    pub class: Class,
    /// Its flow: a small number.
    pub flow: u16,
    /// Its connection, numbered in the order in which they were opened.
    pub connection: u32,
    /// The worker that has its connection, where that is known, and it is there; others are dealt in turn.
    pub worker: Option<u16>,
    /// How long it takes until another worker has it that is idle, in nanoseconds.
    pub handed_ns: u64,
    /// What it does, in order.
    pub parts: Vec<Part>,
}

impl Part {
    /// A step that runs for so long, in nanoseconds of a core.
    pub const fn step(step: u16, ns: u64) -> Self {
        let takes = Takes { before_ns: 0, unseen_ns: 0, ns };
        Self::Step { step, takes, takes_low: takes, own_ns: ns }
    }
}

/// What a request does, as far as a scheduler can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A step runs.
    Step {
        /// Its position in the flow.
        step: u16,
        /// On an ordinary worker.
        takes: Takes,
        /// On one of low priority.
        takes_low: Takes,
        /// For how much of its time on an ordinary worker it is to blame, where that is longer than its quantum.
        own_ns: u64,
    },
    /// It waits for effects.
    Wait {
        /// How long, in nanoseconds.
        ns: u64,
    },
}

/// How long a step takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takes {
    /// Until its worker comes to it, once it has its turn, in nanoseconds of a core. It waits meanwhile.
    pub before_ns: u64,
    /// For how much of that it was not there yet: this is no wait of its own.
    pub unseen_ns: u64,
    /// Then, in nanoseconds of a core.
    pub ns: u64,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fate {
    /// When its worker had read it, in nanoseconds on the clock of the load.
    pub read_ns: u64,
    /// How long it could have run and did not, in nanoseconds.
    pub queue_ns: u64,
    /// When it ended, in nanoseconds on the clock of the load.
    pub end_ns: u64,
    /// For how long of that time it was not there yet, in nanoseconds.
    pub unseen_ns: u64,
    /// Why it was sent away, unless it was served.
    pub shed: Option<Why>,
    /// Whether it was moved to a worker of low priority that its class does not run on.
    pub is_demoted: bool,
    /// Whether another worker than that of its connection ran it.
    pub is_stolen: bool,
    /// How often it ended. Anything but 1 is a bug.
    pub ends: u32,
}

/// What became of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simulated {
    /// For each request, in the order of the load.
    pub fates: Vec<Fate>,
    /// The flows that were moved to low priority because a step of theirs overran often.
    pub slow: Vec<u16>,
    /// How long ordinary workers ran steps, all together, in nanoseconds.
    pub busy_ns: u64,
    /// The same of those of low priority.
    pub low_busy_ns: u64,
}
