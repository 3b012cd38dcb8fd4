//! Traces of the spans of any service.

use serde_json::{Value, json};
use zerver_analysis::{Gap, Timeline};
use zerver_otel::{ExportOptions, LiveSpan, decode_spans, encode_json, spans_of, traces_of};
use zerver_testkit::sample;
use zerver_trace::{Answer, Event, Kept, Outcome, Recordable as _, Recorded, Trace};

use crate::samples;

fn import(document: &Value) -> Vec<Trace> {
    traces_of(&decode_spans(document.to_string().as_bytes()).unwrap()).collect()
}

fn span(id: u64, parent: u64, kind: u8, name: &str, times: (u64, u64), attributes: Value) -> Value {
    let attributes: Vec<_> = attributes
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| match value {
            Value::Number(number) => json!({ "key": key, "value": { "intValue": number.to_string() } }),
            text => json!({ "key": key, "value": { "stringValue": text } }),
        })
        .collect();
    let nanos = |ms: u64| (1_795_344_181_000_000_000 + ms * 1_000_000).to_string();
    json!({
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": format!("{id:016x}"),
        "parentSpanId": if parent == 0 { String::new() } else { format!("{parent:016x}") },
        "name": name, "kind": kind, "startTimeUnixNano": nanos(times.0), "endTimeUnixNano": nanos(times.1),
        "attributes": attributes,
    })
}

fn service(name: &str, spans: &[Value]) -> Value {
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": name } }] });
    json!({ "resource": resource, "scopeSpans": [{ "scope": { "name": "other" }, "spans": spans }] })
}

/// A shop that calls its cart over HTTP, which asks a database.
fn shop() -> Value {
    let mut failed = span(
        5,
        4,
        3,
        "SELECT",
        (30, 50),
        json!({ "db.system": "postgresql", "db.statement": "select * from items where token = 'abc'" }),
    );
    failed["status"] = json!({ "code": 2, "message": "deadlock" });
    let http = json!({ "http.request.method": "POST", "url.full": "http://user:hunter2@cart:8080/items?api_key=s3cr3t9000", "http.response.status_code": 500 });
    json!({ "resourceSpans": [
        service("shop", &[
            span(1, 0, 2, "POST /checkout", (0, 100), json!({
                "http.method": "POST", "http.target": "/checkout?coupon=x", "http.route": "/checkout",
                "http.status_code": 200, "http.host": "shop.example",
            })),
            span(2, 1, 1, "price the cart", (5, 15), json!({ "items": 3, "http.request.header.authorization": "Bearer abc" })),
            span(3, 1, 3, "POST", (20, 60), http),
        ]),
        service("cart", &[span(4, 3, 2, "POST /items", (25, 55), json!({})), failed]),
    ]})
}

fn described(trace: &Trace) -> String {
    let timeline = Timeline::of(trace);
    let mut out = format!(
        "{} {} {} {} {:?} {} ms\n",
        trace.flow.name,
        trace.method,
        trace.path,
        trace.status,
        trace.outcome.as_str(),
        trace.duration_ns / 1_000_000
    );
    for run in &timeline.runs {
        out += &format!("{} {:?} {}\n", run.step.name, run.decision, run.cpu_ns);
        for effect in &run.effects {
            let (start, took) = (effect.start_ns / 1_000_000, effect.duration_ns / 1_000_000);
            out += &format!(
                "  {} | {} | {start} ms + {took} ms | {}\n",
                effect.kind, effect.summary, effect.end
            );
        }
    }
    for gap in &timeline.gaps {
        out += &format!("missing: {gap}\n");
    }
    out
}

#[test]
fn spans_of_several_services_are_one_request() {
    let [trace] = import(&shop()).try_into().unwrap();
    insta::assert_snapshot!(described(&trace), @r#"
    shop-post-checkout POST /checkout 200 "done" 100 ms
    shop None 0
      internal | price the cart | 5 ms + 10 ms | ok
      http | POST cart:8080/items | 20 ms + 40 ms | 500
      server | · cart: POST /items | 25 ms + 30 ms | ok
      sql | · · cart: select * from items where token = '<secret>' | 30 ms + 20 ms | failed: deadlock
    missing: imported from spans: slots, headers and bodies are unknown, and the CPU time and queues of other tracers
    "#);
    assert_eq!(trace.kept, Kept::Imported);
    assert_eq!(trace.summary().authority, "shop.example");
    let all = format!("{trace:?}");
    for secret in ["hunter2", "s3cr3t9000", "abc"] {
        assert!(!all.contains(secret), "{secret} in {all}");
    }
}

#[test]
fn importing_twice_gives_the_same_traces() {
    assert_eq!(import(&shop()), import(&shop()));
    let id = import(&shop())[0].id;
    assert_eq!(id.to_string().split('-').nth(2).unwrap().as_bytes()[0], b'7', "{id}");
    assert!(!import(&shop())[0].request_headers.iter().any(|header| header.name == "traceparent"));
}

#[test]
fn what_zerver_exports_becomes_runs_of_steps_again() {
    let trace = samples::calls();
    let document = encode_json(&spans_of([&trace], &ExportOptions::default()));
    let [back] = import(&document).try_into().unwrap();
    assert_eq!((back.id, &back.flow.name), (trace.id, &trace.flow.name));
    assert_eq!((back.duration_ns, back.started_unix_ns), (trace.duration_ns, trace.started_unix_ns));
    let (then, now) = (Timeline::of(&trace), Timeline::of(&back));
    let runs = |timeline: &Timeline| -> Vec<_> {
        let run = |run: &zerver_analysis::StepRun| {
            let attempts: usize = run.effects.iter().map(|effect| effect.attempts.len()).sum();
            (
                run.step.name.clone(),
                run.step.line,
                run.start_ns,
                run.queue_ns,
                run.cpu_ns,
                run.decision,
                attempts,
            )
        };
        timeline.runs.iter().map(run).collect()
    };
    assert_eq!(runs(&now), runs(&then));
    assert_eq!(now.totals.cpu_ns, then.totals.cpu_ns);
    let parent = back.request_headers.iter().find(|header| header.name == "traceparent").unwrap();
    assert_eq!(parent.value, sample::wire(samples::PARENT.as_bytes()));
    // Exporting it again continues the same trace.
    let again = spans_of([&back], &ExportOptions::default());
    assert_eq!(again.resources[0].scopes[0].spans[0].trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
}

#[test]
fn imported_spans_are_exported_as_they_were() {
    let [trace] = import(&shop()).try_into().unwrap();
    let batch = spans_of([&trace], &ExportOptions::default());
    let spans = &batch.resources[0].scopes[0].spans;
    let names: Vec<_> = spans.iter().map(|span| (span.name.as_str(), span.kind.as_str())).collect();
    let expected = [
        ("POST /checkout", "server"),
        ("price the cart", "internal"),
        ("POST", "client"),
        ("POST /items", "server"),
        ("SELECT", "client"),
    ];
    assert_eq!(names, expected);
    assert_eq!(spans[1].attributes.integer(&["items"]), Some(3));
    assert_eq!(spans[1].attributes.text(&["http.request.header.authorization"]), Some("<secret>"));
    assert!(spans[0].attributes.get("zerver.cpu_ns").is_none());
}

#[test]
fn parts_may_be_missing_and_parents_may_form_cycles() {
    let check = |spans: &[Value], expected: &[(&str, usize)]| {
        let traces = import(&json!({ "resourceSpans": [service("s", spans)] }));
        let found: Vec<_> = traces
            .iter()
            .map(|trace| {
                let calls =
                    trace.events.iter().filter(|event| matches!(event, Event::EffectRequested { .. }));
                (trace.path.as_str(), calls.count())
            })
            .collect();
        assert_eq!(found, expected, "{spans:?}");
        for trace in &traces {
            assert!(Timeline::of(trace).gaps.contains(&Gap::Imported));
        }
    };
    let plain = |id, parent, name, start| span(id, parent, 1, name, (start, start + 5), json!({}));
    check(&[plain(1, 9, "a", 0), plain(2, 9, "b", 1)], &[("a", 0), ("b", 0)]);
    check(&[plain(1, 2, "a", 0), plain(2, 1, "b", 1)], &[("a", 1)]);
    check(&[plain(1, 1, "a", 0)], &[("a", 0)]);
    check(&[plain(1, 2, "a", 0), plain(2, 3, "b", 1), plain(3, 2, "c", 2), plain(4, 1, "d", 3)], &[("b", 3)]);
    check(&[plain(1, 0, "a", 0), plain(1, 0, "twin", 1), plain(2, 1, "b", 2)], &[("a", 1), ("twin", 0)]);
    check(&[json!({ "name": "bare" }), json!({ "name": "other" })], &[("bare", 0), ("other", 0)]);
    let ids: std::collections::BTreeSet<_> =
        import(&json!([{ "spans": [{ "name": "bare" }, { "name": "other" }] }]))
            .iter()
            .map(|trace| trace.id)
            .collect();
    assert_eq!(ids.len(), 2);
}

#[test]
fn a_span_that_has_not_ended_has_no_answer() {
    let mut open = span(2, 1, 3, "call", (1, 0), json!({}));
    open["endTimeUnixNano"] = json!("0");
    let root = span(1, 0, 2, "root", (0, 10), json!({}));
    let [trace] = import(&json!({ "spans": [root, open] })).try_into().unwrap();
    assert!(!trace.events.iter().any(|event| matches!(event, Event::EffectCompleted { .. })));
    assert!(Timeline::of(&trace).gaps.contains(&Gap::Unanswered(1)));
    assert!(matches!(trace.request_body.bytes, Recorded::Missing(_)));
}

#[test]
fn errors_have_their_reasons() {
    let mut root = span(1, 0, 5, "consume", (0, 10), json!({}));
    root["status"] = json!({ "code": "STATUS_CODE_ERROR", "message": "gave up" });
    root["events"] = json!([{ "name": "exception", "timeUnixNano": "1", "attributes": [
        { "key": "exception.type", "value": { "stringValue": "Timeout" } },
        { "key": "exception.message", "value": { "stringValue": "after 3 s" } },
    ]}]);
    let mut call = span(2, 1, 3, "call", (1, 2), json!({ "error.type": "timeout" }));
    call["status"] = json!({ "code": 2 });
    let [trace] = import(&json!({ "spans": [root, call] })).try_into().unwrap();
    assert_eq!((trace.method.as_str(), trace.path.as_str(), trace.status), ("CONSUMER", "consume", 0));
    let Outcome::Failed(failure) = &trace.outcome else { panic!("{:?}", trace.outcome) };
    assert_eq!(
        (failure.message.as_str(), failure.causes.as_slice()),
        ("gave up", &["Timeout: after 3 s".to_owned()][..])
    );
    let answers: Vec<_> = trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::EffectCompleted { answer: Answer::Err(error), .. } => Some(error.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(answers, ["timeout: timeout"]);
}

#[test]
fn huge_trees_are_bounded() {
    let deep: Vec<_> = (1..=30_000)
        .map(|id| span(id, id - 1, 1, "x", (id, 60_000 - id), json!({ "a": "y".repeat(100) })))
        .collect();
    let [trace] = import(&json!({ "spans": deep })).try_into().unwrap();
    assert!(trace.events.len() <= 20_000 && trace.events_dropped > 10_000, "{}", trace.events.len());
    let bytes = |value: &Recorded| value.value().map_or(0, |value| value.tokens().len());
    let values = trace.events.iter().map(|event| match event {
        Event::EffectRequested { args, .. } => bytes(args),
        _ => 0,
    });
    assert!(values.sum::<usize>() <= 2 << 20);
    let wide = json!({ "a": "y".repeat(1_000_000) });
    let [trace] = import(
        &json!({ "spans": [span(1, 0, 2, "root", (0, 9), wide.clone()), span(2, 1, 1, "x", (1, 2), wide)] }),
    )
    .try_into()
    .unwrap();
    assert!(bytes(&trace.target) < 1000);
    for bytes in [&b"{}"[..], b"[]", b"", b"\x00", b"hello", b"{\"spans\":[]}"] {
        assert!(decode_spans(bytes).is_err(), "{bytes:?}");
    }
}

/// A recorder that sees the spans of its own process records what an importer would, except for what both leave out.
#[test]
fn a_live_span_becomes_what_it_becomes_when_it_is_imported() {
    let mut failed = span(4, 1, 1, "reserve", (40, 50), json!({ "items": 3 }));
    failed["status"] = json!({ "code": 2, "message": "out of stock" });
    let http = json!({ "http.request.method": "GET", "url.full": "http://cart:8080/items", "http.response.status_code": 503 });
    let sql = json!({ "db.system.name": "postgresql", "db.query.text": "select 1", "db.response.returned_rows": 2 });
    let spans = [
        span(1, 0, 2, "GET /", (0, 100), json!({})),
        span(2, 1, 3, "GET", (10, 20), http),
        span(3, 1, 3, "SELECT", (30, 35), sql),
        failed,
    ];
    let document = json!({ "resourceSpans": [service("shop", &spans)] });
    let batch = decode_spans(document.to_string().as_bytes()).unwrap();
    let [trace] = traces_of(&batch).collect::<Vec<_>>().try_into().unwrap();
    let timeline = Timeline::of(&trace);
    let imported = timeline.runs.iter().flat_map(|run| &run.effects);
    let live = batch.resources[0].scopes[0].spans[1..].iter();
    let mut compared = 0;
    for (effect, span) in std::iter::zip(imported, live) {
        let live = LiveSpan { span: span.clone(), depth: 1 };
        assert_eq!((live.kind(), live.summary()), (effect.kind.clone(), Some(effect.summary.clone())));
        let args = zerver_trace::Value::from_recordable(&live).unwrap();
        for field in ["span", "kind", "attributes"] {
            let imported = effect.args.value().unwrap().root();
            assert_eq!(args.root().field(field), imported.field(field), "{field}");
        }
        let end = match live.answer() {
            Answer::Ok(output) => output.summary().unwrap_or_else(|| "ok".to_owned()),
            Answer::Err(error) => error.to_string(),
            Answer::Canceled => "canceled".to_owned(),
        };
        assert_eq!(end, effect.end.to_string());
        compared += 1;
    }
    assert_eq!(compared, 3);
    let ends: Vec<_> = timeline.runs[0].effects.iter().map(|effect| effect.end.to_string()).collect();
    assert_eq!(ends, ["503", "2 rows", "failed: out of stock"]);
}
