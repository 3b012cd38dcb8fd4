//! Queue time is divided exactly, whatever the traces contain.

use std::sync::Arc;

use proptest::prelude::*;
use zerver_testkit::sample;
use zerver_trace::{
    Class, Decision, Event, FlowInfo, Kept, Outcome, Recorded, RequestId, StepInfo, Thread, Trace,
};

use super::*;
use crate::Timeline;

const MS: u64 = 1_000_000;
const START: u64 = 1_800_000_000_000_000_000;

/// Returns a request that started `at_ms`, with these events.
fn request(id: u128, flow: &str, at_ms: u64, events: Vec<Event<Recorded>>) -> Trace {
    let step = |name: &str| StepInfo {
        name: name.into(),
        doc: String::new(),
        file: String::new(),
        line: 1,
        reads: vec![],
        writes: vec![],
    };
    let steps = vec![step("load"), step("render")];
    Trace {
        id: RequestId::from_u128(id),
        flow: Arc::new(FlowInfo { name: flow.into(), steps, ..FlowInfo::default() }),
        started_unix_ns: START + at_ms * MS,
        duration_ns: 400 * MS,
        worker: Some(0),
        kept: Kept::All,
        outcome: Outcome::Done,
        class: Class::Default,
        events,
        ..sample::slow()
    }
}

fn ran(step: u16, ready_ms: u64, at_ms: u64, cpu_ms: u64) -> Event<Recorded> {
    let decision = Decision::Continue;
    Event::StepRan { step, ready_ns: ready_ms * MS, at_ns: at_ms * MS, cpu_ns: cpu_ms * MS, decision }
}

fn moved(at_ms: u64, to: Thread) -> Event<Recorded> {
    Event::Migrated { at_ns: at_ms * MS, to }
}

fn holders(trace: &Trace, others: &[Trace]) -> QueueHolders {
    let mut builder = QueueHoldersBuilder::new(trace, &Timeline::of(trace)).unwrap();
    others.iter().for_each(|other| builder.add(other));
    builder.finish()
}

fn check(trace: &Trace, others: &[Trace], expected: &[&str]) {
    let holders = holders(trace, others);
    assert_eq!(holders.lines(32), expected);
    assert_eq!(holders.holders.iter().map(|holder| holder.time_ns).sum::<u64>(), holders.queue_ns);
}

#[test]
fn queue_time_is_divided_among_the_steps_that_held_the_worker() {
    let queued = request(1, "todos", 10, vec![ran(0, 0, 240, 1), ran(1, 241, 241, 5)]);
    let report = request(2, "report", 0, vec![ran(1, 0, 5, 185)]);
    let before = request(3, "todos", 0, vec![ran(0, 0, 0, 5)]);
    let after = request(4, "todos", 200, vec![ran(0, 0, 0, 40), ran(1, 40, 45, 3)]);
    let elsewhere = Trace { worker: Some(1), ..request(5, "report", 0, vec![ran(1, 0, 0, 300)]) };
    let id = |n: u128| RequestId::from_u128(n).short(32);
    check(
        &queued,
        &[after.clone(), report.clone(), before, elsewhere, queued.clone()],
        &[
            &format!("180 ms of 240 ms behind render of report ({})", id(2)),
            &format!("40.0 ms of 240 ms behind load of todos ({})", id(4)),
            "17.0 ms of 240 ms while no step ran: switching between requests, sockets, or waking up",
            &format!("3.00 ms of 240 ms behind render of todos ({})", id(4)),
        ],
    );
    // If holders may be missing, the rest is not blamed on the worker.
    let sampled = Trace { kept: Kept::Sampled, ..report };
    let of_sampled = holders(&queued, &[sampled, after]);
    assert!(of_sampled.is_sampled);
    assert_eq!(
        of_sampled.lines(32)[2],
        "17.0 ms of 240 ms behind requests that were not recorded, or none: only a share is recorded"
    );
}

#[test]
fn a_request_waits_for_the_thread_that_takes_it() {
    let (batch, other) = (Thread::BatchWorker(1), Thread::Worker(1));
    let busy = request(2, "report", 0, vec![ran(0, 0, 0, 50)]);
    let on_batch = request(3, "report", 0, vec![moved(0, batch), ran(1, 0, 0, 100)]);
    let id = |n: u128| RequestId::from_u128(n).short(32);
    // Stolen: the rest of the wait is the other worker's.
    let stolen = request(1, "todos", 0, vec![moved(30, other), ran(0, 0, 40, 1)]);
    check(
        &stolen,
        &[busy.clone(), on_batch.clone()],
        &[
            &format!("30.0 ms of 40.0 ms behind load of report ({})", id(2)),
            "10.0 ms of 40.0 ms while no step ran: switching between requests, sockets, or waking up",
        ],
    );
    // Given to the batch workers at 20 ms, and taken by one at 100 ms.
    let reclassified = Event::Reclassified {
        at_ns: 20 * MS,
        from: Class::Default,
        to: Class::Batch,
        reason: "queue full".into(),
    };
    let demoted = request(1, "todos", 0, vec![reclassified, moved(100, batch), ran(0, 0, 100, 1)]);
    check(
        &demoted,
        &[busy.clone(), on_batch.clone()],
        &[
            &format!("80.0 ms of 100 ms behind render of report ({})", id(3)),
            &format!("20.0 ms of 100 ms behind load of report ({})", id(2)),
        ],
    );
    let unknown = Trace { worker: None, ..request(1, "todos", 0, vec![ran(0, 0, 40, 1)]) };
    check(&unknown, &[busy, on_batch], &["40.0 ms of 40.0 ms on a thread that is not recorded"]);
}

#[test]
fn a_request_that_was_shed_waited_until_its_end() {
    let mut shed = request(1, "todos", 0, vec![Event::BodyReceived { at_ns: MS }]);
    shed.outcome = Outcome::Rejected { reason: "waited too long".into() };
    let busy = request(2, "report", 0, vec![ran(0, 0, 0, 500)]);
    let id = RequestId::from_u128(2).short(32);
    check(&shed, &[busy], &[&format!("399 ms of 399 ms behind load of report ({id})")]);
}

#[test]
fn many_requests_of_one_step_are_a_group() {
    let queued = request(1, "todos", 0, vec![ran(0, 0, 30, 1)]);
    let others: Vec<Trace> = (0..3)
        .map(|n| {
            request(u128::from(n) + 2, "report", 10 * n, vec![ran(0, 0, 0, if n == 1 { 10 } else { 9 })])
        })
        .collect();
    let id = RequestId::from_u128(3).short(32);
    check(
        &queued,
        &others,
        &[
            &format!("28.0 ms of 30.0 ms behind load of report (3 requests, longest {id})"),
            "2.00 ms of 30.0 ms while no step ran: switching between requests, sockets, or waking up",
        ],
    );
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..5_000_000_u64, 1 => any::<u64>()]
}

fn event() -> impl Strategy<Value = Event<Recorded>> {
    let thread = prop_oneof![(0..2_u16).prop_map(Thread::Worker), (0..2_u16).prop_map(Thread::BatchWorker)];
    prop_oneof![
        4 => (0..4_u16, time(), time(), time()).prop_map(|(step, ready_ns, at_ns, cpu_ns)| Event::StepRan {
            step, ready_ns, at_ns, cpu_ns, decision: Decision::Continue,
        }),
        1 => (time(), thread).prop_map(|(at_ns, to)| Event::Migrated { at_ns, to }),
        1 => time().prop_map(|at_ns| Event::BodyReceived { at_ns }),
        1 => time().prop_map(|at_ns| Event::Reclassified {
            at_ns, from: Class::Default, to: Class::Batch, reason: "queue full".into(),
        }),
    ]
}

fn any_request() -> impl Strategy<Value = Trace> {
    let started = prop_oneof![8 => START..START + 5_000_000, 1 => any::<u64>()];
    let outcome = prop_oneof![Just(Outcome::Done), Just(Outcome::Rejected { reason: String::new() })];
    let fields = (any::<u128>(), started, time(), prop::option::of(0..2_u16), any::<bool>(), outcome);
    (fields, prop::collection::vec(event(), 0..12)).prop_map(
        |((id, started, duration_ns, worker, batch, outcome), events)| {
            let class = if batch { Class::Batch } else { Class::Default };
            Trace {
                started_unix_ns: started,
                duration_ns,
                worker,
                class,
                outcome,
                ..request(id, "any", 0, events)
            }
        },
    )
}

proptest! {
    #[test]
    fn parts_add_up_to_the_queue_time(trace in any_request(), others in prop::collection::vec(any_request(), 0..12)) {
        let timeline = Timeline::of(&trace);
        let spans: u64 = timeline.queue_spans().iter().map(|(from, until)| until - from).sum();
        prop_assert_eq!(spans, timeline.totals.queue_ns);
        let Some(mut builder) = QueueHoldersBuilder::new(&trace, &timeline) else {
            prop_assert!(timeline.totals.queue_ns < 100_000);
            return Ok(());
        };
        others.iter().for_each(|other| builder.add(other));
        let holders = builder.finish();
        let sum: u128 = holders.holders.iter().map(|holder| u128::from(holder.time_ns)).sum();
        prop_assert_eq!(sum, u128::from(timeline.totals.queue_ns));
        let groups: u128 = holders.groups().iter().map(|group| u128::from(group.time_ns)).sum();
        prop_assert_eq!(sum, groups);
    }
}
