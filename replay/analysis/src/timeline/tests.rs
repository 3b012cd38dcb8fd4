//! Timelines of hand-built traces: their numbers, and that no trace makes them fail.

use proptest::prelude::*;
use zerver_trace::{
    Answer, Decision, EffectError, EffectErrorKind, Event, MissingReason, Outcome, QueueReason, Recorded,
    RecordedBody, Thread, Trace,
};

use super::*;
use zerver_testkit::hostile::any_trace;
use zerver_testkit::sample::*;

/// Shows a timeline, with times in microseconds.
fn show(trace: &Trace) -> String {
    let timeline = Timeline::of(trace);
    let us = |ns: u64| ns as f64 / 1_000.0;
    let mut out = String::new();
    let names = |writes: &[SlotWrite]| writes.iter().map(|w| w.name.as_str()).collect::<Vec<_>>().join(" ");
    for run in &timeline.runs {
        let decision = run.decision.map_or("?", Decision::as_str);
        let wrote = names(&run.writes);
        out += &format!(
            "{} at {} queue {} cpu {} io {} {decision} wrote [{wrote}]\n",
            run.step.name,
            us(run.start_ns),
            us(run.queue_ns),
            us(run.cpu_ns),
            us(run.io_ns),
        );
        for effect in &run.effects {
            out += &format!(
                "  {} at {} took {} in {}: {}, wrote [{}]\n",
                effect.label(),
                us(effect.start_ns),
                us(effect.duration_ns),
                effect.attempts.len(),
                effect.end,
                names(&effect.writes),
            );
        }
    }
    let t = &timeline.totals;
    out += &format!(
        "total {} = receive {} + queue {} + cpu {} + wait {} + unexplained {}\n",
        us(t.total_ns),
        us(t.receive_ns),
        us(t.queue_ns),
        us(t.cpu_ns),
        us(t.wait_ns),
        us(t.unexplained_ns),
    );
    for (kind, io) in &t.io {
        out += &format!("{kind} {} in {}\n", us(io.time_ns), io.calls);
    }
    if let Some(verdict) = timeline.verdict(&[]) {
        out += &format!("verdict {}% {}\n", verdict.largest.percent, verdict.largest.label);
    }
    if let Some(failure) = &timeline.failure {
        out += &format!("failure {failure} at {:?}\n", failure.step.as_ref().map(|s| (&s.name, s.line)));
        out += &format!("  {:?} because {:?}\n", failure.effects, failure.causes);
    }
    timeline.gaps.iter().for_each(|gap| out += &format!("gap {gap}\n"));
    out
}

#[test]
fn the_numbers_of_a_slow_request() {
    insta::assert_snapshot!(show(&slow()), @r"
    parse_auth at 50 queue 30 cpu 100 io 0 continue wrote [AuthHeader]
    lookup_user at 150 queue 0 cpu 20 io 2180 need wrote []
      http GET idp.example.com/verify at 170 took 2180 in 1: 200, wrote [Claims]
    verify_roles at 2355 queue 5 cpu 45 io 0 continue wrote []
    load_todo at 2400 queue 0 cpu 20 io 2680 need wrote []
      kv get todo:456 at 2420 took 2680 in 1: found, wrote [Todo]
    render_todo at 5100 queue 0 cpu 280 io 0 done wrote []
    total 5400 = receive 20 + queue 35 + cpu 465 + wait 4860 + unexplained 20
    http 2180 in 1
    kv 2680 in 1
    verdict 50% kv get todo:456
    ");
}

#[test]
fn a_retry_is_one_effect_and_a_failure_names_all() {
    insta::assert_snapshot!(show(&failed()), @r#"
    parse_auth at 10 queue 10 cpu 10 io 0 continue wrote [AuthHeader]
    lookup_user at 20 queue 0 cpu 5 io 600 need wrote []
      http GET idp.example.com/verify at 25 took 600 in 2: 200, wrote [Claims]
    verify_roles at 625 queue 0 cpu 5 io 0 continue wrote []
    load_todo at 630 queue 0 cpu 5 io 250 need wrote []
      kv get todo:456 at 635 took 250 in 1: not found, wrote []
    total 900 = receive 0 + queue 10 + cpu 25 + wait 850 + unexplained 15
    http 600 in 2
    kv 250 in 1
    verdict 67% http GET idp.example.com/verify
    failure not_found todo 456 at Some(("load_todo", 40))
      [("kv get todo:456", "not found")] because ["the store has no todo:456", "it was deleted"]
    "#);
}

#[test]
fn a_pause_is_not_an_attempt_and_waits_are_shown() {
    let timeline = Timeline::of(&held());
    let effect = &timeline.runs[1].effects[0];
    let text = |attempt: &Attempt| {
        let Attempt {
            start_ns,
            duration_ns,
            retry_delay_ns: pause_ns,
            queued_ns: held_ns,
            queue_reason: held_by,
            ..
        } = *attempt;
        ([start_ns, duration_ns, pause_ns, held_ns].map(|ns| ns / US), held_by)
    };
    let attempts: Vec<_> = effect.attempts.iter().map(text).collect();
    assert_eq!(attempts, [([25, 300, 0, 0], None), ([400, 225, 75, 25], Some(QueueReason::Target))]);
    assert_eq!((effect.start_ns / US, effect.duration_ns / US), (25, 600));
    assert_eq!(effect.notes(), ["2 attempts", "queued 25.0 µs"]);
    let plain = show(&failed());
    assert_eq!(show(&held()), plain, "the numbers of the whole are the same");
}

#[test]
fn an_attempt_that_never_started_waited_until_the_end() {
    let mut trace = held();
    let until = trace.events.iter().position(|event| matches!(event, Event::EffectQueued { .. })).unwrap();
    trace.events.truncate(until + 1);
    let attempt = |trace: &Trace| Timeline::of(trace).runs[1].effects[0].attempts[1].clone();
    let pausing = attempt(&trace);
    assert_eq!((pausing.start_ns / US, pausing.duration_ns, pausing.retry_delay_ns / US), (900, 0, 575));
    trace.events[until] = Event::EffectQueued { call: 1, at_ns: 325 * US, reason: QueueReason::Target };
    trace.events.push(answered(1, 800, Answer::Canceled));
    let waiting = attempt(&trace);
    let expected = (325, 475, 475, Some(QueueReason::Target));
    assert_eq!(
        (waiting.start_ns / US, waiting.duration_ns / US, waiting.queued_ns / US, waiting.queue_reason),
        expected
    );
}

#[test]
fn migrations_are_shown() {
    let mut trace = slow();
    trace.worker = Some(1);
    let (worker, low) = (Thread::Worker(0), Thread::BatchWorker(2));
    trace.events.insert(1, Event::Migrated { at_ns: US, to: worker });
    trace.events.push(Event::Migrated { at_ns: 3 * US, to: low });
    let timeline = Timeline::of(&trace);
    assert_eq!(
        timeline.migrations,
        [Migration { at_ns: US, to: worker }, Migration { at_ns: 3 * US, to: low }]
    );
    assert_eq!(show(&trace), show(&slow()), "the rest is as it would be");
    let json = serde_json::to_value(TimelineJson::new(&trace, &timeline, None)).unwrap();
    assert_eq!(json["worker"], 1);
    let migrations = r#"[{"at_ns":1000,"to":{"worker":0}},{"at_ns":3000,"to":{"batch_worker":2}}]"#;
    assert_eq!(json["migrations"].to_string(), migrations);
    let json = serde_json::to_value(TimelineJson::new(&slow(), &Timeline::of(&slow()), None)).unwrap();
    assert!(json.get("worker").is_none() && json.get("migrations").is_none());
}

#[test]
fn an_exceeded_quantum_is_shown() {
    let mut trace = slow();
    trace.events.insert(3, Event::QuantumExceeded { step: 0, at_ns: 150 * US, quantum_ns: 90 * US });
    let timeline = Timeline::of(&trace);
    let overran: Vec<_> = timeline.runs.iter().map(|run| run.exceeded_quantum_ns).collect();
    assert_eq!(overran, [Some(90 * US), None, None, None, None]);
    assert_eq!(show(&trace), show(&slow()), "the rest is as it would be");
    let json = serde_json::to_value(TimelineJson::new(&trace, &timeline, None)).unwrap();
    assert_eq!(json["steps"][0]["exceeded_quantum_ns"], 90_000);
    assert!(json["steps"][1].get("exceeded_quantum_ns").is_none());
}

#[test]
fn a_request_that_never_ran_waited_in_the_run_queue() {
    let waited = |outcome| {
        let mut trace = slow();
        trace.events.truncate(1);
        trace.outcome = outcome;
        let totals = Timeline::of(&trace).totals;
        (totals.receive_ns / US, totals.queue_ns / US, totals.unexplained_ns / US)
    };
    assert_eq!(waited(Outcome::Rejected { reason: "late".into() }), (20, 5_380, 0));
    assert_eq!(waited(Outcome::ClientLeft { step: 0 }), (20, 5_380, 0));
    assert_eq!(waited(Outcome::TimedOut { step: 0 }), (20, 5_380, 0));
    assert_eq!(waited(Outcome::Done), (20, 0, 5_380), "of that the trace does not tell");
}

#[test]
fn the_wait_for_parallel_effects_counts_once() {
    let flow = flow(&[("A", false)], &[("both", &[], &[0])]);
    let events = vec![
        Event::BodyReceived { at_ns: 0 },
        ran(0, 0, 0, 10, Decision::Need),
        asked(0, 0, 10, "http", plain("a"), 1),
        asked(1, 0, 10, "http", plain("b"), 1),
        asked(2, 0, 10, "kv", plain("c"), 1),
        answered(2, 20, Answer::Canceled),
        answered(0, 60, Answer::Ok(plain(()))),
        answered(1, 110, Answer::Ok(plain([1, 2]))),
        wrote(0, 0, 110, plain(1)),
    ];
    insta::assert_snapshot!(show(&trace(flow, 110 * US, events)), @r#"
    both at 0 queue 0 cpu 10 io 100 need wrote []
      http "a" at 10 took 50 in 1: ok, wrote []
      http "b" at 10 took 100 in 1: [1, 2], wrote [A]
      kv "c" at 10 took 10 in 1: canceled, wrote []
    total 110 = receive 0 + queue 0 + cpu 10 + wait 100 + unexplained 0
    http 100 in 2
    kv 10 in 1
    verdict 91% http "b"
    "#);
}

#[test]
fn many_small_calls_are_one_finding() {
    let flow = flow(&[], &[("each", &[], &[])]);
    let mut events = vec![ran(0, 0, 0, 1, Decision::Need)];
    for call in 0..20 {
        let at = 1 + u64::from(call) * 10;
        events.push(asked(call, 0, at, "sql", plain(call), 1));
        events.push(answered(call, at + 10, Answer::Ok(plain(()))));
    }
    let trace = trace(flow, 201 * US, events);
    let verdict = Timeline::of(&trace).verdict(&[5, 1, 3, 9]).unwrap();
    assert_eq!((verdict.largest.label.as_str(), verdict.largest.percent), ("20 calls of sql *", 100));
    assert_eq!(verdict.median_ns, Some(3));
}

#[test]
fn a_verdict_groups_similar_calls() {
    let check = |args: &[(&str, u64)], expected: &str| {
        let flow = flow(&[], &[("each", &[], &[])]);
        let mut events = vec![ran(0, 0, 0, 1, Decision::Need)];
        let mut at = 1;
        for (call, (args, took)) in (0..).zip(args) {
            events.push(asked(call, 0, at, "sql", plain(*args), 1));
            at += took;
            events.push(answered(call, at, Answer::Ok(plain(()))));
        }
        let verdict = Timeline::of(&trace(flow, at * US, events)).verdict(&[]).unwrap();
        assert_eq!(verdict.largest.label, expected);
    };
    let ten = |label| [(label, 10); 10];
    check(&ten("article by id"), r#"10 calls of sql "article by id""#);
    check(&[ten("article by id").as_slice(), &[("tags", 30)]].concat(), r#"10 calls of sql "article by id""#);
    check(&[("article 7", 10), ("article 8", 10), ("article 9", 10)], r#"3 calls of sql "article *""#);
    // No group has most of the time.
    check(&[ten("article by id"), ten("tags of")].concat(), "20 sql calls");
    check(&[("a", 10), ("b", 10), ("c", 10)], "3 sql calls");
    // One call took most of it.
    check(&[("article by id", 10), ("article by id", 90)], r#"sql "article by id""#);
}

#[test]
fn calls_of_several_kinds_are_counted_separately() {
    let flow = flow(&[], &[("each", &[], &[])]);
    let mut events = vec![ran(0, 0, 0, 1, Decision::Need)];
    for call in 0..20 {
        let at = 1 + u64::from(call) * 10;
        events.push(asked(call, 0, at, if call < 5 { "kv" } else { "sql" }, plain("x"), 1));
        events.push(answered(call, at + 10, Answer::Ok(plain(()))));
    }
    let verdict = Timeline::of(&trace(flow, 201 * US, events)).verdict(&[]).unwrap();
    assert_eq!((verdict.largest.label.as_str(), verdict.largest.percent), (r#"15 calls of sql "x""#, 75));
}

#[test]
fn a_step_that_yields_runs_again() {
    let flow = flow(&[("Sum", false)], &[("add", &[], &[0])]);
    let events = vec![
        Event::BodyReceived { at_ns: 0 },
        ran(0, 0, 0, 10, Decision::Yield),
        Event::StepYielded { step: 0, progress: plain(1) },
        ran(0, 10, 15, 10, Decision::Yield),
        Event::StepYielded { step: 0, progress: plain(2) },
        // A write may precede the run of its step.
        wrote(0, 0, 30, plain(3)),
        ran(0, 25, 25, 5, Decision::Continue),
    ];
    insta::assert_snapshot!(show(&trace(flow, 30 * US, events)), @r"
    add at 0 queue 0 cpu 10 io 0 yield wrote []
    add at 15 queue 5 cpu 10 io 0 yield wrote []
    add at 25 queue 0 cpu 5 io 0 continue wrote [Sum]
    total 30 = receive 0 + queue 5 + cpu 25 + wait 0 + unexplained 0
    verdict 83% CPU of add
    ");
}

#[test]
fn waiting_for_a_permit_is_not_attributed_to_the_effect() {
    let call = |call: u32, held_us: u64, by: QueueReason, took_us: u64| {
        let held = Event::EffectQueued { call, at_ns: 0, reason: by };
        let begun = Event::EffectStarted { call, at_ns: held_us * US };
        let end = answered(call, held_us + took_us, Answer::Ok(plain(1)));
        vec![asked(call, 0, 0, "postgres", plain(call), 1), held, begun, end]
    };
    let verdict = |calls: Vec<Vec<Event<Recorded>>>| {
        let flow = flow(&[], &[("only", &[], &[])]);
        let mut events = vec![ran(0, 0, 0, 0, Decision::Need)];
        events.extend(calls.into_iter().flatten());
        let largest = Timeline::of(&trace(flow, 100 * US, events)).verdict(&[]).unwrap().largest;
        format!("{} {}% {}", largest.kind.as_str(), largest.percent, largest.label)
    };
    use QueueReason::{Kind, Request, Target};
    assert_eq!(verdict(vec![call(0, 80, Kind, 20)]), "permit 80% waiting for a postgres permit");
    assert_eq!(
        verdict(vec![call(0, 70, Target, 20), call(1, 75, Kind, 25)]),
        "permit 70% waiting for a postgres permit"
    );
    assert_eq!(verdict(vec![call(0, 20, Kind, 80)]), "effect 100% postgres 0");
    // While one of them runs, the others wait for that one and for no other request.
    assert_eq!(verdict(vec![call(0, 0, Kind, 90), call(1, 90, Kind, 10)]), "effect 90% postgres 0");
    // Other requests are not to blame if this one makes many calls itself.
    assert_eq!(verdict(vec![call(0, 80, Request, 20)]), "effect 100% postgres 0");
}

#[test]
fn a_panic_has_its_own_source_location() {
    let flow = flow(&[], &[("only", &[], &[])]);
    let panicked =
        Event::StepPanicked { step: 0, at_ns: 9, file: "src/deep.rs".into(), line: 777, column: 5 };
    let mut trace = trace(flow, 100 * US, vec![ran(0, 1, 1, 8, Decision::Panic), panicked]);
    trace.outcome = Outcome::Panicked { step: 0, message: "oh".into() };
    let source = |trace: &Trace| {
        let timeline = Timeline::of(trace);
        let document = TimelineJson::new(trace, &timeline, None);
        serde_json::to_value(document).unwrap()["failure"]["source"].to_string()
    };
    assert_eq!(source(&trace), r#"{"file":"src/deep.rs","line":777}"#);
    // Recorded before panics had locations.
    trace.events.pop();
    assert_eq!(source(&trace), r#"{"file":"src/todos.rs","line":10}"#);
}

#[test]
fn missing_and_inconsistent_data_is_listed() {
    let flow = flow(&[], &[("only", &[], &[])]);
    let mut trace = trace(
        flow,
        100 * US,
        vec![
            asked(0, 0, 10, "http", Recorded::Missing(MissingReason::TooLarge), 1),
            asked(1, 0, 10, "mail", sealed(), 1),
            answered(1, 5, Answer::Err(EffectError::new(EffectErrorKind::Internal, ""))),
            answered(9, 5, Answer::Canceled),
            ran(7, 90, 80, 1_000, Decision::Panic),
            wrote(7, 3, 90, plain(1)),
        ],
    );
    trace.events_dropped = 3;
    trace.outcome = Outcome::TimedOut { step: 0 };
    trace.request_body = RecordedBody { full_len: 10, kept_len: 4, bytes: wire(b"abcd") };
    insta::assert_snapshot!(show(&trace), @r#"
    only at 10 queue 0 cpu 0 io 90 ? wrote []
      http (too large) at 10 took 90 in 1: no answer, wrote []
      mail (secret) at 10 took 0 in 1: internal, wrote []
    step#7 at 80 queue 0 cpu 1000 io 0 panic wrote [slot#3]
    total 100 = receive 0 + queue 0 + cpu 20 + wait 70 + unexplained 10
    http 90 in 1
    mail 0 in 1
    verdict 100% CPU of step#7
    failure timed_out at Some(("only", 10))
      [("http (too large)", "no answer")] because []
    gap 3 events dropped while recording
    gap 1 effect without an answer
    gap 1 answer without an effect in the trace
    gap 1 event of a step without a recorded run
    gap 2 events refer to an unknown step or slot
    gap 2 times are earlier than a preceding event
    gap 1 step ran after the end of the request
    gap 6 bytes of the request's body not recorded
    gap arguments of http (too large) not recorded: too large
    "#);
}

#[test]
fn the_document_has_the_promised_fields() {
    let document = |trace: &Trace| {
        let timeline = Timeline::of(trace);
        serde_json::to_value(TimelineJson::new(trace, &timeline, timeline.verdict(&[]).as_ref())).unwrap()
    };
    let json = document(&slow());
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap(), @r#"
    {
      "build": "todos 0.1.0",
      "class": "interactive",
      "complete": true,
      "duration_ns": 5400000,
      "failure": null,
      "flow": "todos-item",
      "id": "019aa4c2-1f3b-7abc-8def-0123456789ab",
      "kept": "all",
      "method": "GET",
      "missing": [],
      "outcome": "done",
      "path": "/v1/todos/456",
      "recorded_by": "runtime",
      "request": {
        "body": {
          "full_bytes": 0,
          "kept_bytes": 0,
          "value": ""
        },
        "headers": [
          {
            "name": "host",
            "value": "localhost:3000"
          },
          {
            "name": "authorization",
            "value": {
              "secret": "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
            }
          }
        ],
        "peer": "127.0.0.1:50000",
        "target": "/v1/todos/456?full=1",
        "version": "HTTP/1.1"
      },
      "response": {
        "body": {
          "full_bytes": 12,
          "kept_bytes": 12,
          "value": "{\"id\":  456}"
        },
        "delivered": true,
        "headers": [
          {
            "name": "content-type",
            "value": "application/json"
          }
        ],
        "status": 200
      },
      "slots": {
        "AuthHeader": {
          "secret": "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
        },
        "Claims": {
          "roles": [
            "admin"
          ],
          "sub": "user-123"
        },
        "Todo": {
          "done": false,
          "id": 456,
          "title": "Buy milk"
        }
      },
      "started_at": "2026-11-22T10:43:01.123456789Z",
      "status": 200,
      "steps": [
        {
          "cpu_ns": 100000,
          "decision": "continue",
          "effects": [],
          "io_ns": 0,
          "name": "parse_auth",
          "queue_ns": 30000,
          "reads": [],
          "source": {
            "file": "src/todos.rs",
            "line": 10
          },
          "start_ns": 50000,
          "writes": [
            {
              "slot": "AuthHeader",
              "value": {
                "secret": "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"
              }
            }
          ]
        },
        {
          "cpu_ns": 20000,
          "decision": "need",
          "effects": [
            {
              "args": [
                "GET",
                "https://idp"
              ],
              "attempts": 1,
              "call": 0,
              "duration_ns": 2180000,
              "kind": "http",
              "outcome": "200",
              "output": 200,
              "start_ns": 170000,
              "summary": "GET idp.example.com/verify",
              "writes": [
                "Claims"
              ]
            }
          ],
          "io_ns": 2180000,
          "name": "lookup_user",
          "queue_ns": 0,
          "reads": [
            "AuthHeader"
          ],
          "source": {
            "file": "src/todos.rs",
            "line": 20
          },
          "start_ns": 150000,
          "writes": [
            {
              "slot": "Claims",
              "value": {
                "roles": [
                  "admin"
                ],
                "sub": "user-123"
              }
            }
          ]
        },
        {
          "cpu_ns": 45000,
          "decision": "continue",
          "effects": [],
          "io_ns": 0,
          "name": "verify_roles",
          "queue_ns": 5000,
          "reads": [
            "Claims"
          ],
          "source": {
            "file": "src/todos.rs",
            "line": 30
          },
          "start_ns": 2355000,
          "writes": []
        },
        {
          "cpu_ns": 20000,
          "decision": "need",
          "effects": [
            {
              "args": [
                "todo",
                456
              ],
              "attempts": 1,
              "call": 1,
              "duration_ns": 2680000,
              "kind": "kv",
              "outcome": "found",
              "output": {
                "done": false,
                "id": 456,
                "title": "Buy milk"
              },
              "start_ns": 2420000,
              "summary": "get todo:456",
              "writes": [
                "Todo"
              ]
            }
          ],
          "io_ns": 2680000,
          "name": "load_todo",
          "queue_ns": 0,
          "reads": [],
          "source": {
            "file": "src/todos.rs",
            "line": 40
          },
          "start_ns": 2400000,
          "writes": [
            {
              "slot": "Todo",
              "value": {
                "done": false,
                "id": 456,
                "title": "Buy milk"
              }
            }
          ]
        },
        {
          "cpu_ns": 280000,
          "decision": "done",
          "effects": [],
          "io_ns": 0,
          "name": "render_todo",
          "queue_ns": 0,
          "reads": [
            "Todo"
          ],
          "source": {
            "file": "src/todos.rs",
            "line": 50
          },
          "start_ns": 5100000,
          "writes": []
        }
      ],
      "totals": {
        "cpu_ns": 465000,
        "io": {
          "http": {
            "calls": 1,
            "time_ns": 2180000
          },
          "kv": {
            "calls": 1,
            "time_ns": 2680000
          }
        },
        "queue_ns": 35000,
        "receive_ns": 20000,
        "total_ns": 5400000,
        "unexplained_ns": 20000,
        "wait_ns": 4860000
      },
      "verdict": {
        "kind": "effect",
        "label": "kv get todo:456",
        "median_ns": null,
        "percent": 50,
        "time_ns": 2680000
      }
    }
    "#);
    assert_eq!(
        document(&failed())["failure"],
        serde_json::json!({
            "kind": "not_found", "what": "todo", "key": "456", "message": "", "step": "load_todo",
            "effect": "kv get todo:456", "effects": [{"effect": "kv get todo:456", "outcome": "not found"}],
            "causes": ["the store has no todo:456", "it was deleted"],
            "source": {"file": "src/todos.rs", "line": 40},
        })
    );
}

proptest! {
    #[test]
    fn any_trace_has_a_timeline_that_adds_up(trace in any_trace()) {
        let timeline = Timeline::of(&trace);
        let duration_ns = trace.duration_ns;
        let t = &timeline.totals;
        let parts = [t.receive_ns, t.queue_ns, t.cpu_ns, t.wait_ns, t.completion_delay_ns, t.unexplained_ns];
        prop_assert_eq!(parts.iter().map(|&ns| u128::from(ns)).sum::<u128>(), u128::from(duration_ns));
        prop_assert_eq!(t.total_ns, duration_ns);
        for io in t.io.values() {
            prop_assert!(io.time_ns <= duration_ns && io.calls > 0);
        }
        for run in &timeline.runs {
            prop_assert!(run.io_ns <= duration_ns);
            prop_assert!(run.effects.iter().all(|effect| !effect.attempts.is_empty()));
        }
        let asked = trace.events.iter().filter(|event| matches!(event, Event::EffectRequested { .. })).count();
        let shown: usize = timeline.runs.iter().flat_map(|r| &r.effects).map(|e| e.attempts.len()).sum();
        prop_assert_eq!(asked, shown, "every attempt is in the timeline once");
        let verdict = timeline.verdict(&[1, duration_ns]);
        prop_assert!(verdict.as_ref().is_none_or(|verdict| verdict.largest.percent <= 100));
        prop_assert_eq!(Timeline::of(&trace), timeline.clone(), "twice is the same");
        serde_json::to_string(&TimelineJson::new(&trace, &timeline, verdict.as_ref())).unwrap();
    }
}

#[test]
fn an_empty_trace_has_a_timeline() {
    let nothing = trace(flow(&[], &[]), 0, Vec::new());
    let timeline = Timeline::of(&nothing);
    assert_eq!(timeline.totals, Totals::default());
    assert_eq!(timeline.verdict(&[]), None);
    assert_eq!(median(&[]), None);
}

#[test]
fn a_late_answer_does_not_lengthen_its_effect() {
    let timeline = Timeline::of(&late());
    let (run, totals) = (&timeline.runs[3], &timeline.totals);
    let effect = &run.effects[0];
    assert_eq!((effect.duration_ns / US, run.io_ns / US, effect.completion_delay_ns() / US), (80, 80, 2_600));
    assert_eq!(
        (totals.wait_ns / US, totals.completion_delay_ns / US, totals.io["kv"].time_ns / US),
        (2_260, 2_600, 80)
    );
    assert_eq!(totals.unexplained_ns, Timeline::of(&slow()).totals.unexplained_ns, "to when it was taken");
    assert_eq!(effect.notes(), ["answer 2.60 ms late"]);
    let verdict = timeline.verdict(&[]).unwrap();
    assert_eq!(verdict.largest.kind.as_str(), "completion_delay");
    assert_eq!(verdict.largest.label, "late answers: worker 0 ran spin of report");
    let json = serde_json::to_value(TimelineJson::new(&late(), &timeline, None)).unwrap();
    assert_eq!(json["totals"]["completion_delay_ns"], 2_600 * US);
    assert_eq!(
        json["steps"][3]["effects"][0]["completion_delays"],
        serde_json::json!([{
            "ready_ns": 2_500 * US, "delay_ns": 2_600 * US, "thread": {"worker": 0}, "flow": "report", "step": "spin",
        }])
    );
    let plain = serde_json::to_value(TimelineJson::new(&slow(), &Timeline::of(&slow()), None)).unwrap();
    let is_there = |name: &str, of: &serde_json::Value| of.get(name).is_some();
    assert!(
        !is_there("completion_delay_ns", &plain["totals"])
            && !is_there("completion_delays", &plain["steps"][3]["effects"][0])
    );
}

#[test]
fn a_late_end_of_a_pause_does_not_lengthen_the_pause() {
    let mut trace = held();
    let until = trace.events.iter().position(|event| matches!(event, Event::EffectQueued { .. })).unwrap();
    // The pause should have ended after 25 us, and was noticed after 75.
    trace.events.insert(until + 1, lay_ready(1, 350, 400));
    let timeline = Timeline::of(&trace);
    let attempt = &timeline.runs[1].effects[0].attempts[1];
    let us = |ns: [u64; 4]| ns.map(|ns| ns / US);
    let Attempt { start_ns, duration_ns, retry_delay_ns: pause_ns, queued_ns: held_ns, .. } = *attempt;
    assert_eq!(us([start_ns, duration_ns, pause_ns, held_ns]), [400, 225, 25, 25]);
    let before = Timeline::of(&held()).totals;
    assert_eq!(timeline.totals.completion_delay_ns / US, 50);
    assert_eq!(timeline.totals.wait_ns, before.wait_ns - 50 * US);
}

#[test]
fn an_answer_is_not_late_while_another_effect_is_awaited() {
    let mut trace = report(1);
    // The worker takes both answers at once; one was ready long before the other.
    let at = trace
        .events
        .iter()
        .position(|event| matches!(event, Event::EffectCompleted { call: 1, .. }))
        .unwrap();
    let Event::EffectCompleted { at_ns, .. } = &mut trace.events[at] else { unreachable!() };
    *at_ns = 1_400 * US;
    trace.events.insert(at, lay_ready(1, 40, 1_400));
    let timeline = Timeline::of(&trace);
    assert_eq!((timeline.totals.completion_delay_ns, timeline.totals.wait_ns / US), (0, 1_370));
    assert_eq!(
        timeline.longest_completion_delay().map(|late| late.delay_ns / US),
        Some(1_360),
        "the delay itself is listed"
    );
}

#[test]
fn a_read_delay_is_shown_and_not_part_of_the_total() {
    let mut trace = slow();
    let (flow, step) = ("report".into(), "spin".into());
    let part = zerver_trace::RequestPart::Head;
    trace
        .events
        .insert(0, Event::ReadDelayed { part, unread_ns: 610_000 * US, ran_ns: 600_000 * US, flow, step });
    let timeline = Timeline::of(&trace);
    assert_eq!(timeline.totals, Timeline::of(&slow()).totals);
    let text = timeline.read_delays[0].to_string();
    assert_eq!(text, "head read right after a step of 600 ms on its worker: spin of report");
    let json = serde_json::to_value(TimelineJson::new(&trace, &timeline, None)).unwrap();
    assert_eq!(
        json["read_delays"],
        serde_json::json!([{
            "part": "head", "unread_ns": 610_000 * US, "ran_ns": 600_000 * US, "flow": "report", "step": "spin",
        }])
    );
}

#[test]
fn faults_that_chaos_injected_are_named_by_their_rules() {
    let mut trace = held();
    let calls: Vec<u32> = Timeline::of(&trace).runs[1].effects[0].attempts.iter().map(|at| at.call).collect();
    let rule = "http=timeout:10%";
    trace.events.extend(calls.iter().map(|call| injected(*call, rule)));
    trace.events.extend([injected(calls[1], "http=latency:1ms:5%"), injected(99, "of no call")]);
    let timeline = Timeline::of(&trace);
    let notes = timeline.runs[1].effects[0].notes();
    assert_eq!(
        notes[2..],
        ["injected by chaos rule http=timeout:10% 2 times", "injected by chaos rule http=latency:1ms:5%"]
    );
    let json = serde_json::to_value(TimelineJson::new(&trace, &timeline, None)).unwrap();
    let faults = &json["steps"][1]["effects"][0]["injected_faults"];
    assert_eq!(faults[0], serde_json::json!({"call": calls[0], "at_ns": 30 * US, "rule": rule}));
    assert_eq!(faults.as_array().unwrap().len(), 3);
    let plain = serde_json::to_value(TimelineJson::new(&held(), &Timeline::of(&held()), None)).unwrap();
    assert_eq!(plain["steps"][1]["effects"][0].get("injected_faults"), None);
}

fn injected(call: u32, rule: &str) -> Event<Recorded> {
    Event::FaultInjected { call, at_ns: 30 * US, rule: zerver_trace::Name::from(rule.to_owned()) }
}

#[test]
fn lines_that_an_effect_logs_belong_to_it() {
    let mut trace = held();
    let logged = |call, at_ns, line: &str| Event::Logged {
        call,
        at_ns,
        level: zerver_trace::LogLevel::Warn,
        target: "client".into(),
        line: plain(line),
    };
    let before = Timeline::of(&trace);
    trace.events.extend([logged(1, 430 * US, "again\u{1b}"), logged(99, 1, "of no call")]);
    let timeline = Timeline::of(&trace);
    let effect = &timeline.runs[1].effects[0];
    assert_eq!(effect.log_lines.iter().map(|line| line.text()).collect::<Vec<_>>(), ["again\u{1b}"]);
    assert_eq!((timeline.totals, timeline.gaps), (before.totals, before.gaps));
    let json = serde_json::to_value(TimelineJson::new(&trace, &Timeline::of(&trace), None)).unwrap();
    let expected = serde_json::json!([{
        "call": 1, "at_ns": 430 * US, "level": "warn", "target": "client", "line": "again\u{1b}",
    }]);
    assert_eq!(json["steps"][1]["effects"][0]["log_lines"], expected);
    assert_eq!(json["steps"][0]["effects"].get(0).and_then(|effect| effect.get("log_lines")), None);
}

#[test]
fn what_a_layer_cannot_see_is_unknown_and_not_zero() {
    let trace = of_layer();
    let timeline = Timeline::of(&trace);
    let [run] = &timeline.runs[..] else { panic!("{:?}", timeline.runs) };
    assert_eq!((run.step.name.as_str(), run.decision, run.effects.len()), ("handler", None, 2));
    assert_eq!(run.log_lines.iter().map(LogLine::text).collect::<Vec<_>>(), ["no such todo id=456"]);
    assert_eq!(timeline.gaps, [Gap::Layer]);
    let json = serde_json::to_value(TimelineJson::new(&trace, &timeline, None)).unwrap();
    for field in [&json["totals"]["queue_ns"], &json["totals"]["cpu_ns"], &json["steps"][0]["cpu_ns"]] {
        assert!(field.is_null(), "{json:#}");
    }
    assert_eq!(json["recorded_by"], "layer");
    let line = serde_json::json!({
        "at_ns": 900 * US, "level": "warn", "target": "todos", "line": "no such todo id=456",
    });
    assert_eq!(json["steps"][0]["log_lines"], serde_json::json!([line]));
    // Status, headers, body and delivery are known.
    assert_eq!((&json["response"]["status"], &json["response"]["delivered"]), (&404.into(), &true.into()));

    // Without spans, the handler is all that is known.
    let bare = Trace { events: Vec::new(), ..of_layer() };
    let timeline = Timeline::of(&bare);
    assert_eq!(timeline.runs.len(), 1);
    let verdict = timeline.verdict(&[]).unwrap();
    assert_eq!(
        (verdict.largest.percent, verdict.largest.label.as_str()),
        (100, "the handler outside of spans")
    );
}
