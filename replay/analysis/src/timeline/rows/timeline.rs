//! Rows of a timeline. Times are nanoseconds since the head of the request arrived.
//!
//! Text is as it was recorded: it must be cleaned before it is printed.

use std::sync::Arc;

use serde::Serialize;
use zerver_trace::{Class, Decision, Recorded, Thread};

use crate::timeline::Totals;
use crate::timeline::rows::effect::{CompletionDelay, Effect, LogLine, ReadDelay};
use crate::timeline::rows::failure::Failure;
use crate::timeline::rows::gap::Gap;
use crate::timeline::rows::slot_write::SlotWrite;
use crate::timeline::rows::step::Step;
use crate::timeline::totals::{Span, without};

/// Time of one request, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Timeline {
    /// Step runs in order, each with its effects.
    pub runs: Vec<StepRun>,
    /// Time when the body had been read; `None` if no step could run.
    pub received_ns: Option<u64>,
    /// Changes of class, in order.
    pub reclassifications: Vec<Reclassification>,
    /// Moves to another thread than the worker of the connection, in order.
    pub migrations: Vec<Migration>,
    /// Parts of the request that were read right after a long step on the worker of the connection.
    pub read_delays: Vec<ReadDelay>,
    /// Total time by cause.
    pub totals: Totals,
    /// Time in the run queue of a request that never had a turn.
    pub(crate) waited: Option<Span>,
    /// Last value of each slot, in the order in which the slots were first written.
    pub slots: Vec<SlotWrite>,
    /// Failure of the request; `None` if a step answered it.
    pub failure: Option<Failure>,
    /// Data that the trace lacks, or that contradicts itself.
    pub gaps: Vec<Gap>,
}

impl Timeline {
    /// Returns the spans in which the request was queued, in order. They add up to [`Totals::queue_ns`].
    pub(crate) fn queue_spans(&self) -> Vec<Span> {
        let total_ns = self.totals.total_ns;
        let clip = |(from_ns, until_ns): Span| (from_ns.min(total_ns), until_ns.min(total_ns));
        let queued = self.runs.iter().map(|run| (run.ready_ns, run.start_ns)).chain(self.waited).map(clip);
        let cpu: Vec<Span> = self
            .runs
            .iter()
            .map(|run| clip((run.start_ns, run.start_ns.saturating_add(run.cpu_ns))))
            .collect();
        let mut queued: Vec<Span> = queued.filter(|(from_ns, until_ns)| from_ns < until_ns).collect();
        queued.sort_unstable();
        let (mut spans, mut reached) = (Vec::new(), 0);
        for (from_ns, until_ns) in queued {
            let from_ns = reached.max(from_ns);
            if from_ns < until_ns {
                spans.extend(without((from_ns, until_ns), cpu.iter().copied()));
                reached = until_ns;
            }
        }
        spans
    }

    /// Returns the completion that waited longest for the worker.
    pub fn longest_completion_delay(&self) -> Option<&CompletionDelay> {
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        effects.flat_map(Effect::completion_delays).max_by_key(|late| late.delay_ns)
    }
}

/// A change of class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reclassification {
    /// Time of the change.
    pub at_ns: u64,
    /// Class before.
    pub from: Class,
    /// Class after.
    pub to: Class,
    /// Reason.
    pub reason: String,
}

/// A move to another thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Migration {
    /// Time of the move.
    pub at_ns: u64,
    /// New thread.
    pub to: Thread,
}

/// Run of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRun {
    /// Step.
    pub step: Arc<Step>,
    /// Time when the step could have run.
    pub ready_ns: u64,
    /// Start of the run.
    pub start_ns: u64,
    /// Time in the run queue.
    pub queue_ns: u64,
    /// Run time.
    pub cpu_ns: u64,
    /// Quantum of the class, if the run was longer.
    pub exceeded_quantum_ns: Option<u64>,
    /// Time in which at least one of its effects was in flight.
    pub io_ns: u64,
    /// Decision; `None` if the trace has only what followed from it.
    pub decision: Option<Decision>,
    /// Progress handed to the next run, if the step yielded.
    pub progress: Option<Recorded>,
    /// Slots written by the step itself.
    pub writes: Vec<SlotWrite>,
    /// Effects requested by the step.
    pub effects: Vec<Effect>,
    /// Lines that the step logged outside of effects.
    pub log_lines: Vec<LogLine>,
}
