//! Events: one recorded fact each.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::{Class, Name};

/// One fact about a request. Times are nanoseconds since the head of the request had arrived, on a monotonic clock.
///
/// `V` is what a value looks like: [`crate::SharedValue`] while the request runs, [`crate::Recorded`] in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Event<V> {
    /// The whole body has been read; steps may begin.
    BodyReceived {
        /// When.
        at_ns: u64,
    },
    /// A step ran, once. Its `cpu_ns` end where it returned.
    StepRan {
        /// Position in the flow.
        step: u16,
        /// When it could have run.
        ready_ns: u64,
        /// When it began.
        at_ns: u64,
        /// How long it ran.
        cpu_ns: u64,
        /// What it decided.
        decision: Decision,
    },
    /// A step handed its progress back to itself.
    StepYielded {
        /// Position in the flow.
        step: u16,
        /// What it will get.
        progress: V,
    },
    /// A slot got its value.
    SlotWritten {
        /// The step that wrote it.
        step: u16,
        /// Position in the flow's slots.
        slot: u16,
        /// When.
        at_ns: u64,
        /// The value.
        value: V,
    },
    /// An effect was asked for.
    EffectRequested {
        /// Names this effect within the trace: 0, 1, 2, ..
        call: u32,
        /// The step that asked.
        step: u16,
        /// When.
        at_ns: u64,
        /// The kind of effect, such as `http`.
        kind: Name,
        /// Its arguments.
        args: V,
        /// Which try this is, from 1.
        attempt: u16,
        /// The time it has; none means the request's deadline.
        timeout_ns: Option<u64>,
    },
    /// An effect ended.
    EffectCompleted {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// When.
        at_ns: u64,
        /// How.
        answer: Answer<V>,
    },
    /// It was given another class: by a rule, or by the scheduler on its way. The trace's own class is the one that the
    /// rules gave it.
    Reclassified {
        /// When.
        at_ns: u64,
        /// The class it had.
        from: Class,
        /// The class it has from then on.
        to: Class,
        /// Why, for a person.
        reason: Name,
    },
    /// An effect that had been asked for could not begin: it is held from now on.
    EffectQueued {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// When.
        at_ns: u64,
        /// For what.
        reason: QueueReason,
    },
    /// An effect that was held began.
    EffectStarted {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// When.
        at_ns: u64,
    },
    /// It goes on elsewhere than on the worker of its connection: on another one, which was idle, or at low priority.
    Migrated {
        /// When that thread took it.
        at_ns: u64,
        /// Where it is from then on.
        to: Thread,
    },
    /// The run before this overran: it took longer than a turn of its class may.
    QuantumExceeded {
        /// The step that ran.
        step: u16,
        /// When it returned.
        at_ns: u64,
        /// How long a turn may take.
        quantum_ns: u64,
    },
    /// An answer lay ready while the thread of the request was busy, or the time that an effect had was over.
    CompletionDelayed {
        /// The `call` of its [`Event::EffectRequested`].
        call: u32,
        /// When it was ready.
        ready_ns: u64,
        /// When the thread took it.
        at_ns: u64,
        /// The thread of the request; none where that is not known.
        thread: Option<Thread>,
        /// The flow of the step that ran there for most of that time; empty where no step ran for long.
        flow: Name,
        /// That step.
        step: Name,
    },
    /// A part of the request was read right after a long step on the worker of its connection, and may have lain unread
    /// until then. For the head, that was before the request's own time begins.
    ReadDelayed {
        /// The part of the request.
        part: RequestPart,
        /// How long it lay unread at most.
        unread_ns: u64,
        /// How long the step ran.
        ran_ns: u64,
        /// The flow of that step.
        flow: Name,
        /// That step.
        step: Name,
    },
    /// The step, or what it made of an effect's output, panicked.
    StepPanicked {
        /// The step: position in the flow.
        step: u16,
        /// When.
        at_ns: u64,
        /// The source file of the panic.
        file: Name,
        /// The line of the panic, from 1.
        line: u32,
        /// The column of the panic, from 1.
        column: u32,
    },
}

/// A part of a request, as it is read from its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestPart {
    /// The request line and the headers.
    Head,
    /// The body.
    Body,
}

impl RequestPart {
    /// The word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

/// A thread on which requests run. Each sort has numbers of its own, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Thread {
    /// A worker, which has connections.
    Worker(u16),
    /// A thread of low priority.
    BatchWorker(u16),
}

/// As people call it: `worker 1`, `batch worker 0`.
impl fmt::Display for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(number) => write!(f, "worker {number}"),
            Self::BatchWorker(number) => write!(f, "batch worker {number}"),
        }
    }
}

impl<V> Event<V> {
    /// The same event with its values changed by `f`.
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
        }
    }
}

/// For what an effect is held that cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum QueueReason {
    /// The pause before another attempt.
    RetryDelay,
    /// As many effects of its request as may be are in flight.
    Request,
    /// As many effects as may be are in flight that ask the same target.
    Target,
    /// As many effects of its kind as may be are in flight.
    Kind,
}

impl QueueReason {
    /// The word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RetryDelay => "retry_delay",
            Self::Request => "request",
            Self::Target => "target",
            Self::Kind => "kind",
        }
    }
}

/// What a step decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Go on, with what it wrote.
    Continue,
    /// Wait for effects.
    Need,
    /// Run again later, with its progress.
    Yield,
    /// Answer.
    Done,
    /// Give up.
    Fail,
    /// It panicked, which is not its decision.
    Panic,
}

impl Decision {
    /// The word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Need => "need",
            Self::Yield => "yield",
            Self::Done => "done",
            Self::Fail => "fail",
            Self::Panic => "panic",
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Answer<V> {
    /// With this output.
    Ok(V),
    /// Without one.
    Err(EffectError),
    /// Nobody wanted it any more: the request had ended, or another effect was first.
    Cancelled,
}

impl<V> Answer<V> {
    fn map<W>(self, f: impl FnOnce(V) -> W) -> Answer<W> {
        match self {
            Self::Ok(value) => Answer::Ok(f(value)),
            Self::Err(error) => Answer::Err(error),
            Self::Cancelled => Answer::Cancelled,
        }
    }
}

/// Why an effect gave no output.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct EffectError {
    /// What sort of error.
    pub kind: EffectErrorKind,
    /// More, for a person.
    pub message: String,
}

impl EffectError {
    /// An error of this kind.
    pub fn new(kind: EffectErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for EffectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.message)
    }
}

impl std::error::Error for EffectError {}

/// What sort of error an effect ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectErrorKind {
    /// It took longer than it had.
    Timeout,
    /// Whom it asked could not be reached, or hung up.
    Unreachable,
    /// What came back could not be understood.
    Malformed,
    /// What came back is larger than allowed.
    TooLarge,
    /// It was asked for in a way that cannot be done.
    Invalid,
    /// No interpreter performs this kind of effect here.
    NoInterpreter,
    /// The interpreter failed, or panicked.
    Internal,
}

impl EffectErrorKind {
    /// The word used in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::NoInterpreter => "no_interpreter",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for EffectErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Event, SharedValue};

    #[test]
    fn an_event_is_one_line_of_the_cache() {
        assert_eq!(size_of::<Event<SharedValue>>(), 64);
    }
}
