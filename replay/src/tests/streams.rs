//! Replays of requests whose responses were streamed.

use zerver_engine::{
    EffectError, EffectErrorKind, JsonLine, ResponseStream, ServerEvent, StreamEnd, StreamKind,
};

use super::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Numbers(u64);

impl EffectKind for Numbers {
    const KIND: &'static str = "numbers";
    type Output = StreamEnd;
}

impl StreamKind for Numbers {
    type Item = JsonLine<u64>;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ticks(u64);

impl EffectKind for Ticks {
    const KIND: &'static str = "ticks";
    type Output = StreamEnd;
}

impl StreamKind for Ticks {
    type Item = ServerEvent;
}

#[step]
fn send(start: &Start) -> Response {
    Response::stream(ResponseStream::new(Numbers(start.0)))
}

#[step]
fn send_more(start: &Start) -> Response {
    Response::stream(ResponseStream::new(Numbers(start.0 + 1)))
}

#[step]
fn send_whole(start: &Start) -> Response {
    Response::json(&start.0)
}

#[step]
fn tick(start: &Start) -> Response {
    Response::stream(ResponseStream::new(Ticks(start.0)))
}

fn numbers() -> FlowDef {
    flow!("numbers", GET "/", steps: [parse, send])
}

fn ticks() -> FlowDef {
    flow!("ticks", GET "/", steps: [parse, tick])
}

/// Records a request whose stream ends like this, with a body of which only the beginning is known.
fn streamed(def: &FlowDef, end: Result<(), &str>, stop_after: usize) -> Trace {
    let mut perform = |call: &Call| match end {
        Ok(()) if call.kind() == "ticks" => Ok(Call::output::<Ticks>(StreamEnd::default())),
        Ok(()) => Ok(Call::output::<Numbers>(StreamEnd { items: 2, bytes: 40_000, hash: "8f".into() })),
        Err(message) => Err(EffectError::new(EffectErrorKind::Internal, message)),
    };
    let mut trace = record_by(def, Request::get("/?n=4"), false, stop_after, &mut perform);
    trace.response_body = RecordedBody {
        full_len: 40_000,
        kept_len: 2,
        bytes: Recorded::Plain { value: Value::from_bytes(b"4\n").unwrap(), summary: None },
    };
    trace
}

/// Replays with the deadline of a request, which does not apply to its stream.
fn replayed(mut trace: Trace, def: &FlowDef, edits: &Edits) -> Report {
    // The stream takes an hour.
    let end_ns = 3_600_000_000_000;
    for event in &mut trace.events {
        if let zerver_trace::Event::EffectCompleted { at_ns, .. } = event {
            *at_ns = end_ns;
        }
    }
    trace.duration_ns = end_ns;
    let recording = Recording { trace, secrets: Secrets::default() };
    let context =
        ReplayContext { deadline: Some(std::time::Duration::from_secs(1)), ..ReplayContext::default() };
    let replay = Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits, context };
    let report = replay.run(&mut |_| {}).unwrap();
    if edits.is_empty() {
        assert_eq!(replay.check(&mut |_| {}).unwrap().verdict(), report.verdict());
    }
    report
}

fn fields(report: &Report) -> Vec<String> {
    report.findings.iter().map(|finding| format!("{:?} {}", finding.class, finding.field)).collect()
}

#[test]
fn a_stream_is_answered_from_the_recording() {
    let none = Edits::default();
    for (def, end, stop_after, outcome) in [
        (numbers(), Ok(()), usize::MAX, "done"),
        (numbers(), Err("the table is gone"), usize::MAX, "failed"),
        // The client left within the stream: it lacks the rest of a finite one.
        (numbers(), Ok(()), 3, "gone"),
        (ticks(), Ok(()), 3, "done"),
    ] {
        let trace = streamed(&def, end, stop_after);
        assert_eq!((trace.outcome.as_str(), trace.status), (outcome, 200), "{end:?} {stop_after}");
        let report = replayed(trace, &def, &none);
        assert!(report.is_same(), "{end:?} {stop_after}: {report:?}");
    }
}

#[test]
fn a_stream_with_other_arguments_is_a_difference() {
    let report = replayed(
        streamed(&numbers(), Ok(()), usize::MAX),
        &flow!("numbers", GET "/", steps: [parse, send_more]),
        &Edits::default(),
    );
    assert!(!report.is_same());
    assert!(
        fields(&report).iter().any(|field| field.contains("numbers 4 arguments")),
        "{:?}",
        fields(&report)
    );
    let whole = flow!("numbers", GET "/", steps: [parse, send_whole]);
    let report = replayed(streamed(&numbers(), Ok(()), usize::MAX), &whole, &Edits::default());
    assert!(fields(&report).iter().any(|field| field.contains("response.body")), "{:?}", fields(&report));
}

#[test]
fn an_edit_that_does_not_reach_the_stream_leaves_it() {
    let edit = Edits { slots: vec!["Token=\"other\"".parse().unwrap()], ..Edits::default() };
    let report = replayed(streamed(&numbers(), Ok(()), usize::MAX), &numbers(), &edit);
    assert_eq!((fields(&report), report.applied.len()), (vec![], 1));
    let response = report.response.unwrap();
    assert_eq!((response.stream.as_deref(), response.body), (Some("numbers 4"), None));
    let edit = Edits { slots: vec!["Start=9".parse().unwrap()], ..Edits::default() };
    let report = replayed(streamed(&numbers(), Ok(()), usize::MAX), &numbers(), &edit);
    assert_eq!(fields(&report), ["InputEdited numbers 4 arguments"]);
}

#[test]
fn a_body_that_an_effect_has_read_is_not_missing() {
    let mut trace = record(&sums(), Request::get("/?n=4"), true, usize::MAX);
    trace.request_body = RecordedBody {
        full_len: 1 << 30,
        kept_len: 2,
        bytes: Recorded::Plain { value: Value::from_bytes(b"ab").unwrap(), summary: None },
    };
    let report = again(trace.clone(), &sums(), &Edits::default()).unwrap();
    assert_eq!(report.notes, ["not needed: the request's body: 2 of 1073741824 bytes were recorded"]);
    let report = again(trace, &sums().streamed_body(1 << 40), &Edits::default()).unwrap();
    assert!(report.is_same() && report.notes.is_empty(), "{report:?}");
}
