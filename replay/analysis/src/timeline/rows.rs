//! What a timeline is made of. Times are nanoseconds since the head of the request had arrived.
//!
//! The text in it is as it was recorded: whoever prints it cleans it first.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{Class, Decision, Recorded, Thread};

use super::Totals;
use super::effect::{CompletionDelay, Effect, ReadDelay};
use super::failure::Failure;
use super::gap::Gap;
use super::slot_write::SlotWrite;
use super::step::Step;

/// Where the time of one request went.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// Each run of a step in order, with its effects.
    pub runs: Vec<StepRun>,
    /// When the body had been read; none if no step could begin.
    pub received_ns: Option<u64>,
    /// The classes it was given after that of its flow, in order.
    pub reclassifications: Vec<Reclassification>,
    /// Where it went on elsewhere than on the worker of its connection, in order.
    pub migrations: Vec<Migration>,
    /// What of it was read right after a long step on the worker of its connection.
    pub read_delays: Vec<ReadDelay>,
    /// The split of the whole time.
    pub totals: Totals,
    /// Each slot's last value, in the order in which they were first written.
    pub slots: Vec<SlotWrite>,
    /// What went wrong; none if a step answered.
    pub failure: Option<Failure>,
    /// What the trace does not say, or says in a way that cannot be.
    pub gaps: Vec<Gap>,
}

impl Timeline {
    /// The longest time in which something lay ready while the thread of the request was busy.
    pub fn longest_completion_delay(&self) -> Option<&CompletionDelay> {
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        effects.flat_map(Effect::completion_delays).max_by_key(|late| late.delay_ns)
    }
}

/// A change of class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reclassification {
    /// When.
    pub at_ns: u64,
    /// The class it had.
    pub from: Class,
    /// The class it has from then on.
    pub to: Class,
    /// Why.
    pub reason: String,
}

/// A change of thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// When.
    pub at_ns: u64,
    /// Where it is from then on.
    pub to: Thread,
}

/// One run of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRun {
    /// The step.
    pub step: Arc<Step>,
    /// When it could have run.
    pub ready_ns: u64,
    /// When it began.
    pub start_ns: u64,
    /// How long it waited for its turn.
    pub queue_ns: u64,
    /// How long it ran.
    pub cpu_ns: u64,
    /// How long a turn of its class may take, where it ran for longer.
    pub exceeded_quantum_ns: Option<u64>,
    /// The time in which at least one of its effects was under way.
    pub io_ns: u64,
    /// What it decided; none if the trace holds only what followed from it.
    pub decision: Option<Decision>,
    /// What it handed to its next run, where it yielded.
    pub progress: Option<Recorded>,
    /// What it wrote by itself.
    pub writes: Vec<SlotWrite>,
    /// The effects it asked for.
    pub effects: Vec<Effect>,
}
