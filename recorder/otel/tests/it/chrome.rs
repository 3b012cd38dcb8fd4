//! The trace event format, checked against its rules: those of the specification ("Trace Event Format", Google), and the
//! rule that slices on one thread may be nested but must not overlap.

use serde_json::Value;
use zerver_otel::chrome_trace;
use zerver_testkit::sample;

use crate::samples;

/// Checks a document against the parts of the format that it uses.
fn check(document: &Value) {
    let events = document["traceEvents"].as_array().unwrap();
    assert!(matches!(document["displayTimeUnit"].as_str(), Some("ns" | "ms")));
    let mut slices: std::collections::BTreeMap<(u64, u64), Vec<(f64, f64)>> = Default::default();
    for event in events {
        let time = |name: &str| {
            event[name].as_f64().filter(|time| *time >= 0.0).unwrap_or_else(|| panic!("{event}"))
        };
        assert!(event["name"].as_str().is_some_and(|name| !name.is_empty()), "{event}");
        let thread = (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
        match event["ph"].as_str().unwrap() {
            "X" => {
                assert!(event["cat"].is_string() && event["args"].is_object(), "{event}");
                let start = time("ts");
                slices.entry(thread).or_default().push((start, start + time("dur")));
            }
            "i" => {
                time("ts");
                assert!(matches!(event["s"].as_str(), Some("g" | "p" | "t")), "{event}");
            }
            "M" => {
                assert!(matches!(event["name"].as_str(), Some("process_name" | "thread_name")), "{event}");
                assert!(event["args"]["name"].is_string(), "{event}");
            }
            other => panic!("{other}"),
        }
    }
    // Times are rounded to the precision of a float.
    let close = 1e-6;
    for (thread, slices) in slices {
        for (a, b) in
            slices.iter().enumerate().flat_map(|(at, a)| slices[at + 1..].iter().map(move |b| (a, b)))
        {
            let is_apart = a.1 <= b.0 + close || b.1 <= a.0 + close;
            let is_within = |inner: &(f64, f64), outer: &(f64, f64)| {
                outer.0 <= inner.0 + close && inner.1 <= outer.1 + close
            };
            assert!(is_apart || is_within(a, b) || is_within(b, a), "{thread:?}: {a:?} {b:?}");
        }
    }
}

#[test]
fn each_call_in_flight_at_the_same_time_has_a_thread() {
    let document = chrome_trace([&samples::calls()]);
    check(&document);
    let events = document["traceEvents"].as_array().unwrap();
    let calls: Vec<_> = events
        .iter()
        .filter(|event| event["ph"] == "X" && event["tid"].as_u64() > Some(1))
        .map(|event| {
            let micros = |name: &str| event[name].as_f64().unwrap();
            (event["tid"].as_u64().unwrap(), event["name"].as_str().unwrap(), micros("ts"), micros("dur"))
        })
        .collect();
    let expected = [
        (2, "http GET idp.example.com/verify?..", 120.0, 1000.0),
        (3, "http POST audit.internal:8080/log", 120.0, 1980.0),
        (2, "http GET idp.example.com/verify?..", 1320.0, 1180.0),
        (2, "sql select id from todos where owner = $1", 2550.0, 1450.0),
        (2, "sql 2 statements: insert into log (id) values ($1)", 4000.0, 1000.0),
    ];
    assert_eq!(calls, expected);
}

#[test]
fn every_sample_is_a_valid_document() {
    let all = [
        sample::slow(),
        sample::failed(),
        sample::held(),
        sample::late(),
        sample::report(7),
        samples::calls(),
    ];
    for trace in &all {
        check(&chrome_trace([trace]));
    }
    let together = chrome_trace(&all);
    check(&together);
    let pids = together["traceEvents"].as_array().unwrap().iter().filter_map(|event| event["pid"].as_u64());
    assert_eq!(pids.max(), Some(6));
    check(&chrome_trace(&[]));
}
