//! Requests about which policies have decided, replayed offline: the decisions come out as recorded, and faults can be
//! tried on their effects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zerver::effects::{any, http};
use zerver::engine::Flow;
use zerver::prelude::*;
use zerver::{Egress, StartOptions, TargetPolicy};
use zerver_recorder::{Reader, Recorder, RecorderOptions, RecordingPolicy};
use zerver_replay::{Edits, Recording, Replay, ReplayContext, Report, Secrets, fault_trials};
use zerver_trace::{Query, RequestId, Trace};

use crate::policies::{Reply, reply, upstream};
use crate::raw_client::{Client, get};

#[derive(Debug, Slot, Serialize, Deserialize)]
struct Figures(u32);

fn url(request: &Request) -> Result<String, Failure> {
    Ok(format!("http://{}/", request.param::<String>("to")?))
}

fn figures(request: &Request, name: &str) -> Result<Effect<u32>, Failure> {
    Ok(http::get(url(request)?).query("name", name).json())
}

#[step]
fn ask(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(figures(request, "only")?.map(Figures)))
}

#[step]
fn retry(request: &Request) -> Result<Decision<Figures>, Failure> {
    let retry = Retry::attempts(3).pause(1.millis(), 1.millis());
    Ok(Need(figures(request, "only")?.retry(retry).map(Figures)))
}

#[step]
fn hedge(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(figures(request, "only")?.hedge(Hedge::after(5.millis())).map(Figures)))
}

#[step]
fn patient_hedge(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(figures(request, "only")?.hedge(Hedge::after(1.minutes())).map(Figures)))
}

#[step]
fn or(request: &Request) -> Result<Decision<Figures>, Failure> {
    let second = figures(request, "second")?;
    Ok(Need(figures(request, "first")?.or(|_| second).map(Figures)))
}

#[step]
fn first(request: &Request) -> Result<Decision<Figures>, Failure> {
    Ok(Need(any([figures(request, "first")?, figures(request, "second")?]).map(Figures)))
}

#[step]
fn show(figures: &Figures) -> Response {
    Response::text(figures.0.to_string())
}

const FLOWS: [FlowDef; 6] = [
    flow!("ask", GET "/ask/{to}", steps: [ask, show]),
    flow!("retry", GET "/retry/{to}", steps: [retry, show]),
    flow!("hedge", GET "/hedge/{to}", steps: [hedge, show]),
    flow!("patient", GET "/patient/{to}", steps: [patient_hedge, show]),
    flow!("or", GET "/or/{to}", steps: [or, show]),
    flow!("any", GET "/any/{to}", steps: [first, show]),
];

/// Serves requests, the same `times` one after another, and returns the recording of the last one.
fn record(policy: TargetPolicy, egress: Egress, path: &str, times: usize) -> Recording {
    let dir = tempfile::tempdir().unwrap();
    let options = RecorderOptions { policy: RecordingPolicy::All, ..RecorderOptions::new(dir.path()) };
    let recorder = Recorder::open(options).unwrap();
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        ..StartOptions::default()
    };
    let app = App::new().flows(FLOWS).target("default", policy).egress(egress).workers(1);
    let server = app.start(options).unwrap();
    let mut client = Client::connect(server.addr());
    let mut last = None;
    for _ in 0..times {
        let response = client.request(get(path));
        last = response.header("x-request-id").map(|id| id.parse::<RequestId>().unwrap());
    }
    server.stop();
    recorder.close();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.list(&Query::default()).unwrap().len(), times);
    let trace = reader.load(last.unwrap()).unwrap().unwrap();
    let secrets = Secrets(reader.open_secrets(&trace).unwrap());
    Recording { trace, secrets }
}

fn replay(recording: &Recording, edits: &Edits) -> Report {
    let name = &recording.trace.flow.name;
    let def = FLOWS.iter().find(|def| def.name() == name).unwrap();
    let flow = Arc::new(Flow::new(def, |failure, _| failure.to_response()).unwrap());
    let to = recording.trace.path.rsplit('/').next().unwrap().to_owned();
    let route = |request: &mut Request| {
        request.params = [("to".into(), to.clone())].into_iter().collect();
        true
    };
    let context = ReplayContext { is_default_deadline: true, ..ReplayContext::default() };
    let replay = Replay { recording, flow: &flow, route: &route, edits, context };
    replay.run(&mut |_| {}).unwrap_or_else(|error| panic!("{edits:?}: {error:?}"))
}

/// Describes the decisions of policies, and the ends of effects, in their order.
fn decisions(trace: &Trace) -> String {
    use zerver_trace::{Answer, Event};
    let words = trace.events.iter().filter_map(|event| match event {
        Event::PolicyDecided { call, decision, .. } => Some(format!("{call} {}", decision.as_str())),
        Event::EffectCompleted { call, answer: Answer::Canceled, .. } => Some(format!("{call} canceled")),
        _ => None,
    });
    words.collect::<Vec<_>>().join(", ")
}

/// Checks that a recording replays as the same. Returns its status and its decisions, and for each call the status and the
/// kind of failure that each fault leads to.
fn check(recording: &Recording) -> Vec<String> {
    let trace = &recording.trace;
    let report = replay(recording, &Edits::default());
    assert!(report.is_same(), "{}: {report:?}", decisions(trace));
    assert!(report.notes.is_empty() && report.coverage.effects_live == 0, "{report:?}");
    assert_eq!(report.coverage.decisions_reproduced, report.coverage.decisions_recorded);
    assert_eq!(report.response.unwrap().status, trace.status);
    let mut ends: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for trial in fault_trials(trace) {
        let report = replay(recording, &Edits { faults: vec![trial.fault.clone()], ..Edits::default() });
        assert_eq!(report.coverage.effects_live, 0);
        let Some(end) = &report.edited_outcome else { panic!("{trial:?}: {report:?}") };
        let status = report.response.map_or(0, |response| response.status);
        let end = format!("{} {status} {}", trial.word, end.failure_kind);
        ends.entry(trial.call).or_default().push(end.trim_end().to_owned());
    }
    let faults = ends.into_iter().map(|(call, ends)| format!("{call}: {}", ends.join(", ")));
    [format!("{} {}", trace.status, decisions(trace))].into_iter().chain(faults).collect()
}

fn recorded(
    answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    flow: &str,
    times: usize,
) -> Recording {
    let (to, _) = upstream(answer);
    let policy = TargetPolicy { failing_for: Duration::ZERO, ..TargetPolicy::default() };
    record(policy, Egress::default(), &format!("/{flow}/{to}"), times)
}

/// Answers the first requests with 503, and the others with 200.
fn recovering(
    failures: usize,
    headers: &'static str,
) -> impl Fn(usize, &str) -> Reply + Send + Sync + 'static {
    move |number, _| if number < failures { reply(503, headers) } else { reply(200, "") }
}

#[test]
fn a_hedge_that_either_call_has_won() {
    let second = recorded(|number, _| if number == 0 { Reply::Silence } else { reply(200, "") }, "hedge", 1);
    assert_eq!(
        check(&second),
        [
            "200 0 canceled, 1 hedge_won",
            "0: timeout 200, error 200, malformed 200",
            "1: timeout 504 default_deadline, error 504 default_deadline, slow 200, malformed 504 default_deadline"
        ]
    );
    let first = recorded(|_, _| reply(200, ""), "patient", 1);
    assert_eq!(
        check(&first),
        [
            "200 1 canceled",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream",
            "1: timeout 200, error 200, malformed 200"
        ]
    );
}

#[test]
fn a_retry_that_the_budget_does_not_allow() {
    let (to, _) = upstream(|_, _| reply(503, ""));
    let policy = TargetPolicy { failures: 0, retry_budget: 0.0, ..TargetPolicy::default() };
    let path = format!("/retry/{to}");
    let exhausted = |recording: &Recording| decisions(&recording.trace).contains("budget_exhausted");
    // The budget of three per second is used up by two calls, unless a second passes.
    let recording =
        std::iter::repeat_with(|| record(policy.clone(), Egress::default(), &path, 2)).find(exhausted);
    assert_eq!(
        check(&recording.unwrap()),
        [
            "502 1 budget_exhausted",
            "0: timeout 504 default_deadline, error 502 bad_upstream, slow 502 bad_upstream, malformed 502 bad_upstream",
            "1: timeout 504 default_deadline, error 502 bad_upstream, slow 502 bad_upstream, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn a_pause_that_the_target_has_asked_for() {
    assert_eq!(
        check(&recorded(recovering(1, "retry-after: 1\r\n"), "retry", 1)),
        [
            "200 0 retry_after_obeyed",
            "0: timeout 504 default_deadline, error 200, slow 200, malformed 502 bad_upstream",
            "1: timeout 504 default_deadline, error 200, slow 200, malformed 502 bad_upstream"
        ]
    );
    assert_eq!(
        check(&recorded(recovering(1, "retry-after: 6\r\n"), "retry", 1)),
        [
            "502 0 retry_after_too_long",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 502 bad_upstream, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn an_open_breaker() {
    assert_eq!(
        check(&recorded(|_, _| reply(503, ""), "ask", 6)),
        [
            "503 0 breaker_refused",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 503 unavailable, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn a_target_that_is_not_allowed() {
    let (to, _) = upstream(|_, _| reply(200, ""));
    let egress = Egress { allow: vec!["*.example.com".to_owned()], ..Egress::default() };
    let recording = record(TargetPolicy::default(), egress, &format!("/ask/{to}"), 1);
    assert_eq!(
        check(&recording),
        [
            "503 0 egress_refused",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 503 unavailable, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn an_alternative_to_a_failed_call() {
    let answer = |_, head: &str| reply(if head.contains("first") { 503 } else { 200 }, "");
    assert_eq!(
        check(&recorded(answer, "or", 1)),
        [
            "200 ",
            "0: timeout 504 default_deadline, error 200, slow 200, malformed 200",
            "1: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn the_first_of_several_answers() {
    let answer = |_, head: &str| if head.contains("first") { Reply::Silence } else { reply(200, "") };
    assert_eq!(
        check(&recorded(answer, "any", 1)),
        [
            "200 0 canceled",
            "0: timeout 200, error 200, malformed 200",
            "1: timeout 504 default_deadline, error 504 default_deadline, slow 200, malformed 504 default_deadline"
        ]
    );
}

#[test]
fn a_request_that_was_sent_again_on_another_connection() {
    let recording = recorded(|number, _| if number == 1 { Reply::Close } else { reply(200, "") }, "ask", 2);
    assert_eq!(
        check(&recording),
        [
            "200 0 resent",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn a_retry_by_the_policy_of_the_target() {
    let (to, _) = upstream(recovering(2, ""));
    let policy = TargetPolicy { attempts: 3, pause: Duration::from_millis(1), ..TargetPolicy::default() };
    assert_eq!(
        check(&record(policy, Egress::default(), &format!("/ask/{to}"), 1)),
        [
            "200 0 retried, 1 retried",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream",
            "1: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream",
            "2: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream"
        ]
    );
}

#[test]
fn a_wait_for_the_rate_limit() {
    let (to, _) = upstream(|_, _| reply(200, ""));
    let policy = TargetPolicy { rate: 20.0, ..TargetPolicy::default() };
    assert_eq!(
        check(&record(policy, Egress::default(), &format!("/ask/{to}"), 2)),
        [
            "200 ",
            "0: timeout 504 default_deadline, error 503 unavailable, slow 200, malformed 502 bad_upstream"
        ]
    );
}
