//! The authority of a request is replayed as it arrived and never guessed.

use super::*;

#[step]
fn tell_origin(request: &Request) -> Response {
    Response::json(&(request.origin(), request.uri.path(), request.uri.query()))
}

fn def() -> FlowDef {
    flow!("origins", GET "/", steps: [tell_origin])
}

fn trace(target: &str, version: http::Version, host: Option<&'static str>) -> Trace {
    let mut request = Request::get(target);
    request.version = version;
    if let Some(host) = host {
        request = request.with_header("host", host);
    }
    record(&def(), request, false, usize::MAX)
}

fn host(value: &str) -> Edits {
    Edits { headers: vec![("host".into(), value.into())], ..Edits::default() }
}

#[test]
fn a_target_with_an_authority_is_replayed_unchanged() {
    use http::Version;
    for (target, version, host) in [
        ("http://other.example:8080/?n=1", Version::HTTP_11, Some("localhost")),
        ("https://localhost/", Version::HTTP_11, Some("localhost")),
        ("http://localhost?n=1", Version::HTTP_10, None),
        ("http://[::1]:80/?n=%20", Version::HTTP_2, None),
        ("https://a.example/", Version::HTTP_2, Some("a.example")),
        ("/?n=1", Version::HTTP_2, Some("a.example")),
        ("/?n=1", Version::HTTP_11, Some("a.example")),
    ] {
        let trace = trace(target, version, host);
        let report = again(trace, &def(), &Edits::default()).unwrap();
        assert_eq!(summary(&report), "same: 1 of 1, 0 replayed, 0 unanswered", "{target} {version:?}");
        assert!(report.notes.is_empty(), "{report:?}");
    }
}

#[test]
fn editing_the_host_changes_the_authority() {
    let http2 = trace("http://a.example/", http::Version::HTTP_2, None);
    let report = again(http2.clone(), &def(), &host("b.example:8080")).unwrap();
    insta::assert_snapshot!(summary(&report), @r#"
    different: 1 of 1, 0 replayed, 0 unanswered
    input_edited  response.body.0: "http://a.example" -> "http://b.example:8080"
    "#);
    assert_eq!(report.applied[0].from, ReportedValue::text("a.example"));
    let absolute = trace("http://a.example/", http::Version::HTTP_11, Some("c.example"));
    let report = again(absolute, &def(), &host("b.example")).unwrap();
    assert!(summary(&report).ends_with(r#""http://a.example" -> "http://b.example""#), "{report:?}");
    assert!(again(http2, &def(), &host("b example")).is_err());
}

#[test]
fn an_unrecorded_authority_is_not_guessed() {
    let mut old = trace("http://a.example/", http::Version::HTTP_2, None);
    old.origin = Origin::NotRecorded;
    insta::assert_snapshot!(summary(&again(old.clone(), &def(), &Edits::default()).unwrap()), @r"
    incomplete: 0 of 0, 0 replayed, 0 unanswered
    missing: the authority: not recorded under an older schema; --request-header host=..
    ");
    let report = again(old, &def(), &host("a.example")).unwrap();
    assert_eq!(report.verdict(), "same", "{report:?}");
    // Without an authority in the target, the `Host` header applies.
    let mut old = trace("/", http::Version::HTTP_11, Some("a.example"));
    old.origin = Origin::NotRecorded;
    assert!(again(old, &def(), &Edits::default()).unwrap().is_same());
    // The recording does not show that the target was meant for a proxy.
    let mut old = trace("http://b.example/", http::Version::HTTP_11, Some("a.example"));
    old.origin = Origin::NotRecorded;
    let report = again(old, &def(), &Edits::default()).unwrap();
    assert!(
        !report.is_same() && report.notes[0].contains("does not show whether the target named an authority"),
        "{report:?}"
    );
}

#[test]
fn a_sealed_authority_is_used_and_never_shown() {
    let mut trace = trace("http://canary-7:x@a.example/", http::Version::HTTP_11, Some("a.example"));
    let Origin::Named(Recorded::Plain { value, .. }) = trace.origin.clone() else { panic!() };
    trace.origin = Origin::Named(Recorded::Sealed { hash: [7; 16], sealed: vec![], masked: None });
    let secrets = Secrets([([7; 16], value)].into());
    let changed = flow!("origins", GET "/", steps: [tell_origin_twice]);
    for def in [def(), changed] {
        let recording = Recording { trace: trace.clone(), secrets: secrets.clone() };
        let (flow, edits, context) = (&ready(&def), &Edits::default(), ReplayContext::default());
        let report = Replay { recording: &recording, flow, route: &|_| true, edits, context }
            .run(&mut |_| {})
            .unwrap();
        assert_eq!(report.is_same(), flow.info().steps[0].name == "tell_origin", "{report:?}");
        assert!(!format!("{report:?}").contains("canary"), "{report:?}");
    }
}

#[step]
fn tell_origin_twice(request: &Request) -> Response {
    Response::json(&(request.origin(), request.origin(), request.uri.query()))
}
