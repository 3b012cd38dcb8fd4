//! Small flows, recorded by driving a job, and replayed with the same or another flow.

mod authority;
mod changes;
mod editing;
mod effect_order;
mod incomplete_recordings;
mod limits;
mod many_effects;
mod nondeterminism;
mod planted_flows;
mod random;
mod retries;
mod reworded;
mod slices;
mod streams;
mod undelivered;
mod undo;
mod unobserved_changes;
mod what_if;

use std::cell::Cell;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Continue, Need, Yield};
use zerver_engine::{
    Arrival, Call, CallResult, Decision, Effect, EffectKind, Failure, Flow, FlowDef, Job, Next, Request,
    RequestId, Response, Slot, StopReason, all, effect, flow, step,
};
use zerver_trace::{
    Class, Header, Kept, Message, MessageInfo, Origin, QueueReason, Recorded, RecordedBody, RecordedBy,
    Thread, Trace, Value,
};

use crate::observed::{Observed, plain};
use crate::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Echo(pub(super) u64);

impl EffectKind for Echo {
    const KIND: &'static str = "echo";
    type Output = u64;

    fn is_idempotent(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Start(u64);

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
enum Sort {
    Even,
    Odd { by: u64 },
}

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Sum {
    of: u64,
    sort: Option<u64>,
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
#[slot(secret)]
struct Token(String);

#[step]
fn parse(request: &Request) -> Result<(Start, Token), Failure> {
    let token = request.header("authorization").unwrap_or("none").to_owned();
    Ok((Start(request.query_as("n")?.unwrap_or(1)), Token(token)))
}

#[step]
fn ask(start: &Start) -> Decision<(Sum, Sort)> {
    Need(all((effect(Echo(start.0)), effect(Echo(start.0 + 1)))).map(|(a, b)| {
        let sort = if a % 2 == 0 { Sort::Even } else { Sort::Odd { by: a % 2 } };
        (Sum { of: a + b, sort: None }, sort)
    }))
}

#[step]
fn check(sum: &Sum, sort: &Sort) -> Result<(), Failure> {
    if *sort == Sort::Even && sum.of > 1000 { Err(Failure::forbidden("sum").key(sum.of)) } else { Ok(()) }
}

#[step]
fn render(sum: &Sum, sort: &Sort) -> Response {
    Response::json(&(sum.of, sort))
}

fn sums() -> FlowDef {
    flow!("sums", GET "/", steps: [parse, ask, check, render])
}

fn ready(def: &FlowDef) -> Arc<Flow> {
    Arc::new(Flow::new(def, |failure: &Failure, _| failure.to_response()).unwrap())
}

fn echo(call: &Call) -> CallResult {
    Ok(Call::output::<Echo>(call.args::<Echo>().unwrap().0 * 10))
}

/// Runs a flow as a server would and records it without seals. With `last_first`, the call started last is answered
/// first.
pub(super) fn record(def: &FlowDef, request: Request, last_first: bool, stop_after: usize) -> Trace {
    record_by(def, request, last_first, stop_after, &mut echo)
}

/// Records a flow whose calls are performed by `perform`.
fn record_by(
    def: &FlowDef,
    request: Request,
    last_first: bool,
    stop_after: usize,
    perform: &mut dyn FnMut(&Call) -> CallResult,
) -> Trace {
    let flow = ready(def);
    let MessageInfo::Request(asked) = request.describe(1000) else { panic!() };
    let arrival =
        Arrival { request: Arc::new(request), id: RequestId::from_u128(7), unix_ns: 1_000, seed: 42 };
    let now = Cell::new(10);
    let tick = || {
        now.set(now.get() + 7);
        now.get()
    };
    let mut job = Job::new(Arc::clone(&flow), arrival, 10);
    // The thread must not matter to a replay.
    job.record_migrated(now.get(), Thread::BatchWorker(0));
    let (mut next, mut waiting, mut inputs) = (Next::Run, Vec::new(), 0);
    while next != Next::Ended {
        waiting.extend(job.take_requested_calls());
        if inputs == stop_after {
            if job.stop(StopReason::ClientLeft, tick()) == Next::Ended {
                break;
            }
            waiting.clear();
            next = Next::Undo;
        }
        inputs += 1;
        next = match next {
            Next::Run => job.run(tick(), tick),
            Next::Advance => job.advance(now.get()),
            Next::Undo => {
                waiting.clear();
                job.undo(tick())
            }
            Next::Stream => job.start_stream(tick()),
            _ => {
                let start = if last_first { waiting.pop().unwrap() } else { waiting.remove(0) };
                if !start.pause.is_zero() {
                    job.record_effect_queued(start.number, now.get(), QueueReason::RetryDelay);
                    now.set(now.get() + start.pause.as_nanos() as u64);
                    job.record_effect_started(start.number, now.get());
                }
                job.complete(start.number, tick(), perform(&start.call))
            }
        };
    }
    let ended = job.finish();
    let wire = |bytes: &[u8]| Recorded::Plain { value: Value::from_bytes(bytes).unwrap(), summary: None };
    let headers = |headers: Vec<Header>| -> Vec<Header<Recorded>> {
        headers.into_iter().map(|Header { name, value }| Header { name, value: wire(&value) }).collect()
    };
    let body = |bytes: &[u8]| RecordedBody {
        full_len: bytes.len() as u64,
        kept_len: bytes.len() as u64,
        bytes: wire(bytes),
    };
    let response = ended.response.map(|response| match response.describe(1000) {
        MessageInfo::Response(info) => info,
        MessageInfo::Request(_) => panic!(),
    });
    Trace {
        id: RequestId::from_u128(7),
        class: Class::Default,
        started_unix_ns: 1_000,
        duration_ns: tick(),
        seed: 42,
        build: "then".into(),
        kept: Kept::All,
        method: asked.method,
        path: "/".into(),
        target: wire(asked.target.as_bytes()),
        version: asked.version,
        peer: String::new(),
        request_headers: headers(asked.headers),
        request_body: body(&asked.body.bytes),
        status: response.as_ref().map_or(0, |response| response.status),
        response_body: body(response.as_ref().map_or(&[][..], |response| &response.body.bytes)),
        response_headers: headers(response.map_or(Vec::new(), |response| response.headers)),
        outcome: ended.outcome,
        events: ended.events.into_iter().map(|event| event.map(|datum| plain(&datum))).collect(),
        events_dropped: ended.events_dropped,
        redaction: zerver_trace::Redaction::default(),
        worker: Some(0),
        origin: if asked.origin.is_empty() {
            Origin::Absent
        } else {
            Origin::Named(wire(asked.origin.as_bytes()))
        },
        is_undelivered: false,
        recorded_by: RecordedBy::Runtime,
        sealed_by: zerver_trace::SealedBy(None),
        flow: Arc::clone(flow.info()),
    }
}

fn recorded(n: u64) -> Trace {
    let request = Request::get(&format!("/?n={n}")).with_header("authorization", "Bearer canary-7");
    record(&sums(), request, true, usize::MAX)
}

pub(super) fn again(trace: Trace, def: &FlowDef, edits: &Edits) -> Result<Report, ReplayError> {
    let recording = Recording { trace, secrets: Secrets::default() };
    let context = ReplayContext::default();
    let replay = Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits, context };
    let told = replay.run(&mut |_| {});
    // The fast path must give the same result. A step that counts its runs has advanced by then.
    let shape = |told: &Result<Report, ReplayError>| {
        let report = told.clone()?;
        let findings = report.findings.into_iter();
        let findings: Vec<_> = findings.map(|finding| (finding.class, finding.step, finding.field)).collect();
        Ok::<_, ReplayError>((
            report.missing_inputs,
            report.coverage,
            report.applied,
            report.not_compared,
            findings,
        ))
    };
    assert_eq!(shape(&replay.check(&mut |_| {})), shape(&told));
    assert_eq!(shape(&replay.compared(&mut |_| {}, |_, _, _| false)), shape(&told));
    told
}

/// Returns the verdict and the findings, one per line.
fn summary(report: &Report) -> String {
    let c = report.coverage;
    let mut out = format!(
        "{}: {} of {}, {} replayed, {} unanswered",
        report.verdict(),
        c.decisions_reproduced,
        c.decisions_recorded,
        c.effects_replayed,
        c.effects_unanswered
    );
    for Finding { class, step, field, expected, got, source } in &report.findings {
        assert_eq!(source.is_some(), !step.is_empty(), "{field}");
        out += &format!("\n{} {step} {field}: {expected} -> {got}", class.as_str());
    }
    for why in &report.missing_inputs {
        out += &format!("\nmissing: {why}");
    }
    out
}

fn run(n: u64, def: &FlowDef, edits: &Edits) -> String {
    summary(&again(recorded(n), def, edits).unwrap())
}

fn set(text: &str) -> Edits {
    Edits { slots: vec![text.parse().unwrap()], ..Edits::default() }
}

fn refused(edits: &Edits) -> String {
    let refusal = again(recorded(1), &sums(), edits).unwrap_err();
    [vec![refusal.message], refusal.causes, refusal.hints].concat().join("\n")
}

#[test]
fn unchanged_code_reproduces_the_recording() {
    assert_eq!(run(4, &sums(), &Edits::default()), "same: 4 of 4, 2 replayed, 0 unanswered");
    let failed = recorded(500);
    assert_eq!(failed.status, 403);
    assert_eq!(
        summary(&again(failed, &sums(), &Edits::default()).unwrap()),
        "same: 3 of 3, 2 replayed, 0 unanswered"
    );
}

#[step]
fn render_sum(sum: &Sum, sort: &Sort) -> Response {
    Response::json(&(sum.of, sort))
}

#[step]
fn render_more(sum: &Sum, sort: &Sort) -> Response {
    Response::json(&(sum.of + 1, sort))
}
