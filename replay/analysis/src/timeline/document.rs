//! The timeline for other programs: what `zerver trace --json` prints. Its fields are documented and stable; more may
//! come.

use std::collections::BTreeMap;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use zerver_replay::RecordedJson;
use zerver_trace::{Class, Decision, Header, Kept, Recorded, RecordedBody, Trace};

use super::contributors::Verdict;
use super::rows::{
    CompletionDelay, Effect, EffectEnd, Failure, Migration, ReadDelay, Reclassification, SlotWrite, Step,
    StepRun, Timeline,
};
use super::totals::Totals;
use crate::rfc3339;

/// One trace as a JSON document. Durations are nanoseconds, values are as [`RecordedJson`] describes.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineJson {
    id: String,
    flow: String,
    method: String,
    path: String,
    status: u16,
    duration_ns: u64,
    class: Class,
    /// Left out where it kept the class of its flow.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    moves: Vec<Reclassification>,
    /// The number of the worker of its connection; left out where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<u16>,
    /// Left out where it stayed there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    carries: Vec<Migration>,
    /// Left out where nothing was read right after a long step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    read_late: Vec<ReadDelay>,
    started_at: String,
    outcome: &'static str,
    complete: bool,
    steps: Vec<StepJson>,
    totals: TotalsJson,
    slots: SlotsJson,
    failure: Option<FailureJson>,
    verdict: Option<VerdictJson>,
    missing: Vec<String>,
    kept: Kept,
    build: String,
    request: RequestJson,
    response: ResponseJson,
}

#[derive(Debug, Clone, Serialize)]
struct StepJson {
    name: String,
    decision: Option<Decision>,
    at_ns: u64,
    queue_ns: u64,
    cpu_ns: u64,
    /// How long a turn of its class may take; left out where it took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    overran_ns: Option<u64>,
    io_ns: u64,
    reads: Vec<String>,
    writes: Vec<WriteJson>,
    effects: Vec<EffectJson>,
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
    at_ns: u64,
    duration_ns: u64,
    attempts: usize,
    #[serde(skip_serializing_if = "is_zero")]
    held_ns: u64,
    /// Left out where each answer was taken at once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    late: Vec<CompletionDelay>,
    outcome: String,
    args: RecordedJson,
    /// What it gave; left out where it gave nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<RecordedJson>,
    writes: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
struct TotalsJson {
    total_ns: u64,
    receive_ns: u64,
    queue_ns: u64,
    cpu_ns: u64,
    wait_ns: u64,
    /// Left out where each answer was taken at once.
    #[serde(skip_serializing_if = "is_zero")]
    late_ns: u64,
    unexplained_ns: u64,
    io: BTreeMap<String, IoJson>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct IoJson {
    ns: u64,
    calls: u64,
}

/// The last value of each slot under its name, in the order of their writing.
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
    part: &'static str,
    what: String,
    ns: u64,
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
    /// Both are left out where the target is only a path, or that was not recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct ResponseJson {
    status: u16,
    /// Whether it was written to the client, as far as that is known.
    delivered: bool,
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
    full_len: u64,
    kept_len: u64,
    value: RecordedJson,
}

impl TimelineJson {
    /// The document of a trace and its timeline.
    pub fn new(trace: &Trace, timeline: &Timeline, verdict: Option<&Verdict>) -> Self {
        Self {
            id: trace.id.to_string(),
            flow: trace.flow.name.clone(),
            method: trace.method.clone(),
            path: trace.path.clone(),
            status: trace.status,
            duration_ns: trace.duration_ns,
            class: trace.class,
            moves: timeline.reclassifications.clone(),
            worker: trace.worker,
            carries: timeline.migrations.clone(),
            read_late: timeline.read_delays.clone(),
            started_at: rfc3339(trace.started_unix_ns),
            outcome: trace.outcome.as_str(),
            complete: trace.is_complete(),
            steps: timeline.runs.iter().map(step).collect(),
            totals: totals(&timeline.totals),
            slots: slots(&timeline.slots),
            failure: timeline.failure.as_ref().map(failure),
            verdict: verdict.map(verdict_json),
            missing: timeline.gaps.iter().map(ToString::to_string).collect(),
            kept: trace.kept,
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
                status: trace.status,
                delivered: trace.status != 0 && !trace.is_undelivered,
                headers: headers(&trace.response_headers),
                body: body(&trace.response_body),
            },
        }
    }
}

fn step(run: &StepRun) -> StepJson {
    let from_effects = run.effects.iter().flat_map(|effect| &effect.writes);
    StepJson {
        name: run.step.name.clone(),
        decision: run.decision,
        at_ns: run.start_ns,
        queue_ns: run.queue_ns,
        cpu_ns: run.cpu_ns,
        overran_ns: run.exceeded_quantum_ns,
        io_ns: run.io_ns,
        reads: run.step.reads.clone(),
        writes: run
            .writes
            .iter()
            .chain(from_effects)
            .map(|write| WriteJson { slot: write.name.clone(), value: write.json() })
            .collect(),
        effects: run.effects.iter().map(effect).collect(),
        source: source(&run.step),
    }
}

/// Most effects are not held.
const fn is_zero(ns: &u64) -> bool {
    *ns == 0
}

fn source(step: &Step) -> Option<SourceJson> {
    (step.line > 0).then(|| SourceJson { file: step.file.clone(), line: step.line })
}

fn effect(effect: &Effect) -> EffectJson {
    EffectJson {
        kind: effect.kind.clone(),
        summary: effect.summary.clone(),
        at_ns: effect.start_ns,
        duration_ns: effect.duration_ns,
        attempts: effect.attempts.len(),
        held_ns: effect.queued_ns(),
        late: effect.completion_delays().cloned().collect(),
        outcome: effect.end.to_string(),
        args: value(&effect.args),
        output: match &effect.end {
            EffectEnd::Ok { output, .. } => Some(value(output)),
            EffectEnd::Err(_) | EffectEnd::Cancelled | EffectEnd::Unanswered => None,
        },
        writes: effect.writes.iter().map(|write| write.name.clone()).collect(),
    }
}

fn totals(totals: &Totals) -> TotalsJson {
    TotalsJson {
        total_ns: totals.total_ns,
        receive_ns: totals.receive_ns,
        queue_ns: totals.queue_ns,
        cpu_ns: totals.cpu_ns,
        wait_ns: totals.wait_ns,
        late_ns: totals.completion_delay_ns,
        unexplained_ns: totals.unexplained_ns,
        io: totals.io.iter().map(|(k, io)| (k.clone(), IoJson { ns: io.time_ns, calls: io.calls })).collect(),
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
        part: largest.kind.as_str(),
        what: largest.label.clone(),
        ns: largest.time_ns,
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
    BodyJson { full_len: body.full_len, kept_len: body.kept_len, value: wire(&body.bytes) }
}
