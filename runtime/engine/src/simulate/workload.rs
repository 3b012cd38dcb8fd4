//! Input and output of a simulation: the machine, the requests, and what becomes of each. Plain data without behavior.

use zerver_trace::Class;

use crate::{SchedulingSettings, ShedReason};

/// Machine on which a workload is simulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimMachine {
    /// Number of cores, shared by all workers.
    pub cores: usize,
    /// Number of ordinary workers; 0 counts as 1. Connections without a known worker are assigned round robin.
    pub workers: usize,
    /// Number of batch workers, which run at low priority. If 0, ordinary workers run batch after everything else.
    pub batch_workers: usize,
    /// Settings of the policy.
    pub settings: SchedulingSettings,
}

/// A request of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimRequest {
    /// Time at which its worker can read it, in nanoseconds.
    pub arrives_ns: u64,
    /// Its class.
    pub class: Class,
    /// Number of its flow; numbers are small and without gaps.
    pub flow: u16,
    /// Number of its connection, in the order in which connections were opened.
    pub connection: u32,
    /// Worker that owns its connection, if known. A worker that the machine does not have counts as unknown.
    pub worker: Option<u16>,
    /// Time that a migration to an idle worker takes, in nanoseconds.
    pub handoff_ns: u64,
    /// Its steps and waits, in order.
    pub phases: Vec<Phase>,
}

impl Phase {
    /// Creates a step that needs `ns` nanoseconds of a core on any worker.
    pub const fn step(step: u16, ns: u64) -> Self {
        let cost = StepCost { start_delay_ns: 0, not_waiting_ns: 0, run_ns: ns };
        Self::Step { step, cost, batch_cost: cost, charged_ns: ns }
    }
}

/// Part of a request's life, as far as a scheduler can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A step runs.
    Step {
        /// Position of the step in its flow.
        step: u16,
        /// Cost on an ordinary worker.
        cost: StepCost,
        /// Cost on a batch worker.
        batch_cost: StepCost,
        /// Run time on an ordinary worker that counts towards an overrun, in nanoseconds. It is less than `cost.run_ns`
        /// if the system kept the step from its core.
        charged_ns: u64,
    },
    /// The request waits for its effects.
    Wait {
        /// Length of the wait, in nanoseconds.
        ns: u64,
    },
}

/// Cost of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepCost {
    /// Delay from the step's turn to its start, in nanoseconds of a core. The request waits meanwhile.
    pub start_delay_ns: u64,
    /// Part of `start_delay_ns` that is not a wait of this request, because it was not ready yet.
    pub not_waiting_ns: u64,
    /// Run time, in nanoseconds of a core.
    pub run_ns: u64,
}

/// Simulated outcome of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SimOutcome {
    /// Time at which its worker read it, in nanoseconds.
    pub read_ns: u64,
    /// Time for which it was ready but did not run, in nanoseconds.
    pub queue_ns: u64,
    /// Time at which it ended, in nanoseconds.
    pub end_ns: u64,
    /// Sum of [`StepCost::not_waiting_ns`] over its steps, in nanoseconds.
    pub not_waiting_ns: u64,
    /// Reason for which it was shed, if it was.
    pub shed: Option<ShedReason>,
    /// True if it was reclassified as batch.
    pub is_reclassified: bool,
    /// True if it ran on another worker than that of its connection.
    pub is_stolen: bool,
    /// Number of times it ended. Any other number than 1 is a bug.
    pub ends: u32,
}

/// Result of a simulation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SimResult {
    /// Outcomes of the requests, in the order of the workload.
    pub outcomes: Vec<SimOutcome>,
    /// Flows that were reclassified because one of their steps overran often, in the order in which that happened.
    pub reclassified_flows: Vec<u16>,
    /// Total run time of steps on ordinary workers, in nanoseconds.
    pub busy_ns: u64,
    /// Total run time of steps on batch workers, in nanoseconds.
    pub batch_busy_ns: u64,
}
