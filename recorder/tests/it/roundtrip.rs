//! Recorded traces are read back: immediately, by another reader, by every name, and in order.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::ser::{Serialize, SerializeSeq, Serializer};
use zerver_recorder::{FindError, Reader, Recorder, RecorderOptions, RecordingPolicy, TailPolicy, portable};
use zerver_trace::value::MAX_LEN;
use zerver_trace::{
    Answer, Body, Capture, Class, Event, Kept, LogLevel, MessageInfo, MissingReason, Name, Origin, Outcome,
    PolicyDecision, Query, QueueReason, Recorded, RecordedBy, RequestInfo, RequestPart, ResponseInfo, Thread,
    TraceSelector, TraceSource,
};

use crate::sample_traces::FixedMessage;
use crate::{options, sample_traces};

fn record(dir: &std::path::Path, captures: impl IntoIterator<Item = Capture>) {
    let recorder = Recorder::open(options(dir)).unwrap();
    let sink = recorder.sink();
    captures.into_iter().for_each(|capture| sink.accept(Box::new(capture)));
    let status = recorder.close();
    assert_eq!((status.dropped, status.lost, status.paused), (0, 0, None));
}

fn find(reader: &Reader, text: &str) -> Result<zerver_trace::Trace, FindError> {
    reader.find(&text.parse::<TraceSelector>().unwrap())
}

#[test]
fn a_recorded_trace_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), (0..700).map(sample_traces::capture));
    let reader = Reader::open(dir.path()).unwrap();
    let all = reader.list(&Query::default()).unwrap();
    assert_eq!(all.len(), 700);
    assert!(all.iter().rev().enumerate().all(|(n, summary)| summary.id == sample_traces::id(n as u64)));
    let trace = TraceSource::load(&reader, sample_traces::id(300)).unwrap().unwrap();
    assert_eq!((trace.path.as_str(), trace.kept, trace.events.len()), ("/v1/todos/300", Kept::All, 6));
    assert_eq!(trace.flow, sample_traces::flow());
    assert_eq!(trace.summary(), all[399]);
    let Recorded::Plain { value, .. } = &trace.response_body.bytes else {
        panic!("{:?}", trace.response_body)
    };
    assert_eq!(value.to_string(), r#"b"{"id":456,"title":"Buy milk","done":false}""#);
    assert!(reader.load(sample_traces::id(700)).unwrap().is_none());
    assert_eq!(reader.counts().unwrap().recorded, 700);

    let some = reader.list(&Query { limit: Some(3), ..Query::default() }).unwrap();
    assert_eq!(some, all[..3]);
    let slow = Query { slower_than_ns: Some(1_000_000 + 690 * 7), ..Query::default() };
    assert_eq!(reader.list(&slow).unwrap(), all[..9]);
    assert!(reader.list(&Query { only_failed: true, ..Query::default() }).unwrap().is_empty());
}

#[test]
fn every_trace_that_matches_is_visited() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), (0..700).map(sample_traces::capture));
    let reader = Reader::open(dir.path()).unwrap();
    let each = |query: &Query, enough: usize| {
        let mut seen = Vec::new();
        let read = reader.for_each(query, |trace| {
            seen.push(trace.summary());
            if seen.len() == enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        read.unwrap();
        seen
    };
    let slow = Query { slower_than_ns: Some(1_000_000 + 690 * 7), ..Query::default() };
    for query in [Query::default(), slow, Query { limit: Some(300), ..Query::default() }] {
        assert_eq!(each(&query, 0), reader.list(&query).unwrap());
    }
    assert_eq!(each(&Query::default(), 200), reader.list(&Query::default()).unwrap()[..200]);
    assert!(each(&Query { limit: Some(0), ..Query::default() }, 0).is_empty());
}

#[test]
fn a_reclassification_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    fn reclassified<V>(reason: impl Into<Name>) -> Event<V> {
        Event::Reclassified { at_ns: 7, from: Class::Default, to: Class::Batch, reason: reason.into() }
    }
    let mut capture = sample_traces::capture(1);
    capture.events.push(reclassified("queue full"));
    record(dir.path(), [capture]);
    let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().unwrap();
    assert_eq!(trace.events.last(), Some(&reclassified("queue full".to_owned())));
}

#[test]
fn an_exceeded_quantum_is_read_back() {
    fn exceeded<V>() -> Event<V> {
        Event::QuantumExceeded { step: 1, at_ns: 11_000_000, quantum_ns: 10_000_000 }
    }
    let dir = tempfile::tempdir().unwrap();
    let mut capture = sample_traces::capture(1);
    capture.events.push(exceeded());
    record(dir.path(), [capture]);
    let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().unwrap();
    assert_eq!(trace.events.last(), Some(&exceeded()));
}

#[test]
fn delays_are_read_back() {
    fn delays<V>() -> Vec<Event<V>> {
        let threads = [Some(Thread::Worker(3)), Some(Thread::BatchWorker(u16::MAX)), None];
        let late = threads.map(|thread| {
            let (flow, step) = ("report".to_owned().into(), "spin".to_owned().into());
            Event::CompletionDelayed {
                call: 7,
                ready_ns: 11_000_000,
                at_ns: 1_211_000_000,
                thread,
                flow,
                step,
            }
        });
        let read_late = [RequestPart::Head, RequestPart::Body].map(|part| {
            let (flow, step) = ("report".to_owned().into(), "spin".to_owned().into());
            Event::ReadDelayed { part, unread_ns: u64::MAX, ran_ns: 600_000_000, flow, step }
        });
        read_late.into_iter().chain(late).collect()
    }
    let dir = tempfile::tempdir().unwrap();
    let mut capture = sample_traces::capture(1);
    let before = capture.events.len();
    capture.events.extend(delays());
    record(dir.path(), [capture]);
    let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().unwrap();
    assert_eq!(trace.events[before..], delays());
}

#[test]
fn the_threads_of_a_request_are_read_back() {
    fn migrated<V>() -> [Event<V>; 2] {
        [Thread::Worker(3), Thread::BatchWorker(u16::MAX)].map(|to| Event::Migrated { at_ns: 7, to })
    }
    let dir = tempfile::tempdir().unwrap();
    let of = |n, worker| {
        let mut capture = Capture { worker, ..sample_traces::capture(n) };
        capture.events.extend(migrated());
        capture
    };
    let workers = [Some(0), None, Some(u16::MAX)];
    record(dir.path(), (0..).zip(workers).map(|(n, worker)| of(n, worker)));
    let reader = Reader::open(dir.path()).unwrap();
    for (n, worker) in (0..).zip(workers) {
        let trace = reader.load(sample_traces::id(n)).unwrap().unwrap();
        assert_eq!((trace.worker, trace.summary().worker), (worker, worker));
        assert_eq!(trace.events[trace.events.len() - 2..], migrated());
        assert_eq!(portable::read(&portable::write(&trace).unwrap()).unwrap(), trace);
    }
    let of = |worker| reader.list(&Query { worker: Some(worker), ..Query::default() }).unwrap();
    assert_eq!(of(u16::MAX).iter().map(|summary| summary.id).collect::<Vec<_>>(), [sample_traces::id(2)]);
    assert_eq!((of(0).len(), of(1).len()), (1, 0));
}

#[test]
fn the_fastest_and_the_slowest_request_are_among_the_successful_ones() {
    let dir = tempfile::tempdir().unwrap();
    let failed = Outcome::Panicked { step: 1, message: "boom".to_owned() };
    record(
        dir.path(),
        (0..)
            .zip([
                (5, 404, Outcome::Done),
                (40, 302, Outcome::Done),
                (10, 200, Outcome::Done),
                (1, 500, failed.clone()),
                // The status is a success, but the request did not complete.
                (2, 200, Outcome::Rejected { reason: "no".to_owned() }),
                (60, 0, Outcome::ClientLeft { step: 0 }),
                (90, 504, Outcome::TimedOut { step: 0 }),
            ])
            .map(|(n, (ms, status, outcome))| Capture {
                duration_ns: ms * 1_000_000,
                status,
                outcome,
                ..sample_traces::capture(n)
            }),
    );
    let reader = Reader::open(dir.path()).unwrap();
    for (text, wanted) in
        [("@fastest", 2), ("@slowest", 1), ("@fastest:todos-item", 2), ("@slowest:todos-item", 1)]
    {
        assert_eq!(find(&reader, text).unwrap().id, sample_traces::id(wanted), "{text}");
    }
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), [Capture { status: 500, outcome: failed, ..sample_traces::capture(1) }]);
    let error = find(&Reader::open(dir.path()).unwrap(), "@fastest").unwrap_err();
    assert_eq!(error.to_string(), "@fastest: no request that succeeded has been recorded");
}

#[test]
fn the_authority_is_read_back_and_its_user_information_is_masked() {
    let dir = tempfile::tempdir().unwrap();
    let origins =
        ["", "http://other.example:8080", "https://ann:wonderland-7@h.example", "http://ab@h.example"];
    record(
        dir.path(),
        (0..).zip(origins).map(|(n, origin)| {
            let request = RequestInfo {
                method: "GET".to_owned(),
                target: "/".to_owned(),
                origin: origin.to_owned(),
                ..RequestInfo::default()
            };
            let request = Arc::new(FixedMessage(MessageInfo::Request(request)));
            Capture { request, ..sample_traces::capture(n) }
        }),
    );
    let reader = Reader::open(dir.path()).unwrap();
    let trace = |n| reader.load(sample_traces::id(n)).unwrap().unwrap();
    assert_eq!(trace(0).origin, Origin::Absent);
    for n in 1..4 {
        let Origin::Named(recorded) = trace(n).origin else { panic!("{n}") };
        let Recorded::Plain { value, .. } = reader.unseal(&trace(n), &recorded).unwrap() else {
            panic!("{n}")
        };
        assert_eq!(value.root().as_str(), Some(origins[n as usize]));
        let shown = trace(n).summary().authority;
        assert_eq!(reader.list(&Query::default()).unwrap()[3 - n as usize].authority, shown);
        match n {
            1 => assert_eq!(shown, "other.example:8080"),
            2 => assert!(shown.starts_with("<secret:") && shown.ends_with("@h.example"), "{shown}"),
            _ => assert_eq!(shown, "●●●● (secret)"),
        }
        let read = portable::read(&portable::write(&trace(n)).unwrap()).unwrap();
        assert_eq!(read.summary(), trace(n).summary());
    }
    let file = std::fs::read(dir.path().join("traces.redb")).unwrap();
    assert!(!file.windows(12).any(|window| window == b"wonderland-7"));
}

#[test]
fn events_of_an_effect_in_flight_are_read_back() {
    fn queued<V>() -> [Event<V>; 10] {
        let queued_by = |by| Event::EffectQueued { call: 1, at_ns: 7, reason: by };
        [
            queued_by(QueueReason::Request),
            queued_by(QueueReason::RetryDelay),
            queued_by(QueueReason::Target),
            Event::EffectStarted { call: 1, at_ns: 9 },
            Event::EffectPoint { call: 1, at_ns: 11, point: Name::from("connected") },
            Event::PolicyDecided { call: 1, at_ns: 9, decision: PolicyDecision::BreakerOpened, wait_ns: 8 },
            Event::UndoRegistered { undo: 0, call: Some(1), step: 1, at_ns: 12 },
            Event::UndoStarted { undo: 0, at_ns: 13 },
            Event::UndoEnded { undo: 0, at_ns: 14, failure: None },
            Event::FaultInjected { call: 1, at_ns: 15, rule: Name::from("http=timeout:1%") },
        ]
    }
    let dir = tempfile::tempdir().unwrap();
    let mut capture = sample_traces::capture(1);
    capture.events.extend(queued());
    record(dir.path(), [capture]);
    let trace = Reader::open(dir.path()).unwrap().load(sample_traces::id(1)).unwrap().unwrap();
    assert_eq!(trace.events[trace.events.len() - 10..], queued());
    let file = portable::write(&trace).unwrap();
    assert_eq!(portable::read(&file).unwrap().events, trace.events);
}

#[test]
fn a_store_continues_where_it_was_closed() {
    let dir = tempfile::tempdir().unwrap();
    for n in 0..5 {
        record(dir.path(), (n * 10..n * 10 + 10).map(sample_traces::capture));
    }
    let reader = Reader::open(dir.path()).unwrap();
    let all = reader.list(&Query::default()).unwrap();
    assert!(
        all.len() == 50
            && all.iter().rev().enumerate().all(|(n, summary)| summary.id == sample_traces::id(n as u64))
    );
    assert_eq!(reader.counts().unwrap().recorded, 50);
}

#[test]
fn a_trace_of_an_idle_service_is_readable_within_50_ms() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let sink = recorder.sink();
    recorder.declare(&[sample_traces::flow()]);
    recorder.flush();
    let reader = Reader::open(dir.path()).unwrap();
    assert_eq!(reader.flows().unwrap(), [(*sample_traces::flow()).clone()]);
    let mut cursor = reader.end().unwrap();
    let mut accepted = 0;
    let mut took = Vec::new();
    // One attempt that the machine does not disturb is sufficient.
    let is_soon = (0..100).any(|_| {
        let began = Instant::now();
        sink.accept(Box::new(sample_traces::capture(accepted)));
        accepted += 1;
        loop {
            let (new, reached) = reader.list_since(cursor).unwrap();
            cursor = reached;
            if let [summary] = &new[..] {
                assert_eq!(summary.id, sample_traces::id(accepted - 1));
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(120), "never seen");
            std::thread::yield_now();
        }
        took.push(began.elapsed());
        took[took.len() - 1] < Duration::from_millis(50)
    });
    assert!(is_soon, "{took:?}");
    assert_eq!(reader.list_since(cursor).unwrap(), (vec![], cursor));
    assert_eq!(reader.list_since(Reader::start()).unwrap().0.len() as u64, accepted);
}

#[test]
fn a_trace_is_found_by_every_name() {
    let dir = tempfile::tempdir().unwrap();
    record(
        dir.path(),
        (0..300).map(|n| {
            let mut capture = sample_traces::capture(n);
            capture.duration_ns = 1_000_000 + (n * 37 % 300) * 1000;
            if n == 41 || n == 77 {
                capture.outcome = Outcome::Panicked { step: 1, message: "boom".to_owned() };
            }
            capture
        }),
    );
    let reader = Reader::open(dir.path()).unwrap();
    let slowest = (0..300u64).max_by_key(|n| n * 37 % 300).unwrap();
    for (text, wanted) in [
        ("@last", 299),
        ("@last:todos-item", 299),
        ("@failed", 77),
        ("@fastest", 0),
        ("@slowest", slowest),
        ("@slowest:todos-item", slowest),
        (&sample_traces::id(123).to_string(), 123),
    ] {
        assert_eq!(find(&reader, text).unwrap().id, sample_traces::id(wanted), "{text}");
    }
    assert!(matches!(find(&reader, "@last:other"), Err(FindError::Empty { flow: Some(_), .. })));
    match find(&reader, "01") {
        Err(FindError::Ambiguous { candidates, .. }) => assert_eq!(candidates.len(), 3),
        other => panic!("{other:?}"),
    }
    let mut almost = sample_traces::id(123).to_string();
    almost.replace_range(35.., if almost.ends_with('0') { "1" } else { "0" });
    match find(&reader, &almost) {
        Err(FindError::NotFound { nearest, .. }) => {
            assert_eq!((nearest.len(), nearest[0]), (3, sample_traces::id(123)))
        }
        other => panic!("{other:?}"),
    }
    let error = find(&reader, "ffff").unwrap_err().to_string();
    assert!(error.starts_with("no trace has the id ffff; the nearest are 01a"), "{error}");
}

/// A very long sequence that counts how much of it is serialized.
struct Long(Arc<AtomicUsize>);

const LONG: usize = 16 << 20;

impl Serialize for Long {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut items = serializer.serialize_seq(Some(LONG))?;
        for _ in 0..LONG {
            self.0.fetch_add(1, Ordering::Relaxed);
            items.serialize_element(&1u8)?;
        }
        items.end()
    }
}

/// Values of 16 MiB in every place of a value: they are omitted, and everything else is kept.
#[test]
fn values_that_are_too_large_are_omitted_and_marked() {
    let dir = tempfile::tempdir().unwrap();
    let serialized = Arc::new(AtomicUsize::new(0));
    let mut large = sample_traces::capture(1);
    let text = || sample_traces::datum("x".repeat(LONG));
    for event in &mut large.events {
        match event {
            Event::SlotWritten { value, .. } | Event::EffectRequested { args: value, .. } => *value = text(),
            Event::EffectCompleted { answer: Answer::Ok(value), .. } => {
                *value = sample_traces::datum(Long(Arc::clone(&serialized)));
            }
            _ => {}
        }
    }
    // A secret, which would be sealed.
    large.events.push(Event::SlotWritten { step: 0, slot: 0, at_ns: 12, value: text() });
    large.response = Some(Arc::new(FixedMessage(MessageInfo::Response(ResponseInfo {
        status: 200,
        headers: sample_traces::headers(&[("content-type", "text/plain")]),
        body: Body { full_len: LONG as u64, bytes: vec![b'y'; LONG] },
    }))));
    let events = large.events.len();
    record(dir.path(), [sample_traces::capture(0), large, sample_traces::capture(2)]);

    let reader = Reader::open(dir.path()).unwrap();
    for n in [0, 2] {
        let other = reader.load(sample_traces::id(n)).unwrap().unwrap();
        assert!(other.is_complete() && other.events.len() == 6, "{other:?}");
    }
    let trace = reader.load(sample_traces::id(1)).unwrap().unwrap();
    assert_eq!(trace.events.len(), events);
    for event in &trace.events {
        let (Event::SlotWritten { value, .. }
        | Event::EffectRequested { args: value, .. }
        | Event::EffectCompleted { answer: Answer::Ok(value), .. }) = event
        else {
            continue;
        };
        assert_eq!(*value, Recorded::Missing(MissingReason::TooLarge), "{event:?}");
    }
    let count = serialized.load(Ordering::Relaxed);
    assert!(count <= MAX_LEN, "{count} of {LONG} were serialized");
    let body = &trace.response_body;
    assert!(body.full_len == LONG as u64 && body.kept_len <= MAX_LEN as u64, "{} kept", body.kept_len);
    let stored = std::fs::metadata(dir.path().join("traces.redb")).unwrap().len();
    assert!(stored < 4 << 20, "{stored} bytes are stored");
}

#[test]
fn an_empty_store_is_readable() {
    let dir = tempfile::tempdir().unwrap();
    record(dir.path(), []);
    let reader = Reader::open(dir.path()).unwrap();
    assert!(reader.list(&Query::default()).unwrap().is_empty());
    assert!(reader.flows().unwrap().is_empty());
    assert!(matches!(find(&reader, "@last"), Err(FindError::Empty { .. })));
    assert!(matches!(find(&reader, "abc"), Err(FindError::NotFound { nearest, .. }) if nearest.is_empty()));
    let (new, cursor) = reader.list_since(reader.end().unwrap()).unwrap();
    assert!(new.is_empty());
    record(dir.path(), [sample_traces::capture(1)]);
    assert_eq!(reader.list_since(cursor).unwrap().0.len(), 1);
}

#[test]
fn requests_that_the_policy_does_not_keep_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let policy = RecordingPolicy::Tail(TailPolicy { sample: 0.0, ..TailPolicy::default() });
    let recorder = Recorder::open(RecorderOptions { policy, ..options(dir.path()) }).unwrap();
    let sink = recorder.sink();
    for n in 0..500 {
        let mut capture = sample_traces::capture(n);
        capture.status = if n % 100 == 7 { 500 } else { 200 };
        capture.duration_ns = 1000;
        sink.accept(Box::new(capture));
    }
    let status = recorder.close();
    assert_eq!((status.recorded, status.not_kept, status.dropped), (5, 495, 0));
    let reader = Reader::open(dir.path()).unwrap();
    let counts = reader.counts().unwrap();
    assert_eq!((counts.recorded, counts.not_kept), (5, 495));
    assert_eq!(find(&reader, "@failed").unwrap().kept, Kept::Failed);
}

#[test]
fn requests_that_do_not_fit_the_queue_are_counted_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions { queue_len: 16, ..options(dir.path()) }).unwrap();
    let sink = recorder.sink();
    for n in 0..20_000 {
        sink.accept(Box::new(sample_traces::capture(n)));
    }
    let status = recorder.close();
    assert!(status.dropped > 0);
    assert_eq!(status.recorded + status.dropped, 20_000);
    assert_eq!(Reader::open(dir.path()).unwrap().counts().unwrap().dropped, status.dropped);
}

#[test]
fn pages_in_both_directions_cover_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let traces: Vec<_> = (0..1_000).map(sample_traces::trace).collect();
    for part in traces.chunks(300) {
        zerver_recorder::import(dir.path(), part.to_vec()).unwrap();
    }
    let reader = Reader::open(dir.path()).unwrap();
    let all = reader.list(&Query::default()).unwrap();
    for limit in [1, 100, 5_000] {
        let (mut pages, mut cursor) = (Vec::new(), Some(reader.end().unwrap()));
        while let Some(end) = cursor {
            let (page, rest) = reader.list_before(end, limit).unwrap();
            assert!(page.len() < limit + 192, "{} for {limit}", page.len());
            pages.extend(page);
            cursor = rest;
        }
        assert_eq!(pages, all, "{limit}");
        let (mut news, mut cursor) = (Vec::new(), Reader::start());
        loop {
            let (page, reached) = reader.list_since_at_most(cursor, limit).unwrap();
            if page.is_empty() {
                break;
            }
            news.extend(page);
            cursor = reached;
        }
        news.reverse();
        assert_eq!(news, all, "{limit}");
    }
}

#[test]
fn a_trace_of_a_layer_says_so_in_the_store_and_in_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(options(dir.path())).unwrap();
    let mut capture = sample_traces::capture(1);
    capture.recorded_by = RecordedBy::Layer;
    capture.events = vec![Event::StepLogged {
        step: 0,
        at_ns: 7,
        level: LogLevel::Warn,
        target: Name::from("todos"),
        line: sample_traces::datum("a line"),
    }];
    let id = capture.id;
    recorder.sink().accept(Box::new(capture));
    recorder.close();
    let trace = Reader::open(dir.path()).unwrap().load(id).unwrap().unwrap();
    assert_eq!(trace.recorded_by, RecordedBy::Layer);
    let [Event::StepLogged { step: 0, at_ns: 7, level: LogLevel::Warn, target, line }] = &trace.events[..]
    else {
        panic!("{:?}", trace.events)
    };
    assert_eq!((&**target, line.value().unwrap().to_string().as_str()), ("todos", "\"a line\""));
    assert_eq!(portable::read(&portable::write(&trace).unwrap()).unwrap(), trace);
}
