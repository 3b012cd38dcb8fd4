//! Diffs of hand-built traces: causes and differences, and that no pair of traces makes them fail.

use proptest::prelude::*;
use zerver_replay::{RecordedJson, Sameness};
use zerver_trace::{
    Answer, Decision, EffectError, EffectErrorKind, Event, Header, Origin, Outcome, PolicyDecision,
    QueueReason, Recorded, Thread, Trace,
};

use super::*;
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample::*;

fn of(a: &Trace, b: &Trace) -> Diff {
    Diff::of(a, b, &IgnoredHeaders::default())
}

/// Shows a diff, with times in microseconds.
fn show(a: &Trace, b: &Trace) -> String {
    let diff = of(a, b);
    let us = |ns: i128| ns as f64 / 1_000.0;
    let mut out =
        format!("{} by {}\n", if diff.is_same() { "same" } else { "different" }, us(diff.delta_ns()));
    for cause in &diff.causes {
        out += &format!(
            "{:+} {} {:?} {}\n",
            us(cause.delta_ns()),
            cause.kind.as_str(),
            cause.step.as_deref().unwrap_or("-"),
            cause.label
        );
    }
    let side = |side: &Option<RecordedJson>| {
        side.as_ref().map_or("nothing".into(), |it| serde_json::to_string(it).unwrap())
    };
    for difference in &diff.differences {
        let step = difference.step.as_ref().map_or("-", |step| &step.name);
        let (what, path) = (difference.kind.label(), &difference.path);
        out += &format!("{step}: {what} {path} {} -> {}\n", side(&difference.a), side(&difference.b));
    }
    if !diff.ignored.is_empty() {
        out += &format!("ignored {:?}\n", diff.ignored);
    }
    out
}

#[test]
fn a_failure_comes_first_in_the_verdict() {
    let with = |status, outcome: &Outcome| Trace { status, outcome: outcome.clone(), ..slow() };
    let gone = Outcome::ClientLeft { step: 0 };
    for (a, b, wanted) in [
        (slow(), failed(), "a succeeded (200), b failed (404); "),
        (failed(), slow(), "a failed (404), b succeeded (200); "),
        (slow(), with(404, &Outcome::Done), "a succeeded (200), b failed (404); "),
        (with(0, &gone), with(302, &Outcome::Done), "a failed (no response), b succeeded (302); "),
    ] {
        let verdict = of(&a, &b).verdict();
        assert!(verdict.starts_with(wanted), "{verdict}");
    }
    for (a, b) in [(slow(), slow()), (failed(), failed()), (failed(), with(500, &gone))] {
        let verdict = of(&a, &b).verdict();
        assert!(!verdict.contains("succeeded"), "{verdict}");
    }
}

#[test]
fn a_length_is_never_the_first_difference() {
    let with = |length: &str, kind: &str| {
        let header = |name: &str, value: &str| Header { name: name.into(), value: wire(value.as_bytes()) };
        let headers = vec![header("content-length", length), header("content-type", kind)];
        let mut trace = slow();
        (trace.request_headers, trace.response_headers) = (headers.clone(), headers);
        trace
    };
    let diff = of(&with("10", "text/plain"), &with("11", "text/html"));
    assert_eq!(diff.first().unwrap().path, "content-type");
    assert!(diff.differences.iter().any(|difference| difference.path == "content-length"));
}

#[test]
fn another_authority_is_a_difference() {
    let named = |origin: Option<&str>, host: Option<&str>| {
        let mut trace = slow();
        trace.origin = origin.map_or(Origin::Absent, |origin| Origin::Named(wire(origin.as_bytes())));
        let header = host.map(|host| Header { name: "host".into(), value: wire(host.as_bytes()) });
        trace.request_headers = header.into_iter().collect();
        trace
    };
    let authority = |a: &Trace, b: &Trace| {
        let diff = of(a, b);
        let found =
            diff.differences.iter().find(|difference| difference.kind == DifferenceKind::RequestAuthority);
        found.map(Difference::sentence)
    };
    let a = named(Some("http://a.example"), None);
    let said = authority(&a, &named(Some("http://b.example"), None)).unwrap();
    assert!(said.contains("http://a.example") && said.contains("http://b.example"), "{said}");
    assert_eq!(authority(&a, &a), None);
    assert_eq!(authority(&a, &named(None, Some("a.example"))), None);
    let said = authority(&a, &named(None, Some("c.example"))).unwrap();
    assert!(said.contains(r#""a.example" -> "c.example""#), "{said}");
    // An unrecorded authority is neither the same nor different; HTTP/1 has it in a header.
    let old = |trace: Trace| Trace { origin: Origin::NotRecorded, ..trace };
    let diff = of(&a, &old(named(None, None)));
    assert!(diff.sameness() == Sameness::Incomplete, "{:?}", diff.differences);
    assert!(of(&old(named(None, Some("a"))), &named(None, Some("a"))).is_same());
}

#[test]
fn a_slow_upstream_is_the_cause_and_the_query_is_the_first_difference() {
    insta::assert_snapshot!(show(&report(0), &report(250)), @r#"
    different by 250000
    +250000 effect "gather" http GET figures.internal/figures?..
    -: request query latency_ms "0" -> "250"
    parse_report: slot ReportParams.latency_ms 0 -> 250
    gather: effect argument url "http://figures.internal/figures?latency_ms=0" -> "http://figures.internal/figures?latency_ms=250"
    gather: effect wait  370000 -> 250370000
    gather: effect result took_ms 0 -> 250
    "#);
}

#[test]
fn a_retry_a_missing_step_and_another_outcome_are_differences() {
    insta::assert_snapshot!(show(&slow(), &failed()), @r#"
    different by -4500
    -2430 effect "load_todo" kv get todo:456
    -1980 effect "lookup_user" http GET idp.example.com/verify
    +400 retry "lookup_user" retries of http GET idp.example.com/verify
    -280 missing "render_todo" render_todo, only in a
    -90 cpu "parse_auth" CPU of parse_auth
    -40 cpu "verify_roles" CPU of verify_roles
    -20 receive "-" receiving
    -20 queue "parse_auth" run queue before parse_auth
    -15 cpu "load_todo" CPU of load_todo
    -15 cpu "lookup_user" CPU of lookup_user
    -5 unexplained "-" unexplained
    -5 queue "verify_roles" run queue before verify_roles
    lookup_user: effect wait  2180000 -> 600000
    lookup_user: effect attempts  1 -> 2
    load_todo: effect wait  2680000 -> 250000
    load_todo: effect result  {"id":456,"title":"Buy milk","done":false} -> null
    load_todo: slot Todo {"id":456,"title":"Buy milk","done":false} -> nothing
    render_todo: step  "render_todo" -> nothing
    -: outcome  "done" -> "not_found todo 456"
    -: response status  200 -> 404
    "#);
}

#[test]
fn waiting_for_a_permit_is_a_separate_cause() {
    let a = failed();
    let mut b = held();
    // It waits for 100 us more, and everything after it is as late.
    for event in &mut b.events {
        match event {
            Event::EffectStarted { at_ns, .. } | Event::EffectCompleted { call: 1.., at_ns, .. } => {
                *at_ns += 100 * US
            }
            Event::SlotWritten { slot: 1, at_ns, .. } | Event::EffectRequested { call: 2, at_ns, .. } => {
                *at_ns += 100 * US
            }
            Event::StepRan { step: 2.., ready_ns, at_ns, .. } => {
                *ready_ns += 100 * US;
                *at_ns += 100 * US;
            }
            _ => {}
        }
    }
    b.duration_ns += 100 * US;
    insta::assert_snapshot!(show(&a, &b), @r#"
    same by 100
    +125 queue "lookup_user" permit wait of http GET idp.example.com/verify
    -25 retry "lookup_user" retries of http GET idp.example.com/verify
    lookup_user: effect wait  600000 -> 700000
    "#);
}

/// A request of which one effect waits, is repeated or is refused.
fn rates(duration_us: u64, events: Vec<Event<Recorded>>) -> Trace {
    let mut all = vec![ran(0, 0, 0, 1, Decision::Need)];
    all.extend(events);
    trace(flow(&[], &[("ask", &[], &[])]), duration_us * US, all)
}

/// The first or another attempt of the effect.
fn rate(call: u32, at: u64, attempt: u16) -> Event<Recorded> {
    asked(call, 0, at, "http", summed("rates", "GET rates.example.com:443/eur"), attempt)
}

fn queued(call: u32, at: u64, reason: QueueReason) -> Event<Recorded> {
    Event::EffectQueued { call, at_ns: at * US, reason }
}

fn started(call: u32, at: u64) -> Event<Recorded> {
    Event::EffectStarted { call, at_ns: at * US }
}

fn decided(call: u32, at: u64, decision: PolicyDecision, wait_us: u64) -> Event<Recorded> {
    Event::PolicyDecided { call, at_ns: at * US, decision, wait_ns: wait_us * US }
}

/// The causes of the difference to a request without intervention of a policy, and the first words of the verdict.
fn policy_causes(b: &Trace) -> String {
    let a = rates(101, vec![rate(0, 1, 1), answered(0, 101, Answer::Ok(summed(200, "200")))]);
    let text = show(&a, b);
    let causes =
        text.lines().skip(1).take_while(|line| line.starts_with(['+', '-']) && !line.starts_with("-:"));
    causes.map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_wait_for_the_rate_limit_is_named() {
    let ok = || Answer::Ok(summed(200, "200"));
    let b = rates(
        1_301,
        vec![rate(0, 1, 1), queued(0, 1, QueueReason::Rate), started(0, 1_201), answered(0, 1_301, ok())],
    );
    insta::assert_snapshot!(policy_causes(&b), @r#"+1200 queue "ask" wait for the rate limit of rates.example.com:443"#);
    let a = rates(101, vec![rate(0, 1, 1), answered(0, 101, ok())]);
    insta::assert_snapshot!(of(&a, &b).verdict(), @"same decisions, values and response; 1.20 ms slower: 100% wait for the rate limit of rates.example.com:443 (0 ns -> 1.20 ms); first difference: effect wait of http GET rates.example.com:443/eur 100 µs -> 1.30 ms");
}

#[test]
fn pauses_before_another_attempt_are_named() {
    let unavailable = || Answer::Ok(summed(503, "503"));
    let again = |decision, pause: u64| {
        let until = 101 + pause;
        let events = vec![
            rate(0, 1, 1),
            answered(0, 101, unavailable()),
            decided(0, 101, decision, pause),
            rate(1, 101, 2),
            queued(1, 101, QueueReason::RetryDelay),
            started(1, until),
            answered(1, until + 100, Answer::Ok(summed(200, "200"))),
        ];
        rates(until + 100, events)
    };
    insta::assert_snapshot!(policy_causes(&again(PolicyDecision::Retried, 500)), @r#"+600 retry "ask" retry pauses of http GET rates.example.com:443/eur"#);
    insta::assert_snapshot!(policy_causes(&again(PolicyDecision::RetryAfterObeyed, 2_000)), @r#"+2100 retry "ask" wait that rates.example.com:443 asked for (Retry-After)"#);
    // The failed attempt took most of the time.
    insta::assert_snapshot!(policy_causes(&again(PolicyDecision::Retried, 50)), @r#"+150 retry "ask" retries of http GET rates.example.com:443/eur"#);
}

#[test]
fn the_time_before_a_hedge_is_named() {
    let events = vec![
        rate(0, 1, 1),
        rate(1, 1, 2),
        queued(1, 1, QueueReason::Hedge),
        started(1, 401),
        answered(1, 501, Answer::Ok(summed(200, "200"))),
        answered(0, 501, Answer::Canceled),
        decided(1, 501, PolicyDecision::HedgeWon, 0),
    ];
    insta::assert_snapshot!(policy_causes(&rates(501, events)), @r#"+400 retry "ask" time before the hedge of http GET rates.example.com:443/eur"#);
}

#[test]
fn a_call_that_a_policy_has_ended_is_named() {
    let refused = |decision, kind| {
        let error = EffectError::new(kind, "refused");
        policy_causes(&rates(
            2,
            vec![rate(0, 1, 1), decided(0, 1, decision, 0), answered(0, 2, Answer::Err(error))],
        ))
    };
    insta::assert_snapshot!(refused(PolicyDecision::BreakerRefused, EffectErrorKind::Refused), @r#"-99 effect "ask" http GET rates.example.com:443/eur, circuit breaker of rates.example.com:443 was open in b"#);
    insta::assert_snapshot!(refused(PolicyDecision::RateRefused, EffectErrorKind::Refused), @r#"-99 effect "ask" http GET rates.example.com:443/eur, refused by the rate limit in b"#);
    insta::assert_snapshot!(refused(PolicyDecision::TargetTimeout, EffectErrorKind::Timeout), @r#"-99 effect "ask" http GET rates.example.com:443/eur, time limit of its target in b"#);
}

#[test]
fn queueing_before_being_shed_is_a_cause() {
    let mut b = slow();
    b.events.truncate(1);
    b.outcome = Outcome::Rejected { reason: "waited too long".into() };
    let text = show(&slow(), &b);
    assert!(text.contains("+5380 queue \"-\" waiting in the run queue until the end\n"), "{text}");
}

#[test]
fn another_worker_is_no_difference() {
    let (a, mut b) = (report(250), report(250));
    b.worker = Some(7);
    b.events.insert(1, Event::Migrated { at_ns: 1, to: Thread::Worker(0) });
    assert_eq!(show(&a, &b), show(&a, &a));
}

#[test]
fn equal_requests_are_the_same_whatever_their_durations() {
    let mut again = report(250);
    again.duration_ns += 40 * US;
    again.response_headers.push(Header { name: "date".into(), value: wire(b"Tue") });
    insta::assert_snapshot!(show(&report(250), &again), @r#"
    same by 40
    +40 unexplained "-" unexplained
    ignored ["date"]
    "#);
}

#[test]
fn effects_of_one_side_are_counted() {
    let many = |count: u32| {
        let mut events = vec![ran(0, 0, 0, 1, Decision::Need)];
        for call in 0..count {
            let at = 1 + u64::from(call) * 10;
            events.push(asked(call, 0, at, "sql", plain(call), 1));
            events.push(answered(call, at + 10, Answer::Ok(plain(()))));
        }
        trace(flow(&[], &[("each", &[], &[])]), u64::from(count) * 10 * US + 1_000, events)
    };
    insta::assert_snapshot!(show(&many(2), &many(5)), @r#"
    different by 30
    +30 extra "each" 3 more sql calls
    each: effect  nothing -> "sql 2"
    each: effect  nothing -> "sql 3"
    each: effect  nothing -> "sql 4"
    "#);
}

#[test]
fn waits_and_errors_are_named_if_nothing_else_differs() {
    let mut late = report(250);
    for event in &mut late.events {
        if let Event::StepRan { step: 2, at_ns, .. } = event {
            *at_ns += 400_000 * US;
        }
    }
    late.duration_ns += 400_000 * US;
    insta::assert_snapshot!(show(&report(250), &late), @r#"
    same by 400000
    +400000 queue "render_report" run queue before render_report
    render_report: queue  0 -> 400000000
    "#);

    let mut broken = report(250);
    for event in &mut broken.events {
        if let Event::EffectCompleted { call: 0, answer, .. } = event {
            *answer = Answer::Err(EffectError::new(EffectErrorKind::Unreachable, "refused"));
        }
    }
    insta::assert_snapshot!(show(&report(250), &broken), @r#"
    different by 0
    gather: effect result  "200" -> "unreachable: refused"
    "#);
}

#[test]
fn different_flows_are_compared_as_far_as_possible() {
    let diff = of(&slow(), &report(0));
    assert!(!diff.is_one_flow() && !diff.is_same());
    assert_eq!(diff.first().unwrap().kind, DifferenceKind::Flow);
    assert_eq!(diff.run_pairs.iter().filter(|row| row.run.a.is_some() && row.run.b.is_some()).count(), 0);
}

#[test]
fn the_document_has_the_promised_fields() {
    let diff = of(&report(0), &report(250));
    let mut document = serde_json::to_value(DiffJson::new(&diff)).unwrap();
    for more in ["differences", "slots", "a", "b"] {
        document.as_object_mut().unwrap().remove(more).unwrap();
    }
    document["causes"].as_array_mut().unwrap().truncate(1);
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
    {
      "causes": [
        {
          "a_ns": 370000,
          "b_ns": 250370000,
          "delta_ns": 250000000,
          "kind": "effect",
          "label": "http GET figures.internal/figures?..",
          "step": "gather"
        }
      ],
      "delta_ns": 250000000,
      "first_difference": {
        "a": "0",
        "b": "250",
        "effect": null,
        "kind": "request_query",
        "path": "latency_ms",
        "source": null,
        "step": null
      },
      "ignored_headers": [],
      "not_compared": [],
      "unlisted_differences": 0,
      "verdict": "different"
    }
    "#);
}

#[test]
fn a_diff_contains_no_secret() {
    let with = |token: &str| {
        let mut trace = slow();
        // The first slot is secret, and its value was recorded in plain text.
        trace.events[2] = wrote(0, 0, 150, summed(token, token));
        trace
    };
    let diff = of(&with("hunter2"), &with("hunter3"));
    assert_eq!(diff.slots.len(), 1);
    let json = serde_json::to_string(&DiffJson::new(&diff)).unwrap();
    assert!(!json.contains("hunter"), "{json}");
}

fn check_sums(a: &Trace, b: &Trace) {
    let (there, back) = (of(a, b), of(b, a));
    let deltas = |diff: &Diff| {
        let mut deltas: Vec<i128> = diff.causes.iter().map(Cause::delta_ns).collect();
        deltas.sort_unstable();
        deltas
    };
    assert_eq!(deltas(&there).iter().sum::<i128>(), there.delta_ns());
    assert_eq!(there.delta_ns(), i128::from(b.duration_ns) - i128::from(a.duration_ns));
    let mut negated: Vec<i128> = deltas(&back).iter().map(|delta| -delta).collect();
    negated.sort_unstable();
    assert_eq!(deltas(&there), negated);
    assert_eq!(there.sameness(), back.sameness());
    let sizes: Vec<u128> = there.causes.iter().map(|cause| cause.delta_ns().unsigned_abs()).collect();
    assert!(sizes.is_sorted_by(|a, b| a >= b));
    serde_json::to_string(&DiffJson::new(&there)).unwrap();
    let _ = there.leading();
}

#[test]
fn samples_add_up() {
    for (a, b) in [(slow(), failed()), (report(0), report(250)), (slow(), report(1))] {
        check_sums(&a, &b);
    }
}

proptest! {
    #[test]
    fn any_two_traces_add_up_both_ways(a in any_trace(), b in any_trace()) {
        check_sums(&a, &b);
    }

    #[test]
    fn a_trace_is_the_same_as_itself(trace in any_trace()) {
        let diff = of(&trace, &trace);
        // Parts that were not recorded are not known to be the same.
        prop_assert!(diff.sameness() != Sameness::Different);
        prop_assert!(diff.causes.is_empty() && diff.differences.is_empty());
        prop_assert!(diff.slots.is_empty() && diff.delta_ns() == 0);
    }
}

/// Everything that was recorded is secret.
#[test]
fn a_secret_that_differs_is_a_difference() {
    let mut other = slow();
    other.request_headers[1].value = Recorded::Hashed { hash: [1; 16], masked: None };
    let diff = of(&slow(), &other);
    let first = diff.first().unwrap();
    assert_eq!((first.kind, first.path.as_str()), (DifferenceKind::RequestHeader, "authorization"));
    assert!(!diff.is_same());
}

#[test]
fn a_busy_worker_is_the_cause_instead_of_the_effect() {
    let mut a = late();
    // The same request with its answer taken at once.
    a.events.retain(|event| !matches!(event, Event::CompletionDelayed { .. }));
    for event in &mut a.events {
        match event {
            Event::EffectCompleted { call: 1, at_ns, .. } | Event::SlotWritten { slot: 2, at_ns, .. } => {
                *at_ns = 2_500 * US
            }
            Event::StepRan { step: 4, ready_ns, at_ns, .. } => (*ready_ns, *at_ns) = (2_500 * US, 2_500 * US),
            _ => {}
        }
    }
    a.duration_ns -= 2_600 * US;
    insta::assert_snapshot!(show(&a, &late()), @r#"
    same by 2600
    +2600 completion_delay "load_todo" late answers for load_todo: worker 0 ran spin of report
    "#);
    let diff = of(&a, &late());
    assert_eq!(diff.by_kind().map(|(_, ns)| ns).iter().sum::<i128>(), diff.delta_ns());
}

#[test]
fn an_injected_fault_is_a_difference() {
    let mut drilled = report(250);
    let rule = zerver_trace::Name::from("http=latency:249ms:5%");
    drilled.events.push(Event::FaultInjected { call: 0, at_ns: 0, rule });
    let diff = of(&report(250), &drilled);
    let found: Vec<_> = diff.differences.iter().map(|it| (it.kind.as_str(), it.a.is_some())).collect();
    assert_eq!(found, [("injected_fault", false)]);
    let b = serde_json::to_value(diff.differences[0].b.as_ref().unwrap()).unwrap();
    assert_eq!(b, "injected by chaos rule http=latency:249ms:5%");
    assert_eq!(of(&drilled, &drilled).differences, []);
}

/// A request whose step performs a statement, with these points, in a number of microseconds.
fn queried(points: &[&'static str], took: u64) -> Trace {
    let mut events = vec![ran(0, 0, 1, 1, Decision::Need), asked(0, 0, 2, "sql", plain("todo_by_title"), 1)];
    events.extend(points.iter().map(|point| Event::EffectPoint {
        call: 0,
        at_ns: 3 * US,
        point: (*point).into(),
    }));
    events.push(answered(0, 2 + took, Answer::Ok(plain("1 row"))));
    trace(flow(&[], &[("load", &[], &[])]), (4 + took) * US, events)
}

#[test]
fn a_plan_that_changed_is_named_and_is_no_difference_of_results() {
    let index = "plan 00000000000000aa Limit(Index Scan using todos_title on todos)";
    let scan = "plan 00000000000000bb Limit(Sort(Seq Scan on todos))";
    let (fast, slow) = (queried(&["connection", index], 10), queried(&["connection", scan], 5_000));
    let diff = of(&fast, &slow);
    let [change] = &diff.plan_changes[..] else { panic!("{diff:?}") };
    assert_eq!(change.sentence(), "Index Scan using todos_title on todos -> Seq Scan on todos");
    assert_eq!((change.step.as_str(), change.b.as_str()), ("load", "Limit(Sort(Seq Scan on todos))"));
    assert!(diff.is_same());
    let verdict = diff.verdict();
    assert!(
        verdict.contains("; plan changed: Index Scan using todos_title on todos -> Seq Scan on todos; first"),
        "{verdict}"
    );
    let json = serde_json::to_value(DiffJson::new(&diff)).unwrap();
    assert_eq!(json["plan_changes"][0]["a"], "Limit(Index Scan using todos_title on todos)");
    // A plan is not a point on the way to the answer.
    let points: Vec<_> = diff.a.timeline.runs[0].effects[0].points().map(|point| &*point.point).collect();
    assert_eq!(points, ["connection"]);
    for (a, b) in [(&fast, &fast), (&fast, &queried(&[], 10)), (&queried(&["plan x"], 1), &slow)] {
        assert_eq!(of(a, b).plan_changes, []);
    }
}
