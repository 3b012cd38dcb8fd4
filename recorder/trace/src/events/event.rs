//! Events: one recorded fact each.

use bincode::{Decode, Encode};
use serde::Serialize;

use super::{Answer, Decision, LogLevel, PolicyDecision, QueueReason, Thread};
use crate::{Class, Name};

/// A fact about a request. Times are nanoseconds since the arrival of the complete request head, on a monotonic clock.
///
/// `V` is the representation of values: [`crate::SharedValue`] while the request runs, [`crate::Recorded`] in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event<V> {
    /// The whole body was read, so steps may start.
    BodyReceived {
        /// Time of the event.
        at_ns: u64,
    },
    /// A step ran once. It returned at `at_ns` plus `cpu_ns`.
    StepRan {
        /// Position of the step in the flow.
        step: u16,
        /// Time at which the step became ready to run.
        ready_ns: u64,
        /// Start of the run.
        at_ns: u64,
        /// Duration of the run.
        cpu_ns: u64,
        /// Decision of the step.
        decision: Decision,
    },
    /// A step yielded, to be run again with its progress.
    StepYielded {
        /// Position of the step in the flow.
        step: u16,
        /// Progress that the next run receives.
        progress: V,
    },
    /// A step wrote a slot.
    SlotWritten {
        /// Position of the step in the flow.
        step: u16,
        /// Position of the slot in the flow's slots.
        slot: u16,
        /// Time of the write.
        at_ns: u64,
        /// New value of the slot.
        value: V,
    },
    /// A step requested an effect.
    EffectRequested {
        /// Number of this effect within the trace: 0, 1, 2, and so on.
        call: u32,
        /// Position of the step in the flow.
        step: u16,
        /// Time of the request.
        at_ns: u64,
        /// Kind of effect, such as `http`.
        kind: Name,
        /// Arguments of the effect.
        args: V,
        /// Number of the attempt, from 1.
        attempt: u16,
        /// Time limit of the effect, or `None` if only the request's deadline applies.
        timeout_ns: Option<u64>,
    },
    /// An effect completed.
    EffectCompleted {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time of the completion.
        at_ns: u64,
        /// Result of the effect.
        answer: Answer<V>,
    },
    /// A rule or the scheduler gave the request another class. The class of the trace is the one that the rules
    /// assigned.
    Reclassified {
        /// Time of the change.
        at_ns: u64,
        /// Previous class.
        from: Class,
        /// New class.
        to: Class,
        /// Reason, for a person.
        reason: Name,
    },
    /// A requested effect could not start, and was queued.
    EffectQueued {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time at which the effect was queued.
        at_ns: u64,
        /// Reason for queueing.
        reason: QueueReason,
    },
    /// A queued effect started.
    EffectStarted {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time of the start.
        at_ns: u64,
    },
    /// The request moved from the worker of its connection to another thread: an idle worker, or a thread of low
    /// priority.
    Migrated {
        /// Time at which the new thread took the request.
        at_ns: u64,
        /// New thread.
        to: Thread,
    },
    /// The preceding run of a step exceeded the quantum of its class.
    QuantumExceeded {
        /// Position of the step in the flow.
        step: u16,
        /// Time at which the step returned.
        at_ns: u64,
        /// Length of the quantum.
        quantum_ns: u64,
    },
    /// An answer, or the expiry of an effect's time limit, was ready while the thread of the request was busy.
    CompletionDelayed {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time at which the answer was ready.
        ready_ns: u64,
        /// Time at which the thread took the answer.
        at_ns: u64,
        /// Thread of the request, or `None` if unknown.
        thread: Option<Thread>,
        /// Flow of the step that occupied the thread for most of that time, or empty if no step ran for long.
        flow: Name,
        /// Name of that step.
        step: Name,
    },
    /// A part of the request was read right after a long step on the worker of its connection, and may have been waiting
    /// unread until then. For the head, that wait precedes the start of the request.
    ReadDelayed {
        /// Part of the request.
        part: RequestPart,
        /// Maximum time that the part waited unread.
        unread_ns: u64,
        /// Duration of the long step.
        ran_ns: u64,
        /// Flow of the long step.
        flow: Name,
        /// Name of the long step.
        step: Name,
    },
    /// The step panicked, or its code that handles an effect's output did.
    StepPanicked {
        /// Position of the step in the flow.
        step: u16,
        /// Time of the panic.
        at_ns: u64,
        /// Source file of the panic.
        file: Name,
        /// Line of the panic, from 1.
        line: u32,
        /// Column of the panic, from 1.
        column: u32,
    },
    /// An effect reached a point on its way, such as `connected` or `first_byte`. Its interpreter reported it.
    EffectPoint {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time at which the point was reached.
        at_ns: u64,
        /// Name of the point.
        point: Name,
    },
    /// A policy decided about a call.
    PolicyDecided {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time of the decision.
        at_ns: u64,
        /// Decision.
        decision: PolicyDecision,
        /// Time that the decision is about: the pause before the next attempt, or the time for which calls are refused.
        /// 0 if there is none.
        wait_ns: u64,
    },
    /// An effect succeeded that has an undo: another effect, performed if the request fails later.
    UndoRegistered {
        /// Number of this undo within the trace: 0, 1, 2, and so on.
        undo: u32,
        /// The last call of the effect, or `None` if it made no call.
        call: Option<u32>,
        /// Position of the step in the flow.
        step: u16,
        /// Time of the event.
        at_ns: u64,
    },
    /// The request has failed, and an undo begins. The effects that are requested from here to its
    /// [`Event::UndoEnded`] belong to it.
    UndoStarted {
        /// The `undo` of its [`Event::UndoRegistered`].
        undo: u32,
        /// Time of the start.
        at_ns: u64,
    },
    /// An undo ended, or will not be started any more.
    UndoEnded {
        /// The `undo` of its [`Event::UndoRegistered`].
        undo: u32,
        /// Time of the end.
        at_ns: u64,
        /// The failure because of which the effect is not undone, or `None` if it is undone.
        failure: Option<V>,
    },
    /// A rule of chaos injected a fault into a call, or delayed it.
    FaultInjected {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time at which the call would have been made.
        at_ns: u64,
        /// Rule, as it was written.
        rule: Name,
    },
    /// The code that performed a call logged a line.
    Logged {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// Time of the line.
        at_ns: u64,
        /// Level of the line.
        level: LogLevel,
        /// Part of the program that logged it, such as a module.
        target: Name,
        /// Text of the line, with its fields.
        line: V,
    },
    /// The code of a step logged a line outside of calls. Only the handler of a service around which there is a layer does, since
    /// steps perform no I/O.
    StepLogged {
        /// Position of the step in the flow.
        step: u16,
        /// Time of the line.
        at_ns: u64,
        /// Level of the line.
        level: LogLevel,
        /// Part of the program that logged it, such as a module.
        target: Name,
        /// Text of the line, with its fields.
        line: V,
    },
}

/// A part of a request that is read from its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPart {
    /// The request line and the headers.
    Head,
    /// The body.
    Body,
}

impl RequestPart {
    /// Returns the word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

impl<V> Event<V> {
    /// Returns the same event with `f` applied to its values.
    pub fn map<W>(self, mut f: impl FnMut(V) -> W) -> Event<W> {
        match self {
            Self::BodyReceived { at_ns } => Event::BodyReceived { at_ns },
            Self::StepRan { step, ready_ns, at_ns, cpu_ns, decision } => {
                Event::StepRan { step, ready_ns, at_ns, cpu_ns, decision }
            }
            Self::StepYielded { step, progress } => Event::StepYielded { step, progress: f(progress) },
            Self::SlotWritten { step, slot, at_ns, value } => {
                Event::SlotWritten { step, slot, at_ns, value: f(value) }
            }
            Self::EffectRequested { call, step, at_ns, kind, args, attempt, timeout_ns } => {
                Event::EffectRequested { call, step, at_ns, kind, args: f(args), attempt, timeout_ns }
            }
            Self::EffectCompleted { call, at_ns, answer } => {
                Event::EffectCompleted { call, at_ns, answer: answer.map(f) }
            }
            Self::Reclassified { at_ns, from, to, reason } => Event::Reclassified { at_ns, from, to, reason },
            Self::EffectQueued { call, at_ns, reason } => Event::EffectQueued { call, at_ns, reason },
            Self::EffectStarted { call, at_ns } => Event::EffectStarted { call, at_ns },
            Self::Migrated { at_ns, to } => Event::Migrated { at_ns, to },
            Self::QuantumExceeded { step, at_ns, quantum_ns } => {
                Event::QuantumExceeded { step, at_ns, quantum_ns }
            }
            Self::CompletionDelayed { call, ready_ns, at_ns, thread, flow, step } => {
                Event::CompletionDelayed { call, ready_ns, at_ns, thread, flow, step }
            }
            Self::ReadDelayed { part, unread_ns, ran_ns, flow, step } => {
                Event::ReadDelayed { part, unread_ns, ran_ns, flow, step }
            }
            Self::StepPanicked { step, at_ns, file, line, column } => {
                Event::StepPanicked { step, at_ns, file, line, column }
            }
            Self::EffectPoint { call, at_ns, point } => Event::EffectPoint { call, at_ns, point },
            Self::PolicyDecided { call, at_ns, decision, wait_ns } => {
                Event::PolicyDecided { call, at_ns, decision, wait_ns }
            }
            Self::UndoRegistered { undo, call, step, at_ns } => {
                Event::UndoRegistered { undo, call, step, at_ns }
            }
            Self::UndoStarted { undo, at_ns } => Event::UndoStarted { undo, at_ns },
            Self::UndoEnded { undo, at_ns, failure } => {
                Event::UndoEnded { undo, at_ns, failure: failure.map(f) }
            }
            Self::FaultInjected { call, at_ns, rule } => Event::FaultInjected { call, at_ns, rule },
            Self::Logged { call, at_ns, level, target, line } => {
                Event::Logged { call, at_ns, level, target, line: f(line) }
            }
            Self::StepLogged { step, at_ns, level, target, line } => {
                Event::StepLogged { step, at_ns, level, target, line: f(line) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Event, SharedValue};

    #[test]
    fn an_event_fits_in_one_cache_line() {
        assert_eq!(size_of::<Event<SharedValue>>(), 64);
    }
}
