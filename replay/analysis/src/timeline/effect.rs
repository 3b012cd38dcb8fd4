//! The effects of a timeline, with their attempts and delays.

use std::fmt;

use serde::Serialize;
use zerver_trace::{EffectError, QueueReason, Recorded, RequestPart, Thread, duration};

use super::slot_write::SlotWrite;

/// An effect, with all its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// The kind of effect, such as `http`.
    pub kind: String,
    /// Its arguments in a few words: `GET idp.example.com/verify`.
    pub summary: String,
    /// Its arguments.
    pub args: Recorded,
    /// When it was first asked for.
    pub start_ns: u64,
    /// From then until its last answer was ready, or to the end of the request if there was none.
    pub duration_ns: u64,
    /// Each attempt, in order; never empty.
    pub attempts: Vec<Attempt>,
    /// How the last attempt ended.
    pub end: EffectEnd,
    /// What was written from its answer.
    pub writes: Vec<SlotWrite>,
}

impl Effect {
    /// Kind and arguments: `http GET idp.example.com/verify`.
    pub fn label(&self) -> String {
        if self.summary.is_empty() { self.kind.clone() } else { format!("{} {}", self.kind, self.summary) }
    }

    /// For how long its attempts could not begin, pauses aside.
    pub fn queued_ns(&self) -> u64 {
        self.attempts.iter().fold(0, |sum, attempt| sum.saturating_add(attempt.queued_ns))
    }

    /// Where what it waited for lay ready, in order.
    pub fn completion_delays(&self) -> impl Iterator<Item = &CompletionDelay> {
        self.attempts.iter().flat_map(|attempt| &attempt.completion_delays)
    }

    /// How long what it waited for lay ready. That is no part of its duration.
    pub fn completion_delay_ns(&self) -> u64 {
        self.completion_delays().fold(0, |sum, late| sum.saturating_add(late.delay_ns))
    }

    /// Its attempts, waits and delays in words: `3 attempts, held 1.20 ms`; nothing if it began at once and once, and its
    /// answer was taken at once.
    pub fn notes(&self) -> Vec<String> {
        let mut ways = Vec::new();
        if self.attempts.len() > 1 {
            ways.push(format!("{} attempts", self.attempts.len()));
        }
        if self.queued_ns() > 0 {
            ways.push(format!("held {}", duration::show(self.queued_ns())));
        }
        if self.completion_delay_ns() > 0 {
            ways.push(format!("late {}", duration::show(self.completion_delay_ns())));
        }
        ways
    }
}

/// One attempt at an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// The number of the call in the trace.
    pub call: u32,
    /// Which attempt it is, from 1.
    pub number: u16,
    /// When it was asked for, and the pause before it was over.
    pub start_ns: u64,
    /// From then until its answer was ready, or to the end of the request if there was none.
    pub duration_ns: u64,
    /// How long the pause before it was.
    pub retry_delay_ns: u64,
    /// For how long of its duration it could not begin.
    pub queued_ns: u64,
    /// For what it could not begin in the end; none if it could at once.
    pub queue_reason: Option<QueueReason>,
    /// The time it had; none means the request's deadline.
    pub timeout_ns: Option<u64>,
    /// Where the end of its pause, and its answer, lay ready while the thread of the request was busy.
    pub completion_delays: Vec<CompletionDelay>,
    /// How it ended.
    pub end: EffectEnd,
}

/// Something lay ready while the thread of the request was busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompletionDelay {
    /// When it was ready.
    pub ready_ns: u64,
    /// From then until it was taken.
    pub delay_ns: u64,
    /// The thread of the request; none where that is not known.
    pub thread: Option<Thread>,
    /// The flow of the step that ran there for most of that time; empty where none ran for long.
    pub flow: String,
    /// That step.
    pub step: String,
}

impl CompletionDelay {
    pub(crate) const fn span(&self) -> (u64, u64) {
        (self.ready_ns, self.ready_ns.saturating_add(self.delay_ns))
    }

    /// Why time was lost, in words: `answers that lay ready: worker 0 ran spin of report`.
    pub(crate) fn label(&self) -> String {
        format!("answers that lay ready: {}", self.reason())
    }

    /// Why, in words: `worker 0 ran spin of report`.
    pub fn reason(&self) -> String {
        let on = self.thread.map_or_else(|| "its worker".to_owned(), |on| on.to_string());
        match self.step.is_empty() {
            true => format!("{on} was busy, or had no core"),
            false => format!("{on} ran {} of {}", self.step, self.flow),
        }
    }
}

/// A part of the request was read right after a long step, and may have lain unread until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadDelay {
    /// The part of the request.
    pub part: RequestPart,
    /// How long it lay unread at most.
    pub unread_ns: u64,
    /// How long the step ran.
    pub ran_ns: u64,
    /// The flow of that step.
    pub flow: String,
    /// That step.
    pub step: String,
}

/// In a line: `head read right after a step of 600.00 ms on its worker: spin of report`.
impl fmt::Display for ReadDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, ran_ns, flow, step, .. } = self;
        let (part, ran) = (part.as_str(), duration::show(*ran_ns));
        write!(f, "{part} read right after a step of {ran} on its worker: {step} of {flow}")
    }
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq)]
pub enum EffectEnd {
    /// With an output.
    Ok {
        /// The output in a few words: `200`, `found`.
        summary: String,
        /// The output.
        output: Recorded,
    },
    /// With an error.
    Err(EffectError),
    /// Nobody wanted it any more.
    Cancelled,
    /// The trace holds no answer.
    Unanswered,
}

/// In a few words: `200`, `timeout: after 300 ms`, `cancelled`, `no answer`.
impl fmt::Display for EffectEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok { summary, .. } => f.write_str(summary),
            Self::Err(error) if error.message.is_empty() => error.kind.fmt(f),
            Self::Err(error) => error.fmt(f),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Unanswered => f.write_str("no answer"),
        }
    }
}
