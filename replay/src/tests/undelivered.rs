//! Responses that the client did not wait for.

use super::*;

#[test]
fn a_response_that_was_not_recorded_is_not_compared_and_said_to_be_missing() {
    let empty = RecordedBody {
        full_len: 0,
        kept_len: 0,
        bytes: Recorded::Plain { value: Value::from_bytes(b"").unwrap(), summary: None },
    };
    let trace = Trace { status: 0, response_headers: Vec::new(), response_body: empty, ..recorded(1) };
    let report = again(trace, &sums(), &Edits::default()).unwrap();
    assert!(report.findings.is_empty(), "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("the response was not recorded")), "{report:?}");
}

#[test]
fn one_that_was_recorded_is_compared_as_any_other() {
    let trace = Trace { is_undelivered: true, ..recorded(1) };
    let report = again(trace.clone(), &sums(), &Edits::default()).unwrap();
    assert!(report.findings.is_empty() && report.notes.is_empty(), "{report:?}");
    let report = again(Trace { status: 201, ..trace }, &sums(), &Edits::default()).unwrap();
    assert_eq!(report.findings[0].field, "response.status");
}
