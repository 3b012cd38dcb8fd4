//! Spans of traces, read by the decoders of the OpenTelemetry project.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use prost::Message as _;
use zerver_otel::{ExportOptions, decode_json, encode_json, protobuf, spans_of};
use zerver_testkit::sample;
use zerver_trace::{Outcome, SpanId, Trace};

use crate::samples;

fn options() -> ExportOptions {
    ExportOptions { service_name: "todos".into(), with_values: false }
}

/// Returns the spans as the OpenTelemetry project decodes them, from both encodings.
fn decoded(trace: &Trace, options: &ExportOptions) -> Vec<Span> {
    let spans = spans_of([trace], options);
    let binary = ExportTraceServiceRequest::decode(protobuf::encode(&spans).as_slice()).unwrap();
    let json: ExportTraceServiceRequest = serde_json::from_value(encode_json(&spans)).unwrap();
    assert_eq!(binary, json);
    let [resource] = binary.resource_spans.as_slice() else { panic!("{binary:?}") };
    let service = &resource.resource.as_ref().unwrap().attributes[0];
    assert_eq!(service.key, "service.name");
    let [scope] = resource.scope_spans.as_slice() else { panic!("{resource:?}") };
    assert_eq!(scope.scope.as_ref().unwrap().name, "zerver");
    scope.spans.clone()
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == name)?;
    Some(match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is_true) => is_true.to_string(),
        other => panic!("{other:?}"),
    })
}

fn described(spans: &[Span]) -> String {
    let base_ns = spans[0].start_time_unix_nano;
    let micros = |ns: u64| (ns - base_ns) / 1_000;
    let depth = |span: &Span| {
        let parent = |span: &Span| spans.iter().find(|other| other.span_id == span.parent_span_id);
        std::iter::successors(parent(span), |span| parent(span)).count()
    };
    let mut out = String::new();
    for span in spans {
        let status = span.status.as_ref().map_or(0, |status| status.code);
        out += &format!(
            "{}{} {} {}..{} status {status}\n",
            "  ".repeat(depth(span)),
            SpanKind::try_from(span.kind).unwrap().as_str_name().trim_start_matches("SPAN_KIND_"),
            span.name,
            micros(span.start_time_unix_nano),
            micros(span.end_time_unix_nano),
        );
        for event in &span.events {
            out +=
                &format!("{}  - {} {}\n", "  ".repeat(depth(span)), micros(event.time_unix_nano), event.name);
        }
    }
    out
}

#[test]
fn a_request_is_a_tree_of_spans() {
    insta::assert_snapshot!(described(&decoded(&samples::calls(), &options())), @r"
    SERVER GET /v1/todos/{id} 0..6000 status 0
      INTERNAL parse_auth 15..100 status 0
      INTERNAL lookup_user 100..2500 status 0
        CLIENT GET 120..1120 status 2
          - 500 zerver.point.connected
        CLIENT GET 1320..2500 status 0
          - 1120 zerver.paused
          - 2400 zerver.point.first_byte
        CLIENT POST 120..2100 status 2
          - 2000 zerver.point.first_byte
      INTERNAL load_todo 2520..5000 status 0
        CLIENT SELECT todos 2550..4000 status 0
          - 2550 zerver.queued
          - 3100 zerver.point.connection
        CLIENT INSERT log; UPDATE todos 4000..5000 status 2
      INTERNAL render_todo 5000..6000 status 0
    ");
}

#[test]
fn the_spans_of_a_trace_never_change() {
    let mut spans = spans_of([&samples::calls()], &options());
    spans.resources[0].scopes[0].version = "the version".to_owned();
    let golden: serde_json::Value = serde_json::from_str(include_str!("../golden/calls.otlp.json")).unwrap();
    let now = encode_json(&spans);
    if std::env::var_os("ZERVER_BLESS").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/calls.otlp.json");
        std::fs::write(path, format!("{now:#}\n")).unwrap();
    } else {
        assert!(golden == now, "if the change is intended, set ZERVER_BLESS and review the file: {now:#}");
    }
}

#[test]
fn what_is_encoded_is_decoded_again() {
    for trace in [samples::calls(), samples::bodies(), sample::failed(), sample::held(), sample::late()] {
        let options = ExportOptions { with_values: true, ..options() };
        let spans = spans_of([&trace], &options);
        assert_eq!(protobuf::decode(&protobuf::encode(&spans)).unwrap(), spans);
        assert_eq!(decode_json(encode_json(&spans).to_string().as_bytes()).unwrap(), spans);
    }
}

#[test]
fn the_request_continues_the_trace_of_its_caller_and_starts_one_without() {
    let trace = samples::calls();
    let spans = decoded(&trace, &options());
    assert!(spans.iter().all(|span| hex(&span.trace_id) == "0af7651916cd43dd8448eb211c80319c"));
    assert!(spans.iter().all(|span| span.trace_state == "rojo=1"));
    assert_eq!((hex(&spans[0].parent_span_id).as_str(), spans[0].flags), ("b7ad6b7169203331", 0x301));
    assert!(spans[1..].iter().all(|span| span.flags == 0x101));
    let ids: Vec<_> = spans.iter().map(|span| hex(&span.span_id)).collect();
    assert_eq!(ids[0], SpanId::of_request(trace.id).to_string());
    assert!(ids.contains(&SpanId::of_call(trace.id, 2).to_string()));
    let own = decoded(&sample::slow(), &options());
    assert!(own.iter().all(|span| hex(&span.trace_id) == sample::slow().id.to_string().replace('-', "")));
    assert!(own[0].parent_span_id.is_empty() && own[0].flags == 0x101);
}

fn hex(bytes: &[u8]) -> String {
    zerver_trace::value::json::hex(bytes)
}

#[test]
fn an_error_of_the_client_is_not_an_error_of_the_service() {
    let check = |trace: &Trace, code: i32, error: Option<&str>| {
        let spans = decoded(trace, &options());
        assert_eq!(spans[0].status.as_ref().map_or(0, |status| status.code), code);
        assert_eq!(attribute(&spans[0], "error.type").as_deref(), error);
    };
    check(&sample::slow(), 0, None);
    let mut trace = sample::failed();
    check(&trace, 0, None);
    trace.status = 500;
    check(&trace, 2, Some("not_found"));
    trace.outcome = Outcome::Done;
    check(&trace, 2, Some("500"));
    trace.outcome = Outcome::TimedOut { step: 1 };
    check(&trace, 2, Some("timeout"));
    (trace.outcome, trace.status) = (Outcome::ClientLeft { step: 1 }, 0);
    check(&trace, 0, None);
    (trace.outcome, trace.status) = (Outcome::Panicked { step: 1, message: "no".into() }, 500);
    check(&trace, 2, Some("panic"));
    let spans = decoded(&trace, &options());
    assert_eq!(spans[0].events.last().unwrap().name, "exception");
}

#[test]
fn values_are_exported_only_on_request_and_secrets_never() {
    let mut trace = samples::calls();
    trace.events.push(sample::wrote(0, 0, 160, sample::sealed()));
    let spans = decoded(&trace, &options());
    let names = |spans: &[Span]| -> Vec<String> {
        let all = spans.iter().flat_map(|span| &span.attributes);
        all.map(|attribute| attribute.key.clone())
            .filter(|key| key.contains("slot") || key.contains("parameter"))
            .collect()
    };
    assert!(names(&spans).is_empty(), "{:?}", names(&spans));
    let spans = decoded(&trace, &ExportOptions { with_values: true, ..options() });
    assert_eq!(
        names(&spans),
        [
            "zerver.slot.AuthHeader",
            "zerver.slot.Todo",
            "db.query.parameter.0",
            "db.query.parameter.0",
            "db.query.parameter.1"
        ]
    );
    let all = format!("{spans:?}");
    assert!(!all.contains("ciphertext") && !all.contains("hunter2"), "{all}");
    assert!(all.contains("Buy milk"));
}
