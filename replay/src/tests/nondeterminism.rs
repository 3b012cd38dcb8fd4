//! Nondeterminism next to an edit.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Returns a different number each time.
fn nonce() -> u64 {
    static NONCES: AtomicU64 = AtomicU64::new(1_000_000);
    NONCES.fetch_add(1, Ordering::Relaxed)
}

#[derive(Debug, Clone, PartialEq, Slot, Serialize, Deserialize)]
struct Picked {
    n: u64,
    nonce: u64,
}

#[step]
fn pick(start: &Start) -> Picked {
    Picked { n: start.0, nonce: nonce() }
}

#[step]
fn pick_steadily(start: &Start) -> Picked {
    Picked { n: start.0, nonce: 7 }
}

#[step]
fn tell(start: &Start, picked: &Picked) -> Response {
    Response::json(&serde_json::json!({ "start": start.0, "n": picked.n, "nonce": picked.nonce }))
}

#[step]
fn tell_shuffled(start: &Start, picked: &Picked) -> Response {
    let mut items: Vec<u64> = (0..40).map(|n| n + start.0).collect();
    items.rotate_left((nonce() % 40) as usize);
    Response::json(&serde_json::json!({ "items": items, "already": picked.n }))
}

#[step]
fn ask_secretly(picked: &Picked) -> Decision<Sum> {
    let n = if picked.n == 4 { 4 } else { nonce() };
    Need(effect(Echo(n)).map(|of| Sum { of, sort: None }))
}

#[step]
fn branch(start: &Start) -> Decision<Sort> {
    match start.0 {
        4 => Continue(Sort::Even),
        _ => Continue(Sort::Odd { by: nonce() }),
    }
}

#[step]
fn tell_sort(start: &Start, sort: &Sort) -> Response {
    Response::json(&(start.0, sort))
}

fn request() -> Request {
    Request::get("/?n=4").with_header("authorization", "Bearer canary-7")
}

/// Returns class, step and field of each finding. The values differ from run to run.
fn classes(def: &FlowDef, edits: &Edits) -> Vec<String> {
    let recording =
        Recording { trace: record(def, request(), false, usize::MAX), secrets: Secrets::default() };
    let context = ReplayContext::default();
    let replay = Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits, context };
    let report = replay.run(&mut |_| {}).unwrap();
    let line = |finding: &Finding| {
        let field =
            finding.field.replace(|c: char| c.is_ascii_digit(), "#").replace("######", "").replace("##", "#");
        format!("{} {} {field}", finding.class.as_str(), finding.step)
    };
    let mut lines: Vec<_> = report.findings.iter().map(line).collect();
    lines.sort();
    lines.dedup();
    lines
}

#[test]
fn nondeterminism_is_distinguished_from_the_effect_of_an_edit() {
    let def = flow!("picks", GET "/", steps: [parse, pick, tell]);
    assert_eq!(
        classes(&def, &set("Start=5")),
        [
            "input_edited  response.body.n",
            "input_edited  response.body.start",
            "input_edited pick Picked.n",
            "nondeterminism  response.body.nonce",
            "nondeterminism pick Picked.nonce",
        ]
    );
    // Downstream of both the edited slot and the nondeterministic step.
    let mut late = set("Start=5");
    late.at = Some("tell".into());
    assert_eq!(
        classes(&def, &late),
        [
            "input_edited  response.body.start",
            "nondeterminism  response.body.nonce",
            "nondeterminism pick Picked.nonce",
        ]
    );
    // An edit that pins the nondeterministic value.
    assert_eq!(
        classes(&def, &set("Picked.nonce=5")),
        ["input_edited  response.body.nonce", "nondeterminism pick Picked.nonce"]
    );
    let steady = flow!("picks", GET "/", steps: [parse, pick_steadily, tell]);
    let lines = classes(&steady, &set("Start=5"));
    assert!(lines.iter().all(|line| line.starts_with("input_edited")), "{lines:?}");
}

#[test]
fn nondeterminism_that_only_the_edit_causes_is_found() {
    let def = flow!("branches", GET "/", steps: [parse, branch, tell_sort]);
    assert_eq!(
        classes(&def, &set("Start=5")),
        [
            "input_edited  response.body.#",
            "nondeterminism  response.body.#",
            "nondeterminism  response.body.#.Odd.by",
            "nondeterminism branch Sort",
            "nondeterminism branch Sort.Odd.by",
        ]
    );
}

#[test]
fn an_unstable_order_is_not_attributed_to_the_edit() {
    let def = flow!("picks", GET "/", steps: [parse, pick_steadily, tell_shuffled]);
    let lines = classes(&def, &set("Picked.n=5"));
    assert_eq!(lines, ["input_edited  response.body.already", "nondeterminism  response.body.items.#"]);
}

#[test]
fn an_unstable_argument_is_not_attributed_to_the_edit() {
    let def = flow!("asks", GET "/", steps: [parse, pick_steadily, ask_secretly, finish]);
    let lines = classes(&def, &set("Picked.n=5"));
    assert!(lines.iter().all(|line| line.starts_with("nondeterminism ask_secretly echo")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("arguments")), "{lines:?}");
    // With an answer for every call, the replay reaches the rest.
    let failing = Fault { effect: "0".into(), kind: FaultKind::Unreachable };
    let edits = Edits { faults: vec![failing], ..set("Picked.n=5") };
    let lines = classes(&def, &edits);
    let arguments = "nondeterminism ask_secretly echo # arguments".to_owned();
    assert!(
        lines.contains(&arguments) && lines.contains(&"input_edited ask_secretly Sum".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"input_edited  response.status".to_owned()), "{lines:?}");
}

#[step]
fn finish(sum: &Sum) -> Response {
    Response::json(&sum.of)
}

#[test]
fn faults_and_answers_count_as_edits() {
    let def = flow!("sums", GET "/", steps: [parse, ask, check, pick, tell]);
    let late = Fault { effect: "0".into(), kind: FaultKind::Latency { ns: 1_000_000_000 } };
    for edits in [
        Edits { faults: vec![late], ..Edits::default() },
        Edits { answers: vec!["0=40".parse().unwrap()], ..Edits::default() },
    ] {
        let lines = classes(&def, &edits);
        let (nonces, rest): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains("nonce"));
        assert_eq!(nonces.len(), 2, "{lines:?}");
        assert!(nonces.iter().all(|line| line.starts_with("nondeterminism")), "{lines:?}");
        assert!(rest.iter().all(|line| line.starts_with("input_edited")), "{lines:?}");
    }
}

/// Performs effects for real and counts them.
struct Counted(AtomicU64);

impl LivePerformer for Counted {
    fn kinds(&self) -> Vec<&'static str> {
        vec!["echo"]
    }

    fn perform(
        &self,
        call: &Call,
        _name: &str,
        _within: std::time::Duration,
    ) -> (CallResult, std::time::Duration) {
        self.0.fetch_add(1, Ordering::Relaxed);
        (echo(call), std::time::Duration::from_millis(2))
    }
}

#[test]
fn live_effects_are_performed_once() {
    let def = sums();
    let recording =
        Recording { trace: record(&def, request(), false, usize::MAX), secrets: Secrets::default() };
    let run = |edits: &Edits| {
        let live = Counted(AtomicU64::new(0));
        let context = ReplayContext { live: Some(&live), ..ReplayContext::default() };
        let flow = &ready(&def);
        let replay = Replay { recording: &recording, flow, route: &|_| true, edits, context };
        let report = replay.run(&mut |_| {}).unwrap();
        (summary(&report), report.coverage.effects_live, live.0.into_inner())
    };
    let live = |kind: &str| Edits { live: vec![kind.parse().unwrap()], ..set("Start=5") };
    let (report, effects_live, performed) = run(&live("echo"));
    assert!(effects_live > 0 && u64::from(effects_live) == performed, "{report} {performed}");
    assert!(!report.contains("nondeterminism"), "{report}");
    // This kind declares none of its calls to be reads.
    let (report, effects_live, performed) = run(&live("echo:reads"));
    assert_eq!((effects_live, performed), (0, 0));
    assert!(report.contains("not a read; --live echo:reads performs only reads"), "{report}");
    assert!("echo:writes".parse::<LiveKind>().is_err() && ":reads".parse::<LiveKind>().is_err());
}
