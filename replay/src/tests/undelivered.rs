//! Responses that the client did not wait for.

use super::*;

#[test]
fn an_unrecorded_response_is_noted_and_not_compared() {
    let empty = RecordedBody {
        full_len: 0,
        kept_len: 0,
        bytes: Recorded::Plain { value: Value::from_bytes(b"").unwrap(), summary: None },
    };
    let trace = Trace { status: 0, response_headers: Vec::new(), response_body: empty, ..recorded(1) };
    let report = again(trace, &sums(), &Edits::default()).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("the response is not compared")), "{report:?}");
}

#[test]
fn an_undelivered_response_is_compared_like_any_other() {
    let trace = Trace { is_undelivered: true, ..recorded(1) };
    let report = again(trace.clone(), &sums(), &Edits::default()).unwrap();
    assert!(report.findings.is_empty() && report.notes.is_empty(), "{report:?}");
    let report = again(Trace { status: 201, ..trace }, &sums(), &Edits::default()).unwrap();
    assert_eq!(report.findings[0].field, "response.status");
}
