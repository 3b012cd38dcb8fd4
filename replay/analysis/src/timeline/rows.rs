//! What a timeline is made of. Times are nanoseconds since the head of the request had arrived.
//!
//! The text in it is as it was recorded: whoever prints it cleans it first.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use zerver_replay::RecordedJson;
use zerver_trace::{Class, Decision, EffectError, QueueReason, Recorded, RequestPart, Thread, Trace};

use zerver_trace::duration;

use super::{Totals, builder};

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
    /// The timeline of a trace. Takes any trace: what is missing or cannot be is in [`Timeline::gaps`].
    pub fn of(trace: &Trace) -> Self {
        builder::timeline(trace)
    }

    /// The longest time in which something lay ready while the thread of the request was busy.
    pub fn longest_completion_delay(&self) -> Option<&CompletionDelay> {
        let effects = self.runs.iter().flat_map(|run| &run.effects);
        effects.flat_map(Effect::completion_delays).max_by_key(|late| late.delay_ns)
    }
}

/// A step of the flow, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its position in the flow.
    pub index: u16,
    /// Its name.
    pub name: String,
    /// Its source file, as the compiler saw it; empty if the flow has no such step.
    pub file: String,
    /// Its line in that file, from 1; 0 if the flow has no such step.
    pub line: u32,
    /// The slots it reads.
    pub reads: Vec<String>,
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

/// A slot that got its value.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotWrite {
    /// Its position in the flow's slots.
    pub slot: u16,
    /// Its name.
    pub name: String,
    /// Whether it is a secret, whatever the value says.
    pub is_secret: bool,
    /// When.
    pub at_ns: u64,
    /// The value.
    pub value: Recorded,
}

impl SlotWrite {
    /// Whether the value must not be shown.
    pub fn is_masked(&self) -> bool {
        self.is_secret || (self.value.is_secret() && self.value.value().is_none())
    }

    /// The value for other programs: masked where it is a secret.
    pub fn json(&self) -> RecordedJson {
        match &self.value {
            // Its hash, but nothing of what it holds.
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } if self.is_secret => {
                RecordedJson::Value(Recorded::Hashed { hash: *hash, masked: None })
            }
            Recorded::Plain { .. } if self.is_secret => RecordedJson::Masked,
            value => RecordedJson::Value(value.clone()),
        }
    }
}

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

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of a failure (`not_found`), or how else the request ended: `panicked`, `timed_out`, `gone`, `rejected`.
    pub kind: String,
    /// What it is about, such as `todo`; may be empty.
    pub what: String,
    /// Which one, such as `456`; may be empty.
    pub key: String,
    /// More, for a person; may be empty.
    pub message: String,
    /// The step that failed, asked for the effect that failed, or was the last.
    pub step: Option<Arc<Step>>,
    /// Where it panicked, if it did and that is known: the source file, and the line from 1.
    pub panicked_at: Option<(String, u32)>,
    /// The effects that failed or were still under way, each with how it ended.
    pub effects: Vec<(String, String)>,
    /// What caused it, nearest first.
    pub causes: Vec<String>,
}

impl Failure {
    /// Where in the source it comes from, as far as that is known: the place of a panic, or else the step.
    pub fn source(&self) -> Option<(&str, u32)> {
        let step = self.step.as_ref().filter(|step| step.line > 0);
        let place = self.panicked_at.as_ref().map(|(file, line)| (file.as_str(), *line));
        place.or_else(|| step.map(|step| (step.file.as_str(), step.line)))
    }
}

/// In a line: `not_found todo 456: no such row`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        for part in [&self.what, &self.key] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}

/// Something that the trace does not say, or says in a way that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// So many events were left out when it was recorded.
    Dropped(u32),
    /// So many attempts at effects have no answer.
    Unanswered(u32),
    /// So many answers belong to no effect.
    StrayAnswers(u32),
    /// So many effects or writes belong to a step that, by this trace, did not run.
    WithoutRun(u32),
    /// So many events name a step or a slot that the flow does not have.
    UnknownNames(u32),
    /// So many times lie before what they follow.
    Backwards(u32),
    /// So many runs of a step lie beyond the end of the request.
    PastEnd(u32),
    /// So many bytes of the request's body were not recorded.
    RequestBody(u64),
    /// So many bytes of the response's body were not recorded.
    ResponseBody(u64),
    /// A value was not recorded: which, and why.
    Value(String, String),
    /// So many more values were not recorded.
    MoreValues(u32),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut say = |n: u64, one: &str, more: &str, rest: &str| {
            write!(f, "{n} {} {rest}", if n == 1 { one } else { more })
        };
        match self {
            &Self::Dropped(n) => say(n.into(), "event", "events", "left out while recording"),
            &Self::Unanswered(n) => say(n.into(), "effect", "effects", "without an answer"),
            &Self::StrayAnswers(n) => say(n.into(), "answer", "answers", "to no effect in the trace"),
            &Self::WithoutRun(n) => {
                say(n.into(), "event", "events", "of a step whose run is not in the trace")
            }
            &Self::UnknownNames(n) => {
                say(n.into(), "event names", "events name", "a step or slot that the flow lacks")
            }
            &Self::Backwards(n) => say(n.into(), "time lies", "times lie", "before what came first"),
            &Self::PastEnd(n) => say(n.into(), "step ran", "steps ran", "beyond the end of the request"),
            &Self::RequestBody(n) => say(n, "byte", "bytes", "of the request's body not recorded"),
            &Self::ResponseBody(n) => say(n, "byte", "bytes", "of the response's body not recorded"),
            Self::Value(what, why) => write!(f, "{what} not recorded: {why}"),
            &Self::MoreValues(n) => say(n.into(), "more value", "more values", "not recorded"),
        }
    }
}
