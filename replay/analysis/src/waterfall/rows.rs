//! Rows of a waterfall: for the request, for each step and effect, and for the response, with the uses of their time.
//!
//! Text is as it was recorded: it must be cleaned before it is shown.

use zerver_trace::{Decision, Kept, Trace, is_client_error};

use crate::time_attribution::{RunShare, attribute_time};
use crate::waterfall::row_state::RowState;
use crate::{Attempt, Effect, Failure, StepRun, Timeline, display};

/// Subject of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowSubject {
    /// The request as received.
    Request,
    /// Run of a step, by its index in the timeline.
    Run(usize),
    /// Effect of a run, by both indices.
    Effect(usize, usize),
    /// The response.
    Response,
}

/// Use of a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUse {
    /// The body was being read.
    Receive,
    /// Waiting in the run queue, or for a permit.
    Queue,
    /// A step ran.
    Cpu,
    /// An effect was in flight.
    Effect,
    /// An attempt that was followed by another one.
    Retry,
}

/// Row of the waterfall.
#[derive(Debug, Clone)]
pub struct WaterfallRow {
    /// Subject.
    pub subject: RowSubject,
    /// Start.
    pub at_ns: u64,
    /// Duration.
    pub took_ns: u64,
    /// Stretches of time: use, start and end.
    pub spans: Vec<(TimeUse, u64, u64)>,
    /// Name of the step, or kind and summary of the effect.
    pub name: String,
    /// Result in words.
    pub outcome: String,
    /// State at its end.
    pub state: RowState,
    /// Part of the time of the request that this row accounts for. The parts of all rows add up to the explained time,
    /// so that a row without a part did not delay the request.
    pub share_ns: u64,
}

/// Returns the first rows of a request, at most about `most`.
pub fn waterfall_rows(trace: &Trace, timeline: &Timeline, most: usize) -> Vec<WaterfallRow> {
    let mut rows = vec![request_row(trace, timeline)];
    let failing = failing_run(timeline);
    let shares = attribute_time(timeline);
    for (at, run) in timeline.runs.iter().enumerate() {
        if rows.len() > most {
            return rows;
        }
        let failure = timeline.failure.as_ref().filter(|_| failing == Some(at));
        rows.push(run_row(trace, (at, run), &shares.runs[at], failure));
        let effects = run.effects.iter().enumerate();
        rows.extend(effects.map(|(n, effect)| {
            effect_row(trace, RowSubject::Effect(at, n), effect, shares.runs[at].effects[n].whole_ns())
        }));
    }
    // Spans do not contain a body, and need not contain a status.
    let is_imported = trace.kept == Kept::Imported;
    let has_none = trace.status == 0 && !is_imported;
    rows.push(WaterfallRow {
        subject: RowSubject::Response,
        at_ns: trace.duration_ns,
        took_ns: 0,
        spans: Vec::new(),
        name: if has_none { "no response".to_owned() } else { "response".to_owned() },
        outcome: match trace.status {
            0 => trace.outcome.as_str().to_owned(),
            status if is_imported => status.to_string(),
            status => format!("{status}, {} bytes", trace.response_body.full_len),
        },
        state: match trace.status {
            _ if has_none => RowState::Failed,
            500.. => RowState::Failed,
            status if is_client_error(status) => RowState::ClientError,
            _ => RowState::Good,
        },
        share_ns: 0,
    });
    rows
}

fn request_row(trace: &Trace, timeline: &Timeline) -> WaterfallRow {
    let received_ns = timeline.totals.receive_ns;
    let body = trace.request_body.full_len;
    WaterfallRow {
        subject: RowSubject::Request,
        at_ns: 0,
        took_ns: received_ns,
        spans: vec![(TimeUse::Receive, 0, received_ns)],
        name: "request".to_owned(),
        outcome: if body > 0 { format!("{body} bytes") } else { String::new() },
        state: RowState::Good,
        share_ns: received_ns,
    }
}

/// Returns the run in which the request failed: the one that reported it, else the last run of the step whose effects
/// failed.
pub fn failing_run(timeline: &Timeline) -> Option<usize> {
    let failure = timeline.failure.as_ref()?;
    let said = |run: &StepRun| matches!(run.decision, Some(Decision::Fail | Decision::Panic));
    let is_step = |run: &StepRun| Some(run.step.index) == failure.step.as_ref().map(|step| step.index);
    timeline.runs.iter().rposition(said).or_else(|| timeline.runs.iter().rposition(is_step))
}

fn run_row(
    trace: &Trace,
    (at, run): (usize, &StepRun),
    share: &RunShare,
    failure: Option<&Failure>,
) -> WaterfallRow {
    let said = match run.decision {
        Some(Decision::Need) => display::needs(&run.effects),
        Some(Decision::Done) => format!("done {}", trace.status),
        Some(Decision::Yield) => "yields".to_owned(),
        Some(Decision::Fail | Decision::Panic) if failure.is_some() => String::new(),
        Some(Decision::Fail) => "failed".to_owned(),
        Some(Decision::Panic) => "panicked".to_owned(),
        Some(Decision::Continue) => String::new(),
        None if !trace.has_steps() => String::new(),
        None => "run not in the trace".to_owned(),
    };
    let failed = failure.map(ToString::to_string).unwrap_or_default();
    WaterfallRow {
        subject: RowSubject::Run(at),
        at_ns: run.start_ns,
        took_ns: run.cpu_ns,
        spans: vec![
            (TimeUse::Queue, run.ready_ns, run.start_ns),
            (TimeUse::Cpu, run.start_ns, run.start_ns.saturating_add(run.cpu_ns)),
        ],
        name: run.step.name.clone(),
        outcome: joined([failed, said, display::wrote(&run.writes), display::exceeded_quantum(run)]),
        state: RowState::of_run(trace, run, failure),
        share_ns: share.cpu_ns + share.queue_ns + share.completion_delay_ns,
    }
}

fn effect_row(trace: &Trace, subject: RowSubject, effect: &Effect, share_ns: u64) -> WaterfallRow {
    let last = effect.attempts.len().saturating_sub(1);
    let spans = |(at, attempt): (usize, &Attempt)| {
        let time_uses = if at < last { TimeUse::Retry } else { TimeUse::Effect };
        let end_ns = attempt.start_ns.saturating_add(attempt.duration_ns);
        let begun_ns = attempt.start_ns.saturating_add(attempt.queued_ns).min(end_ns);
        let held = (attempt.queued_ns > 0).then_some((TimeUse::Queue, attempt.start_ns, begun_ns));
        held.into_iter().chain([(time_uses, begun_ns, end_ns)])
    };
    WaterfallRow {
        subject,
        at_ns: effect.start_ns,
        took_ns: effect.duration_ns,
        spans: effect.attempts.iter().enumerate().flat_map(spans).collect(),
        name: effect.label(),
        outcome: joined([effect.end.to_string(), effect.notes().join(", "), display::wrote(&effect.writes)]),
        state: RowState::of_effect(trace, effect),
        share_ns,
    }
}

fn joined<const N: usize>(parts: [String; N]) -> String {
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Returns the kinds of bars in the rows, in the order of the legend.
pub fn time_uses(rows: &[WaterfallRow]) -> Vec<TimeUse> {
    let mut all = vec![TimeUse::Cpu, TimeUse::Effect, TimeUse::Queue, TimeUse::Retry, TimeUse::Receive];
    let spans = || rows.iter().flat_map(|row| &row.spans);
    all.retain(|time_uses| spans().any(|(other, from, to)| other == time_uses && to > from));
    all
}
