//! Effects of a timeline, with their attempts and delays.

use std::fmt;

use serde::Serialize;
use zerver_replay::value::label;
use zerver_trace::{
    EffectError, LogLevel, PlanShape, PolicyDecision, QueueReason, Recorded, RequestPart, Thread, duration,
};

use crate::timeline::rows::slot_write::SlotWrite;

/// An effect with all its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// Kind of effect, such as `http`.
    pub kind: String,
    /// Summary of the arguments: `GET idp.example.com/verify`.
    pub summary: String,
    /// Arguments.
    pub args: Recorded,
    /// Time of the first attempt.
    pub start_ns: u64,
    /// Time from the first attempt until the last answer was ready, or until the request ended.
    pub duration_ns: u64,
    /// Attempts in order; never empty.
    pub attempts: Vec<Attempt>,
    /// Decisions of policies about its attempts, in order.
    pub policy_decisions: Vec<PolicyNote>,
    /// Faults that chaos injected into its attempts, in order.
    pub injected_faults: Vec<InjectedFault>,
    /// Lines that were logged while its attempts were performed, in order.
    pub log_lines: Vec<LogLine>,
    /// End of the last attempt.
    pub end: EffectEnd,
    /// Slots written from the answer.
    pub writes: Vec<SlotWrite>,
    /// State of its undo; `None` if it has none.
    pub undo: Option<UndoState>,
    /// The effect that this one undoes, or takes part in undoing.
    pub undoes: Option<String>,
}

/// State of an effect that has an undo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum UndoState {
    /// The request did not fail, so the undo was not needed.
    NotNeeded,
    /// The undo began, and the trace does not show its end.
    Started,
    /// The effect was undone.
    Undone,
    /// The undo failed, or had no time.
    NotUndone,
}

impl Effect {
    /// Returns kind and summary: `http GET idp.example.com/verify`.
    pub fn label(&self) -> String {
        if self.summary.is_empty() { self.kind.clone() } else { format!("{} {}", self.kind, self.summary) }
    }

    /// Returns the time that its attempts waited for permits, in nanoseconds.
    pub fn queued_ns(&self) -> u64 {
        self.attempts.iter().fold(0, |sum, attempt| sum.saturating_add(attempt.queued_ns))
    }

    /// Returns the points that its attempts reached, in order.
    pub fn points(&self) -> impl Iterator<Item = &Point> {
        self.attempts.iter().flat_map(|attempt| &attempt.points)
    }

    /// Returns the parts of the last attempt between the points that it reached, in words, with their times:
    /// `until first byte`, and `after first byte` for the rest. Empty without points.
    pub fn phases(&self) -> Vec<(String, u64)> {
        let Some(attempt) = self.attempts.last() else { return Vec::new() };
        let until = |point: &Point| (format!("until {}", point.point), point.took_ns);
        let end_ns = attempt.start_ns.saturating_add(attempt.duration_ns);
        let rest = |last: &Point| (format!("after {}", last.point), end_ns.saturating_sub(last.at_ns));
        attempt.points.iter().map(until).chain(attempt.points.last().map(rest)).collect()
    }

    /// Returns the completions that waited for the worker, in order.
    pub fn completion_delays(&self) -> impl Iterator<Item = &CompletionDelay> {
        self.attempts.iter().flat_map(|attempt| &attempt.completion_delays)
    }

    /// Returns the time that completions waited for the worker, in nanoseconds. It is not part of the duration.
    pub fn completion_delay_ns(&self) -> u64 {
        self.completion_delays().fold(0, |sum, late| sum.saturating_add(late.delay_ns))
    }

    /// Returns the rules of chaos that injected something, in order, each with the number of times.
    pub(crate) fn injected_faults(&self) -> Vec<(&str, usize)> {
        let mut rules: Vec<(&str, usize)> = Vec::new();
        for fault in &self.injected_faults {
            match rules.iter_mut().find(|(rule, _)| *rule == fault.rule) {
                Some((_, times)) => *times += 1,
                None => rules.push((&fault.rule, 1)),
            }
        }
        rules
    }

    /// Returns what chaos injected, in words: `injected by chaos rule kv=timeout:10%`, with ` 2 times` for several.
    pub fn injected_faults_in_words(&self) -> Vec<String> {
        let words = |(rule, times): (&str, usize)| match times {
            1 => format!("injected by chaos rule {rule}"),
            _ => format!("injected by chaos rule {rule} {times} times"),
        };
        self.injected_faults().into_iter().map(words).collect()
    }

    /// Returns undos, attempts, injected faults, waits and delays in words: `undone`, `3 attempts`, `queued 1.20 ms`. Empty for a single
    /// attempt without any of them.
    pub fn notes(&self) -> Vec<String> {
        let mut ways: Vec<String> = self.undoes.iter().map(|effect| format!("undoes {effect}")).collect();
        match self.undo {
            Some(UndoState::Undone) => ways.push("undone".to_owned()),
            Some(UndoState::NotUndone) => ways.push("not undone".to_owned()),
            Some(UndoState::NotNeeded | UndoState::Started) | None => {}
        }
        if self.attempts.len() > 1 {
            ways.push(format!("{} attempts", self.attempts.len()));
        }
        if self.queued_ns() > 0 {
            let queued = duration::show(self.queued_ns());
            let is_rate = |attempt: &Attempt| attempt.queue_reason == Some(QueueReason::Rate);
            let by = if self.attempts.iter().any(is_rate) { " by the rate limit" } else { "" };
            ways.push(format!("queued {queued}{by}"));
        }
        ways.extend(self.injected_faults_in_words());
        ways.extend(self.policy_decisions.iter().map(ToString::to_string));
        if self.completion_delay_ns() > 0 {
            ways.push(format!("answer {} late", duration::show(self.completion_delay_ns())));
        }
        ways
    }
}

/// Attempt at an effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Number of the call in the trace.
    pub call: u32,
    /// Number of the attempt, from 1.
    pub number: u16,
    /// Start of the attempt, after the pause before it.
    pub start_ns: u64,
    /// Time from the start until the answer was ready, or until the request ended.
    pub duration_ns: u64,
    /// Pause before the attempt.
    pub retry_delay_ns: u64,
    /// Time within the duration that the attempt waited for a permit.
    pub queued_ns: u64,
    /// Last reason for waiting; `None` if the attempt started at once.
    pub queue_reason: Option<QueueReason>,
    /// Time limit; `None` means the request's deadline.
    pub timeout_ns: Option<u64>,
    /// Points that it reached, in the order of their times.
    pub points: Vec<Point>,
    /// Plan with which a database performed it, if its interpreter knew it.
    pub plan: Option<Plan>,
    /// Completions that waited for the worker: the end of the pause, the answer.
    pub completion_delays: Vec<CompletionDelay>,
    /// End of the attempt.
    pub end: EffectEnd,
}

impl Attempt {
    /// Adds a point that it reached, or its plan.
    pub(crate) fn reached(&mut self, at_ns: u64, point: &str) {
        if let Some(PlanShape { hash, text }) = PlanShape::parse(point) {
            self.plan = Some(Plan { hash: hash.to_owned(), text: text.to_owned() });
            return;
        }
        let begun_ns = self.start_ns.saturating_add(self.queued_ns);
        let since_ns = self.points.last().map_or(begun_ns, |last| last.at_ns);
        self.points.push(Point { point: point.to_owned(), at_ns, took_ns: at_ns.saturating_sub(since_ns) });
    }
}

/// A fault that chaos injected into an attempt, or a latency that it added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InjectedFault {
    /// Number of the call in the trace.
    pub call: u32,
    /// Time at which the call would have been made.
    pub at_ns: u64,
    /// Rule, as it was written: `http GET rates..=timeout:10%`.
    pub rule: String,
}

/// A line that was logged while an attempt was performed.
#[derive(Debug, Clone, PartialEq)]
pub struct LogLine {
    /// Number of the call in the trace; `None` if a step logged the line outside of calls.
    pub call: Option<u32>,
    /// Time of the line.
    pub at_ns: u64,
    /// Level of the line.
    pub level: LogLevel,
    /// Part of the program that logged it.
    pub target: String,
    /// Text of the line.
    pub line: Recorded,
}

impl LogLine {
    /// Returns the text with secrets masked.
    pub fn text(&self) -> String {
        match self.line.value().map(|value| value.root().as_str().map(str::to_owned)) {
            Some(Some(text)) => text,
            _ => label::output(&self.line),
        }
    }
}

/// A decision of a policy about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PolicyNote {
    /// Number of the call in the trace.
    pub call: u32,
    /// Time of the decision.
    pub at_ns: u64,
    /// Decision.
    pub decision: PolicyDecision,
    /// Pause before the next attempt, or time for which calls are refused; 0 if the decision is about none.
    pub wait_ns: u64,
}

/// Formats as `circuit breaker opened for 1.00 s`, `not repeated: retry budget exhausted`.
impl fmt::Display for PolicyNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (decision, wait) = (self.decision, duration::show(self.wait_ns));
        match (decision, self.wait_ns) {
            (_, 0) => decision.fmt(f),
            (PolicyDecision::BreakerOpened, _) => write!(f, "{decision} for {wait}"),
            _ => write!(f, "{decision} ({wait})"),
        }
    }
}

/// A point that an attempt reached, as its interpreter reported it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Name of the point, such as `connected`.
    pub point: String,
    /// Time at which it was reached.
    pub at_ns: u64,
    /// Time since the previous point, or since the attempt started.
    pub took_ns: u64,
}

/// Plan with which a database performed a call, without numbers and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Hash of the whole plan.
    pub hash: String,
    /// Operations, shortened: `Limit(Index Scan using todos_pkey on todos)`.
    pub text: String,
}

/// A completion that waited because the worker was busy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CompletionDelay {
    /// Time when the completion was ready.
    pub ready_ns: u64,
    /// Time from then until the worker took it.
    pub delay_ns: u64,
    /// Thread of the request; `None` if unknown.
    pub thread: Option<Thread>,
    /// Flow of the step that ran there for most of that time; empty if no step ran for long.
    pub flow: String,
    /// Name of that step.
    pub step: String,
}

impl CompletionDelay {
    pub(crate) const fn span(&self) -> (u64, u64) {
        (self.ready_ns, self.ready_ns.saturating_add(self.delay_ns))
    }

    /// Returns the lost time in words: `late answers: worker 0 ran spin of report`.
    pub(crate) fn label(&self) -> String {
        format!("late answers: {}", self.reason())
    }

    /// Returns the reason in words: `worker 0 ran spin of report`.
    pub fn reason(&self) -> String {
        let on = self.thread.map_or_else(|| "its worker".to_owned(), |on| on.to_string());
        match self.step.is_empty() {
            true => format!("{on} was busy or had no core"),
            false => format!("{on} ran {} of {}", self.step, self.flow),
        }
    }
}

/// A part of the request that was read right after a long step, and may have lain unread until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReadDelay {
    /// Part of the request.
    pub part: RequestPart,
    /// Upper bound of the time it lay unread, in nanoseconds.
    pub unread_ns: u64,
    /// Duration of the step, in nanoseconds.
    pub ran_ns: u64,
    /// Flow of that step.
    pub flow: String,
    /// Name of that step.
    pub step: String,
}

/// Formats as `head read right after a step of 600 ms on its worker: spin of report`.
impl fmt::Display for ReadDelay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, ran_ns, flow, step, .. } = self;
        let (part, ran) = (part.as_str(), duration::show(*ran_ns));
        write!(f, "{part} read right after a step of {ran} on its worker: {step} of {flow}")
    }
}

/// End of an effect or an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum EffectEnd {
    /// The effect has an output.
    Ok {
        /// Summary of the output: `200`, `found`.
        summary: String,
        /// Output.
        output: Recorded,
    },
    /// The effect failed.
    Err(EffectError),
    /// The effect was canceled because its result was no longer needed.
    Canceled,
    /// The trace has no answer.
    Unanswered,
}

/// Formats as `200`, `timeout: after 300 ms`, `canceled` or `no answer`.
impl fmt::Display for EffectEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok { summary, .. } => f.write_str(summary),
            Self::Err(error) if error.message.is_empty() => error.kind.fmt(f),
            Self::Err(error) => error.fmt(f),
            Self::Canceled => f.write_str("canceled"),
            Self::Unanswered => f.write_str("no answer"),
        }
    }
}
