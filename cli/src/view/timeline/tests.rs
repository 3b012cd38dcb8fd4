//! Whole documents, and that recorded text is never printed raw.

use anstream::adapter::strip_str;
use proptest::prelude::*;
use zerver_analysis::{HolderKind, QueueHolder};
use zerver_trace::text::is_dangerous;
use zerver_trace::{
    Answer, Class, Decision, EffectError, EffectErrorKind, Event, FailureInfo, FailureKind, Header, Outcome,
    RecordedBody, RequestId,
};

use super::*;
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample::{self, plain, ran, summed, wire};

fn styled(trace: &Trace, columns: usize, is_verbose: bool) -> String {
    let of = Timeline::of(trace);
    let verdict = of.verdict(&[1_900_000, 2_100_000, trace.duration_ns]);
    timeline(trace, &of, None, verdict.as_ref(), Layout { columns, folds: true, digits: 8, is_verbose })
}

fn show(trace: &Trace, columns: usize, is_verbose: bool) -> String {
    let text = strip_str(&styled(trace, columns, is_verbose)).to_string();
    if !is_verbose {
        let widest = text.lines().map(width).max().unwrap_or(0);
        assert!(widest <= columns, "{widest} of {columns} columns:\n{text}");
    }
    text
}

#[test]
fn a_slow_request_on_80_columns() {
    insta::assert_snapshot!(show(&sample::slow(), 80, false), @r#"
    019aa4c2  GET /v1/todos/456?full=1  200 OK  5.40 ms  todos-item  interactive
           at     took
      50.0 µs   100 µs   ✓ parse_auth     wrote AuthHeader             ▎
       150 µs  20.0 µs   ✓ lookup_user    needs http                   ▏
       170 µs  2.18 ms     ↳ http GET idp.exampl…   200, wrote Claims  █████▋
      2.36 ms  45.0 µs   ✓ verify_roles                                     ▏
      2.40 ms  20.0 µs   ✓ load_todo      needs kv                          ▏
      2.42 ms  2.68 ms     ↳ kv get todo:456   found, wrote Todo            ███████▎
      5.10 ms   280 µs   ✓ render_todo    done 200                                 ▋
    I/O      http 2.18 ms (1 call)   kv 2.68 ms (1 call)
    total    5.40 ms = 4.86 ms effects + 465 µs CPU + 35.0 µs queue
             + 20.0 µs receiving + 20.0 µs unexplained
    verdict  50% kv get todo:456; this flow's median is 2.10 ms
    slots    AuthHeader  ●●●● (secret)
             Claims      {sub: "user-123", roles: ["admin"]}
             Todo        {id: 456, title: "Buy milk", done: false}
    "#);
}

#[test]
fn a_slow_request_on_120_columns() {
    insta::assert_snapshot!(show(&sample::slow(), 120, false), @r#"
    019aa4c2  GET /v1/todos/456?full=1  200 OK  5.40 ms  todos-item  interactive
           at     took
      50.0 µs   100 µs   ✓ parse_auth     wrote AuthHeader                        ▊
       150 µs  20.0 µs   ✓ lookup_user    needs http                               ▏
       170 µs  2.18 ms     ↳ http GET idp.example.com/verify   200, wrote Claims   █████████████████▎
      2.36 ms  45.0 µs   ✓ verify_roles                                                             ▍
      2.40 ms  20.0 µs   ✓ load_todo      needs kv                                                  ▏
      2.42 ms  2.68 ms     ↳ kv get todo:456   found, wrote Todo                                    █████████████████████▋
      5.10 ms   280 µs   ✓ render_todo    done 200                                                                       ██▊
    I/O      http 2.18 ms (1 call)   kv 2.68 ms (1 call)
    total    5.40 ms = 4.86 ms effects + 465 µs CPU + 35.0 µs queue + 20.0 µs receiving + 20.0 µs unexplained
    verdict  50% kv get todo:456; this flow's median is 2.10 ms
    slots    AuthHeader  ●●●● (secret)
             Claims      {sub: "user-123", roles: ["admin"]}
             Todo        {id: 456, title: "Buy milk", done: false}
    "#);
}

#[test]
fn a_failed_request_names_what_failed() {
    insta::assert_snapshot!(show(&sample::failed(), 100, false), @r#"
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item  interactive
           at     took
      10.0 µs  10.0 µs   ✓ parse_auth     wrote AuthHeader                              ▏
      20.0 µs  5.00 µs   ✓ lookup_user    needs http                                    ▏
      25.0 µs   600 µs     ↳ http GET idp.example.com/ver…   200, 2 attempts, wrote C…  ███████████
       625 µs  5.00 µs   ✓ verify_roles                                                            ▏
       630 µs  5.00 µs   ✗ load_todo      needs kv, not_found todo 456                             ▏
       635 µs   250 µs     ↳ kv get todo:456   not found                                           ████▋
    I/O      http 600 µs (2 calls)   kv 250 µs (1 call)
    total    900 µs = 850 µs effects + 25.0 µs CPU + 10.0 µs queue + 15.0 µs unexplained
    verdict  67% http GET idp.example.com/verify; this flow's median is 1.90 ms
    slots    AuthHeader ●●●● (secret)   Claims {sub: "user-123", roles: ["admin"]}
    failed   not_found todo 456
    step     load_todo  src/todos.rs:40
    effect   kv get todo:456: not found
    cause    the store has no todo:456
             it was deleted
    "#);
}

#[test]
fn attempts_and_waits_of_an_effect_are_shown() {
    let text = show(&sample::held(), 130, false);
    let row = text.lines().find(|line| line.contains("http GET")).unwrap();
    assert!(row.contains("200, 2 attempts, queued 25.0 µs, wrote Claims"), "{text}");
}

#[test]
fn delays_by_a_busy_worker_are_shown() {
    let mut trace = sample::late();
    let (flow, step) = ("report\u{1b}[2J".to_owned().into(), "spin".into());
    let part = zerver_trace::RequestPart::Head;
    let (unread_ns, ran_ns) = (610_000_000, 600_000_000);
    trace.events.insert(0, Event::ReadDelayed { part, unread_ns, ran_ns, flow, step });
    let text = show(&trace, 120, false);
    for line in [
        "read     head read right after a step of 600 ms on its worker: spin of report\\u{1b}[2J",
        "late     2.60 ms: worker 0 ran spin of report (kv get todo:456)",
        "total    5.40 ms = 2.26 ms effects + 465 µs CPU + 35.0 µs queue + 2.60 ms late + 20.0 µs receiving",
        "verdict  48% late answers: worker 0 ran spin of report;",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "no {line} in\n{text}");
    }
    let row = text.lines().find(|line| line.contains("kv get")).unwrap();
    assert!(row.contains("80.0 µs") && row.contains("found, answer 2.60 ms late"), "{text}");
}

#[test]
fn a_change_of_class_is_shown_with_its_reason() {
    let mut trace = sample::slow();
    let moved = |at_ns, from, to, reason: &str| Event::Reclassified {
        at_ns,
        from,
        to,
        reason: reason.to_owned().into(),
    };
    trace.events.push(moved(50_000, Class::Default, Class::Interactive, "path /v1/"));
    trace.events.push(moved(
        2_400_000,
        Class::Interactive,
        Class::Batch,
        &format!("\u{1b}{}", "long ".repeat(30)),
    ));
    let text = show(&trace, 80, false);
    let lines: Vec<_> = text.lines().skip(1).take(2).collect();
    assert_eq!(lines[0], "class    default to interactive at 50.0 µs: path /v1/");
    assert!(lines[1].starts_with("         interactive to batch at 2.40 ms: "), "{text}");
    assert!(lines[1].ends_with('…') && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn migrations_are_shown() {
    let mut trace = sample::slow();
    trace.worker = Some(1);
    trace.events.push(Event::Migrated { at_ns: 50_000, to: Thread::Worker(0) });
    trace.events.push(Event::Migrated { at_ns: 2_400_000, to: Thread::BatchWorker(2) });
    let text = show(&trace, 100, false);
    let lines: Vec<_> = text.lines().take(3).collect();
    assert!(lines[0].ends_with("  interactive  worker 1"), "{text}");
    assert_eq!(lines[1..], ["migrated to worker 0 at 50.0 µs", "         to batch worker 2 at 2.40 ms"]);
}

#[test]
fn a_response_that_was_not_delivered_is_marked() {
    let text = show(&Trace { is_undelivered: true, ..sample::slow() }, 80, false);
    assert!(
        text.contains("200 OK") && text.contains("\nresponse not delivered: the client had left\n"),
        "{text}"
    );
    assert!(!show(&sample::slow(), 80, false).contains("delivered"));
}

#[test]
fn a_step_that_exceeded_its_quantum_is_marked() {
    let mut trace = sample::slow();
    trace.events.push(Event::QuantumExceeded { step: 4, at_ns: 5_380_000, quantum_ns: 250_000 });
    let text = show(&trace, 100, false);
    assert!(text.contains("render_todo    done 200, longer than 250us"), "{text}");
}

#[test]
fn the_time_of_a_shed_request_is_queue() {
    let mut trace = sample::slow();
    trace.events.truncate(1);
    trace.outcome = Outcome::Rejected { reason: "unavailable capacity: interactive: waited too long".into() };
    trace.status = 503;
    insta::assert_snapshot!(show(&trace, 100, false), @r"
    019aa4c2  GET /v1/todos/456?full=1  503 Service Unavailable  5.40 ms  rejected  todos-item
    total    5.40 ms = 5.38 ms queue + 20.0 µs receiving
    failed   rejected: unavailable capacity: interactive: waited too long
    ");
}

#[test]
fn verbose_output_has_request_response_and_values() {
    let mut trace = sample::slow();
    trace.request_body = RecordedBody { full_len: 2_000, kept_len: 9, bytes: wire(b"{\n  \"a\":1") };
    insta::assert_snapshot!(show(&trace, 100, true), @r#"
    019aa4c2  GET /v1/todos/456?full=1  200 OK  5.40 ms  todos-item  interactive
           at     took
      50.0 µs   100 µs   ✓ parse_auth     wrote AuthHeader                        ▍
       150 µs  20.0 µs   ✓ lookup_user    needs http                              ▏
       170 µs  2.18 ms     ↳ http GET idp.example.com/verify   200, wrote Claims  █████████▌
      2.36 ms  45.0 µs   ✓ verify_roles                                                    ▎
      2.40 ms  20.0 µs   ✓ load_todo      needs kv                                         ▏
      2.42 ms  2.68 ms     ↳ kv get todo:456   found, wrote Todo                           ███████████▊
      5.10 ms   280 µs   ✓ render_todo    done 200                                                    █▉
    I/O      http 2.18 ms (1 call)   kv 2.68 ms (1 call)
    total    5.40 ms = 4.86 ms effects + 465 µs CPU + 35.0 µs queue + 20.0 µs receiving
             + 20.0 µs unexplained
    verdict  50% kv get todo:456; this flow's median is 2.10 ms
    slots    AuthHeader  ●●●● (secret)
             Claims      {sub: "user-123", roles: ["admin"]}
             Todo        {id: 456, title: "Buy milk", done: false}
    missing  1991 bytes of the request's body not recorded
    started  2026-11-22T10:43:01.123456789Z
    kept     recording everything
    build    todos 0.1.0
    request  GET /v1/todos/456?full=1 HTTP/1.1  from 127.0.0.1:50000
             host: localhost:3000
             authorization: ●●●● (secret)
             body: 2,000 bytes, the first 9 recorded
             {
               "a":1
    response 200 OK
             content-type: application/json
             body: 12 bytes
             {"id":  456}
    "#);
}

#[test]
fn an_incomplete_trace_says_so() {
    let mut trace = sample::slow();
    trace.events.truncate(10);
    trace.events.remove(3);
    trace.events_dropped = 4;
    trace.outcome = Outcome::ClientLeft { step: 3 };
    trace.status = 0;
    insta::assert_snapshot!(show(&trace, 100, false), @r#"
    019aa4c2  GET /v1/todos/456?full=1  no response  5.40 ms  gone  todos-item  interactive
           at     took
      50.0 µs   100 µs   ✓ parse_auth     wrote AuthHeader                        ▍
       170 µs            ? lookup_user    its run was not recorded                ▏
       170 µs  2.18 ms     ↳ http GET idp.example.com/verify   200, wrote Claims  █████████▌
      2.36 ms  45.0 µs   ✓ verify_roles                                                    ▎
      2.40 ms  20.0 µs   ✗ load_todo      needs kv, client_left                            ▏
      2.42 ms  2.98 ms     ↳ kv get todo:456   no answer                                   █████████████
    I/O      http 2.18 ms (1 call)   kv 2.98 ms (1 call)
    total    5.40 ms = 5.16 ms effects + 165 µs CPU + 35.0 µs queue + 20.0 µs receiving
             + 20.0 µs unexplained
    verdict  55% kv get todo:456; this flow's median is 2.10 ms
    slots    AuthHeader ●●●● (secret)   Claims {sub: "user-123", roles: ["admin"]}
    failed   client_left: before there was a response
    step     load_todo  src/todos.rs:40
    effect   kv get todo:456: no answer
    missing  4 events dropped while recording
             1 effect without an answer
             1 event of a step without a recorded run
    "#);
}

#[test]
fn lines_that_an_effect_logs_are_shown_below_it() {
    let mut trace = sample::slow();
    trace.events.push(Event::Logged {
        call: 0,
        at_ns: 1_000_000,
        level: zerver_trace::LogLevel::Warn,
        target: "client".into(),
        line: plain("slow\u{1b}[2J password=<secret>"),
    });
    let shown = show(&trace, 100, false);
    assert!(
        shown.contains("\n  1.00 ms                  warn: slow\\u{1b}[2J password=<secret> "),
        "{shown}"
    );
}

#[test]
fn a_request_that_a_layer_recorded_says_what_is_unknown() {
    insta::assert_snapshot!(show(&sample::of_layer(), 100, false), @r"
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  1.00 ms  get-todos-id  default
          at    took
        0 ns           · handler                                 ▏
      100 µs  700 µs     ↳ span load   ok                           ████████████████████████████▏
      200 µs  300 µs     ↳ sql SELECT title FROM todos   0 rows         ████████████▌
      900 µs                 warn: no such todo id=456                                              ▏
    I/O      span 700 µs (1 call)   sql 300 µs (1 call)
    total    1.00 ms = 700 µs effects + 300 µs the handler outside of spans
    verdict  70% span load; this flow's median is 1.90 ms
    missing  recorded by a layer: slots, queues, CPU times and random numbers are unknown, and it cannot
             be replayed
    ");
}

/// The kind of failure `gone` once had the name of the outcome of a client that leaves.
#[test]
fn a_failure_of_kind_gone_says_nothing_about_the_client() {
    let mut trace = sample::failed();
    let Outcome::Failed(failure) = &mut trace.outcome else { unreachable!() };
    failure.kind = FailureKind::Gone;
    let text = show(&trace, 100, false);
    let line = text.lines().find(|line| line.contains("failed   ")).unwrap_or_default();
    assert!(line.contains("gone") && !line.contains("client") && !line.contains("response"), "{text}");
}

#[test]
fn the_title_line_drops_worker_class_flow_and_reason_before_the_path() {
    let mut trace = sample::failed();
    (trace.worker, trace.path) = (Some(1), "/v1/todos/a-path-of-some-length/456".into());
    let heads = [60, 80, 100, 120, 200].map(|columns| {
        let text = show(&trace, columns, false);
        text.lines().next().unwrap_or_default().to_owned()
    });
    insta::assert_snapshot!(heads.join("\n"), @r"
    019aa4c2  GET /v1/todos/456?full=1  404  900 µs  todos-item
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item  interactive  worker 1
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item  interactive  worker 1
    019aa4c2  GET /v1/todos/456?full=1  404 Not Found  900 µs  todos-item  interactive  worker 1
    ");
    // All of it, however wide it is.
    let text = show(&trace, 60, true);
    assert_eq!(text.lines().next(), Some(heads[4].as_str()));
}

#[test]
fn colors_are_set_and_reset() {
    let text = styled(&Trace { status: 502, ..sample::failed() }, 100, false);
    assert!(text.contains("\u{1b}[1m\u{1b}[31m✗\u{1b}[0m"), "{text:?}");
    for line in text.lines() {
        assert!(line.matches("\u{1b}[0m").count() * 4 >= line.matches("\u{1b}[").count(), "{line:?}");
    }
}

#[test]
fn recorded_text_is_never_printed_raw() {
    const EVIL: &str = "e\u{1b}]52;c;AAAA\u{7}\u{9b}31m\u{202e}\u{2028}\n\r\tl";
    let mut flow = sample::flow(&[(EVIL, false), ("Two", false)], &[(EVIL, &[0], &[0])]);
    (flow.name, flow.pattern, flow.steps[0].doc) = (EVIL.into(), EVIL.into(), EVIL.into());
    flow.steps[0].file = EVIL.into();
    let effect = Event::EffectRequested {
        call: 0,
        step: 0,
        at_ns: 0,
        kind: EVIL.to_owned().into(),
        args: summed(EVIL, EVIL),
        attempt: 1,
        timeout_ns: None,
    };
    let error = EffectError::new(EffectErrorKind::Internal, EVIL);
    let mut trace = sample::trace(
        flow.clone(),
        10_000,
        vec![
            ran(0, 0, 0, 1, Decision::Fail),
            effect,
            sample::answered(0, 1, Answer::Err(error)),
            sample::asked(1, 0, 1, "kv", plain(EVIL), 1),
            sample::answered(1, 1, Answer::Ok(plain(EVIL))),
            sample::wrote(0, 0, 2, plain([EVIL])),
            sample::wrote(0, 1, 2, wire(EVIL.as_bytes())),
        ],
    );
    (trace.method, trace.path, trace.version, trace.peer) =
        (EVIL.into(), EVIL.into(), EVIL.into(), EVIL.into());
    (trace.target, trace.build) = (wire(EVIL.as_bytes()), EVIL.into());
    trace.request_headers = vec![Header { name: EVIL.into(), value: wire(EVIL.as_bytes()) }];
    trace.response_body = RecordedBody { full_len: 9, kept_len: 9, bytes: wire(EVIL.as_bytes()) };
    trace.outcome = Outcome::Failed(FailureInfo {
        kind: FailureKind::Internal,
        what: EVIL.to_owned().into(),
        key: EVIL.into(),
        message: EVIL.into(),
        step: Some(0),
        call: Some(0),
        causes: vec![EVIL.into()],
    });
    let mut summary = trace.summary();
    summary.outcome = EVIL.into();

    let texts = [
        styled(&trace, 100, false),
        styled(&trace, 40, false),
        styled(&trace, 100, true),
        crate::view::request_list::table(std::slice::from_ref(&summary), 15, 0, None),
        crate::view::request_list::line(&summary, 8),
        crate::view::catalog::catalog(
            &[crate::view::catalog::ListedFlow {
                flow: zerver_trace::CatalogFlow::new(flow, None),
                targets: Some(vec![zerver_analysis::FlowTarget {
                    kind: EVIL.into(),
                    host: Some(EVIL.into()),
                }]),
            }],
            None,
        ),
    ];
    for text in texts {
        // Our own styles are the only escapes: without them, nothing dangerous is left.
        let mut left = text.clone();
        for code in ["0", "1", "2", "31", "32", "33", "34", "35", "36"] {
            left = left.replace(&format!("\u{1b}[{code}m"), "");
        }
        let raw: Vec<char> = left.chars().filter(|&c| is_dangerous(c) && c != '\n').collect();
        assert!(raw.is_empty(), "{raw:?} in {left}");
        assert!(
            left.lines().all(|line| !line.starts_with("l ")),
            "a recorded line end came through:\n{left}"
        );
    }
    let json = crate::safe_json::document(
        &zerver_analysis::TimelineJson::new(&trace, &Timeline::of(&trace), None),
        true,
    );
    let json = String::from_utf8(json.unwrap()).unwrap();
    assert!(!json.chars().any(|c| is_dangerous(c) && c != '\n'));
}

#[test]
fn a_secret_slot_is_never_shown_even_if_recorded_in_the_clear() {
    let mut trace = sample::slow();
    // The first slot is a secret, and its value was recorded in the clear.
    trace.events[2] = sample::wrote(0, 0, 150, summed("hunter2", "hunter2"));
    let json = zerver_analysis::TimelineJson::new(&trace, &Timeline::of(&trace), None);
    let json = String::from_utf8(crate::safe_json::document(&json, false).unwrap()).unwrap();
    for text in [styled(&trace, 100, false), styled(&trace, 100, true), json] {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(
        trace in any_trace(), columns in 80..200usize, digits in 8..20usize,
        texts in prop::collection::vec("(1\u{fe0f}\u{20e3}|👨\u{200d}👩|🇩🇪|a|漢| |e\u{301}|\t){0,80}", 8),
        worker in prop::option::of(any::<u16>()), status in prop::sample::select(vec![0, 200, 404, 431, 999]),
    ) {
        let mut trace = trace;
        let mut flow = (*trace.flow).clone();
        (flow.name, flow.steps[0].name, flow.steps[0].file) = (texts[0].clone(), texts[1].clone(), texts[2].clone());
        (flow.slots[0].name, flow.slots[1].name) = (texts[3].clone(), texts[4].clone());
        trace.flow = flow.into();
        (trace.path, trace.worker, trace.status) = (texts[5].clone(), worker, status);
        trace.events.push(sample::wrote(0, 0, 1, plain(&texts[6])));
        if status == 404 {
            trace.outcome = Outcome::Failed(FailureInfo {
                kind: FailureKind::NotFound,
                what: "todo".into(),
                key: texts[6].clone(),
                message: texts[7].clone(),
                step: Some(0),
                call: None,
                causes: texts[4..6].to_vec(),
            });
        }
        let of = Timeline::of(&trace);
        let verdict = of.verdict(&[1_900_000, 2_100_000, trace.duration_ns]);
        let text = timeline(&trace, &of, None, verdict.as_ref(), Layout { columns, folds: true, digits, is_verbose: false });
        for line in strip_str(&text).to_string().lines() {
            prop_assert!(width(line) <= columns, "{} of {columns}: {line}", width(line));
        }
    }

    #[test]
    fn any_trace_can_be_shown(trace in any_trace(), columns in 0..200usize) {
        for is_verbose in [false, true] {
            let text = styled(&trace, columns, is_verbose);
            let text = strip_str(&text).to_string();
            prop_assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}

#[test]
fn what_a_queued_request_waited_for_is_listed() {
    let held = |request: u128, step: &str, time_ms: u64| QueueHolder {
        kind: HolderKind::Step {
            request: RequestId::from_u128(request << 96),
            flow: "report".into(),
            step: step.into(),
        },
        thread: Some(Thread::Worker(0)),
        time_ns: time_ms * 1_000_000,
    };
    let nothing =
        QueueHolder { kind: HolderKind::NotRecorded, thread: Some(Thread::Worker(0)), time_ns: 1_000_000 };
    let mut holders = vec![held(0x19aa_4c20, "render\u{1b}[2J", 180), held(0x19aa_4c21, "load", 30), nothing];
    holders.extend((0..3).map(|n| held(7, &format!("step_{n}"), 3)));
    let queue = QueueHolders { queue_ns: 220_000_000, holders, is_sampled: true };
    let layout = Layout { columns: 80, folds: true, digits: 8, is_verbose: false };
    insta::assert_snapshot!(strip_str(&queue_holders("queue", Some(&queue), layout)).to_string(), @r"
    queue    180 ms of 220 ms behind render\u{1b}[2J of report (19aa4c20)
             30.0 ms of 220 ms behind load of report (19aa4c21)
             3.00 ms of 220 ms behind step_0 of report (00000007)
             3.00 ms of 220 ms behind step_1 of report (00000007)
             and 2 more
    ");
    assert_eq!(queue_holders("queue", None, layout), "");
}

#[test]
fn only_failures_of_the_service_are_red() {
    let red = style::BAD.render().to_string();
    let styled = |status: u16| styled(&Trace { status, ..sample::failed() }, 120, false);
    assert!(!styled(404).contains(&red), "{}", styled(404));
    for line in ["502 Bad Gateway", "failed", "✗", "not_found todo 456"] {
        assert!(styled(502).contains(&format!("{red}{line}")), "{line} in {}", styled(502));
    }
    // The status says the same as the outcome, unless the service was at fault.
    let title = |text: &str| strip_str(text.lines().next().unwrap()).to_string();
    assert!(!title(&styled(404)).contains("failed") && title(&styled(502)).contains("failed"));
}
