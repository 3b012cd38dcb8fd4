//! Replays of requests that recovered from a failure, or undid what they had done.

use zerver_engine::{EffectError, EffectErrorKind};

use super::what_if::{ended, fail};
use super::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refund(u64);

impl EffectKind for Refund {
    const KIND: &'static str = "refund";
    type Output = ();
}

#[derive(Slot, Serialize, Deserialize)]
struct Receipt(u64);

#[derive(Slot, Serialize, Deserialize)]
struct Shipment(u64);

#[step]
fn pay(start: &Start) -> Decision<Receipt> {
    Need(effect(Echo(start.0)).undo(|&receipt| effect(Refund(receipt))).map(Receipt))
}

#[step]
fn ship(receipt: &Receipt) -> Decision<Shipment> {
    Need(effect(Echo(receipt.0 + 1)).map(Shipment))
}

#[step]
fn show(shipment: &Shipment) -> Response {
    Response::text(shipment.0.to_string())
}

#[step]
fn pay_only(start: &Start) -> Decision<Receipt> {
    Need(effect(Echo(start.0)).map(Receipt))
}

#[step]
fn explain(failure: &Failure, receipt: Option<&Receipt>) -> Result<Response, Failure> {
    match failure.effect() {
        Some(_) => Ok(Response::text(format!("{failure}, paid {:?}", receipt.map(|receipt| receipt.0)))
            .status(http::StatusCode::BAD_GATEWAY)),
        None => Err(failure.clone()),
    }
}

fn order() -> FlowDef {
    flow!("order", GET "/", steps: [parse, pay, ship, show])
}

fn recovering() -> FlowDef {
    flow!("order", GET "/", steps: [parse, pay, ship, show], recover: explain)
}

/// Payments return ten times their number. Shipments fail if there are no goods.
fn perform(call: &Call, has_goods: bool, can_refund: bool) -> CallResult {
    match (call.args::<Echo>(), call.args::<Refund>()) {
        (Some(Echo(n)), _) if n % 10 == 1 && !has_goods => {
            Err(EffectError::new(EffectErrorKind::Unreachable, "no goods"))
        }
        (Some(Echo(n)), _) => Ok(Call::output::<Echo>(n * 10)),
        (None, _) if !can_refund => Err(EffectError::new(EffectErrorKind::Timeout, "late")),
        _ => Ok(Call::output::<Refund>(())),
    }
}

fn recorded(def: &FlowDef, has_goods: bool, can_refund: bool, stop_after: usize) -> Trace {
    let request = Request::get("/?n=4");
    record_by(def, request, false, stop_after, &mut |call| perform(call, has_goods, can_refund))
}

fn replayed(trace: Trace, def: &FlowDef, edits: &Edits) -> Report {
    let recording = Recording { trace, secrets: Secrets::default() };
    let context =
        ReplayContext { deadline: Some(std::time::Duration::from_secs(1)), ..ReplayContext::default() };
    let replay = Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits, context };
    if edits.is_empty() {
        assert_eq!(replay.check(&mut |_| {}).unwrap().verdict(), replay.run(&mut |_| {}).unwrap().verdict());
    }
    replay.run(&mut |_| {}).unwrap()
}

fn consequences(report: &Report) -> Vec<String> {
    report.consequences.iter().map(|of| format!("{} {:?}", of.effect, of.state)).collect()
}

#[test]
fn a_request_that_undid_its_effects_is_reproduced() {
    let none = Edits::default();
    for (has_goods, can_refund) in [(true, true), (false, true), (false, false)] {
        for def in [order(), recovering()] {
            let trace = recorded(&def, has_goods, can_refund, usize::MAX);
            let report = replayed(trace, &def, &none);
            assert!(report.is_same(), "{has_goods} {can_refund}: {report:?}");
        }
    }
    // The client left while the shipment was in flight.
    let trace = recorded(&order(), true, true, 4);
    assert_eq!(trace.outcome.as_str(), "gone");
    assert!(
        trace
            .events
            .iter()
            .any(|event| matches!(event, zerver_trace::Event::UndoEnded { failure: None, .. }))
    );
    let report = replayed(trace, &order(), &none);
    assert!(report.is_same(), "{report:?}");
}

#[test]
fn an_undo_that_was_removed_is_a_missing_effect() {
    let without = flow!("order", GET "/", steps: [parse, pay_only, ship, show]);
    let report = replayed(recorded(&order(), false, true, usize::MAX), &without, &Edits::default());
    let is_missing = |finding: &Finding| finding.class == FindingClass::MissingEffect;
    assert!(report.findings.iter().any(is_missing), "{:?}", report.findings);
}

#[test]
fn an_injected_fault_shows_what_is_undone_and_what_is_kept() {
    let fault = fail("echo 41=unreachable");
    let report = replayed(recorded(&order(), true, true, usize::MAX), &order(), &fault);
    assert!(ended(&report).starts_with("503 failed"), "{}", ended(&report));
    assert_eq!(consequences(&report), ["echo 4 Undone"]);
    assert!(report.notes.iter().any(|note| note.contains("count as successful")), "{:?}", report.notes);

    let without = flow!("order", GET "/", steps: [parse, pay_only, ship, show]);
    let report = replayed(recorded(&without, true, true, usize::MAX), &without, &fault);
    assert_eq!(consequences(&report), ["echo 4 Kept"]);

    // A timeout without a limit ends with the request, and may have been performed.
    let report = replayed(recorded(&order(), true, true, usize::MAX), &order(), &fail("echo 41=timeout"));
    assert!(ended(&report).starts_with("504 timed_out"), "{}", ended(&report));
    assert_eq!(consequences(&report), ["echo 4 Undone", "echo 41 Unknown"]);

    // A recorded undo can fail, too.
    let failed = recorded(&order(), false, true, usize::MAX);
    let report = replayed(failed, &order(), &fail("refund 40=timeout"));
    assert_eq!(consequences(&report), ["echo 4 NotUndone"]);
    let response = report.response.as_ref().and_then(|response| response.body.clone()).unwrap();
    assert!(response.contains(r#""not_undone":["echo"]"#), "{response}");
}

#[test]
fn a_fault_reaches_the_recovery_step() {
    let trace = recorded(&recovering(), true, true, usize::MAX);
    let report = replayed(trace, &recovering(), &fail("echo 41=unreachable"));
    let response = report.response.as_ref().unwrap();
    assert_eq!(response.status, 502);
    assert_eq!(response.body.as_deref(), Some("unavailable echo, paid Some(40)"));
}
