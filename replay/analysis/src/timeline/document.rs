//! The JSON form of a timeline, printed by `zerver trace --json`. Its fields are documented and stable; more may be
//! added.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use zerver_replay::RecordedJson;
use zerver_trace::{Class, Decision, Header, Kept, LogLevel, Recorded, RecordedBody, RecordedBy, Trace};

use crate::queue_holders::QueueHolders;
use crate::rfc3339;
use crate::sql::RepeatedStatement;
use crate::timeline::contributors::Verdict;
use crate::timeline::rows::effect::{
    CompletionDelay, Effect, EffectEnd, InjectedFault, LogLine, Plan, Point, PolicyNote, ReadDelay, UndoState,
};
use crate::timeline::rows::failure::Failure;
use crate::timeline::rows::slot_write::SlotWrite;
use crate::timeline::rows::step::Step;
use crate::timeline::rows::timeline::{Migration, Reclassification, StepRun, Timeline};
use crate::timeline::totals::Totals;

/// A trace as a JSON document. Durations are in nanoseconds; values follow [`RecordedJson`].
#[derive(Debug, Clone, Serialize)]
pub struct TimelineJson {
    id: String,
    flow: String,
    method: String,
    path: String,
    /// `null` if the trace was imported from spans that do not contain it.
    status: Option<u16>,
    duration_ns: u64,
    class: Class,
    /// Omitted if the request kept the class of its flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reclassifications: Vec<Reclassification>,
    /// Index of the worker that owned the connection; omitted if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u16>,
    /// Omitted if the request stayed on that worker.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    migrations: Vec<Migration>,
    /// Omitted if no part of the request was read right after a long step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    read_delays: Vec<ReadDelay>,
    started_at: String,
    outcome: &'static str,
    complete: bool,
    steps: Vec<StepJson>,
    totals: TotalsJson,
    /// Holders of its threads while it was queued; omitted if it hardly was, or if no other requests were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueHolders>,
    slots: SlotsJson,
    failure: Option<FailureJson>,
    verdict: Option<VerdictJson>,
    /// Omitted if no SQL statement was repeated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    repeated_statements: Vec<RepeatedStatement>,
    missing: Vec<String>,
    kept: Kept,
    recorded_by: RecordedBy,
    build: String,
    request: RequestJson,
    response: ResponseJson,
}

#[derive(Debug, Clone, Serialize)]
struct StepJson {
    name: String,
    decision: Option<Decision>,
    start_ns: u64,
    /// Times of the run; `null` if the trace does not contain it.
    queue_ns: Option<u64>,
    cpu_ns: Option<u64>,
    /// Quantum of the class, omitted if the run stayed within it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exceeded_quantum_ns: Option<u64>,
    io_ns: u64,
    reads: Vec<String>,
    writes: Vec<WriteJson>,
    effects: Vec<EffectJson>,
    /// Omitted if the step logged nothing, as steps of flows do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_lines: Vec<LogLineJson>,
    source: Option<SourceJson>,
}

#[derive(Debug, Clone, Serialize)]
struct SourceJson {
    file: String,
    line: u32,
}

#[derive(Debug, Clone, Serialize)]
struct WriteJson {
    slot: String,
    value: RecordedJson,
}

#[derive(Debug, Clone, Serialize)]
struct EffectJson {
    kind: String,
    summary: String,
    /// Number of the last attempt among the calls of the request.
    call: u32,
    start_ns: u64,
    duration_ns: u64,
    attempts: usize,
    #[serde(skip_serializing_if = "is_zero")]
    queued_ns: u64,
    /// Omitted if the interpreter reported none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    points: Vec<Point>,
    /// Omitted unless the interpreter of a database knew it.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<Plan>,
    /// Omitted if every completion was taken at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    completion_delays: Vec<CompletionDelay>,
    /// Omitted if no policy decided anything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    policy_decisions: Vec<PolicyNote>,
    /// Omitted if chaos injected nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    injected_faults: Vec<InjectedFault>,
    /// Omitted if nothing was logged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log_lines: Vec<LogLineJson>,
    outcome: String,
    /// Omitted if the effect has no undo.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<UndoState>,
    /// The effect that this one undoes. Omitted if it undoes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<String>,
    args: RecordedJson,
    /// Omitted if the effect has no output.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<RecordedJson>,
    writes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct LogLineJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<u32>,
    at_ns: u64,
    level: LogLevel,
    target: String,
    line: RecordedJson,
}

#[derive(Debug, Clone, Serialize)]
struct TotalsJson {
    total_ns: u64,
    receive_ns: u64,
    /// Times of runs; `null` if a layer or another tracer has recorded the request.
    queue_ns: Option<u64>,
    cpu_ns: Option<u64>,
    wait_ns: u64,
    /// Omitted if every completion was taken at once.
    #[serde(skip_serializing_if = "is_zero")]
    completion_delay_ns: u64,
    unexplained_ns: u64,
    io: BTreeMap<String, KindTotalsJson>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct KindTotalsJson {
    time_ns: u64,
    calls: u64,
}

/// Last value of each slot by name, in the order in which the slots were first written.
#[derive(Debug, Clone)]
struct SlotsJson(Vec<(String, RecordedJson)>);

impl Serialize for SlotsJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[derive(Debug, Clone, Serialize)]
struct FailureJson {
    kind: String,
    what: String,
    key: String,
    message: String,
    step: Option<String>,
    effect: Option<String>,
    effects: Vec<FailedEffectJson>,
    causes: Vec<String>,
    source: Option<SourceJson>,
}

#[derive(Debug, Clone, Serialize)]
struct FailedEffectJson {
    effect: String,
    outcome: String,
}

#[derive(Debug, Clone, Serialize)]
struct VerdictJson {
    kind: &'static str,
    label: String,
    time_ns: u64,
    percent: u8,
    median_ns: Option<u64>,
}

#[derive(Debug, Clone, Serialize)]
struct RequestJson {
    version: String,
    peer: String,
    target: RecordedJson,
    headers: Vec<HeaderJson>,
    body: BodyJson,
    /// Scheme and authority are omitted if the target is only a path, or if they were not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct ResponseJson {
    status: Option<u16>,
    /// True if the response was written to the client, as far as the service can know. `null` if the trace was imported.
    delivered: Option<bool>,
    headers: Vec<HeaderJson>,
    body: BodyJson,
}

#[derive(Debug, Clone, Serialize)]
struct HeaderJson {
    name: String,
    value: RecordedJson,
}

#[derive(Debug, Clone, Serialize)]
struct BodyJson {
    full_bytes: u64,
    kept_bytes: u64,
    value: RecordedJson,
}

impl TimelineJson {
    /// Creates the document of a trace and its timeline.
    pub fn new(trace: &Trace, timeline: &Timeline, verdict: Option<&Verdict>) -> Self {
        Self {
            id: trace.id.to_string(),
            flow: trace.flow.name.clone(),
            method: trace.method.clone(),
            path: trace.path.clone(),
            status: status(trace),
            duration_ns: trace.duration_ns,
            class: trace.class,
            reclassifications: timeline.reclassifications.clone(),
            worker: trace.worker,
            migrations: timeline.migrations.clone(),
            read_delays: timeline.read_delays.clone(),
            started_at: rfc3339(trace.started_unix_ns),
            outcome: trace.outcome.as_str(),
            complete: trace.is_complete(),
            steps: timeline.runs.iter().map(step).collect(),
            totals: totals(&timeline.totals, trace.has_steps()),
            queue: None,
            slots: slots(&timeline.slots),
            failure: timeline.failure.as_ref().map(failure),
            verdict: verdict.map(verdict_json),
            repeated_statements: timeline.repeated_statements(),
            missing: timeline.gaps.iter().map(ToString::to_string).collect(),
            kept: trace.kept,
            recorded_by: trace.recorded_by,
            build: trace.build.clone(),
            request: RequestJson {
                version: trace.version.clone(),
                peer: trace.peer.clone(),
                target: wire(&trace.target),
                headers: headers(&trace.request_headers),
                body: body(&trace.request_body),
                scheme: trace.origin.visible().map(|(scheme, _)| scheme),
                authority: trace.origin.visible().map(|(_, authority)| authority),
            },
            response: ResponseJson {
                status: status(trace),
                delivered: (trace.kept != Kept::Imported)
                    .then_some(trace.status != 0 && !trace.is_undelivered),
                headers: headers(&trace.response_headers),
                body: body(&trace.response_body),
            },
        }
    }

    /// Adds what the request waited behind in run queues.
    #[must_use]
    pub fn with_queue(self, queue: Option<QueueHolders>) -> Self {
        Self { queue, ..self }
    }
}

fn status(trace: &Trace) -> Option<u16> {
    Some(trace.status).filter(|status| *status != 0 || trace.kept != Kept::Imported)
}

fn step(run: &StepRun) -> StepJson {
    let from_effects = run.effects.iter().flat_map(|effect| &effect.writes);
    StepJson {
        name: run.step.name.clone(),
        decision: run.decision,
        start_ns: run.start_ns,
        queue_ns: run.decision.map(|_| run.queue_ns),
        cpu_ns: run.decision.map(|_| run.cpu_ns),
        exceeded_quantum_ns: run.exceeded_quantum_ns,
        io_ns: run.io_ns,
        reads: run.step.reads.clone(),
        writes: run
            .writes
            .iter()
            .chain(from_effects)
            .map(|write| WriteJson { slot: write.name.clone(), value: write.json() })
            .collect(),
        effects: run.effects.iter().map(effect).collect(),
        log_lines: run.log_lines.iter().map(log_line).collect(),
        source: source(&run.step),
    }
}

const fn is_zero(ns: &u64) -> bool {
    *ns == 0
}

fn source(step: &Step) -> Option<SourceJson> {
    (step.line > 0).then(|| SourceJson { file: step.file.clone(), line: step.line })
}

fn log_line(line: &LogLine) -> LogLineJson {
    let LogLine { call, at_ns, level, target, line } = line.clone();
    LogLineJson { call, at_ns, level, target, line: value(&line) }
}

fn effect(effect: &Effect) -> EffectJson {
    EffectJson {
        kind: effect.kind.clone(),
        summary: effect.summary.clone(),
        call: effect.attempts.last().map_or(0, |attempt| attempt.call),
        start_ns: effect.start_ns,
        duration_ns: effect.duration_ns,
        attempts: effect.attempts.len(),
        queued_ns: effect.queued_ns(),
        points: effect.points().cloned().collect(),
        plan: effect.attempts.last().and_then(|attempt| attempt.plan.clone()),
        completion_delays: effect.completion_delays().cloned().collect(),
        policy_decisions: effect.policy_decisions.clone(),
        injected_faults: effect.injected_faults.clone(),
        log_lines: effect.log_lines.iter().map(log_line).collect(),
        outcome: effect.end.to_string(),
        undo: effect.undo,
        undoes: effect.undoes.clone(),
        args: value(&effect.args),
        output: match &effect.end {
            EffectEnd::Ok { output, .. } => Some(value(output)),
            EffectEnd::Err(_) | EffectEnd::Canceled | EffectEnd::Unanswered => None,
        },
        writes: effect.writes.iter().map(|write| write.name.clone()).collect(),
    }
}

fn totals(totals: &Totals, has_steps: bool) -> TotalsJson {
    // Runs that zerver has exported are known.
    let known = |ns: u64| (has_steps || ns > 0).then_some(ns);
    TotalsJson {
        total_ns: totals.total_ns,
        receive_ns: totals.receive_ns,
        queue_ns: known(totals.queue_ns),
        cpu_ns: known(totals.cpu_ns),
        wait_ns: totals.wait_ns,
        completion_delay_ns: totals.completion_delay_ns,
        unexplained_ns: totals.unexplained_ns,
        io: totals
            .io
            .iter()
            .map(|(k, io)| (k.clone(), KindTotalsJson { time_ns: io.time_ns, calls: io.calls }))
            .collect(),
    }
}

fn slots(slots: &[SlotWrite]) -> SlotsJson {
    SlotsJson(slots.iter().map(|slot| (slot.name.clone(), slot.json())).collect())
}

fn failure(failure: &Failure) -> FailureJson {
    FailureJson {
        kind: failure.kind.clone(),
        what: failure.what.clone(),
        key: failure.key.clone(),
        message: failure.message.clone(),
        step: failure.step.as_ref().map(|step| step.name.clone()),
        effect: failure.effects.first().map(|(effect, _)| effect.clone()),
        effects: failure
            .effects
            .iter()
            .map(|(effect, outcome)| FailedEffectJson { effect: effect.clone(), outcome: outcome.clone() })
            .collect(),
        causes: failure.causes.clone(),
        source: failure.source().map(|(file, line)| SourceJson { file: file.to_owned(), line }),
    }
}

fn verdict_json(verdict: &Verdict) -> VerdictJson {
    let largest = &verdict.largest;
    VerdictJson {
        kind: largest.kind.as_str(),
        label: largest.label.clone(),
        time_ns: largest.time_ns,
        percent: largest.percent,
        median_ns: verdict.median_ns,
    }
}

fn value(recorded: &Recorded) -> RecordedJson {
    RecordedJson::Value(recorded.clone())
}

fn wire(recorded: &Recorded) -> RecordedJson {
    RecordedJson::Wire(recorded.clone())
}

fn headers(headers: &[Header<Recorded>]) -> Vec<HeaderJson> {
    headers.iter().map(|h| HeaderJson { name: h.name.clone(), value: wire(&h.value) }).collect()
}

fn body(body: &RecordedBody) -> BodyJson {
    BodyJson { full_bytes: body.full_len, kept_bytes: body.kept_len, value: wire(&body.bytes) }
}
