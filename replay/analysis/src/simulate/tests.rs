//! Simulations of hand-built traces.

use zerver_engine::{Phase, SimMachine, SimOutcome, SimRequest};
use zerver_trace::{Class, Decision, Event, Kept, Outcome, RequestId, Thread, Trace};

use super::*;
use zerver_testkit::sample::{US, flow, trace};

const MS: u64 = 1_000 * US;

fn machine() -> SimMachine {
    SimMachine { cores: 1, workers: 1, batch_workers: 1, settings: SchedulingSettings::default() }
}

fn ran(ready_ns: u64, at_ns: u64, cpu_ns: u64) -> Event<zerver_trace::Recorded> {
    Event::StepRan { step: 0, ready_ns, at_ns, cpu_ns, decision: Decision::Continue }
}

/// Creates a request that began at `at_ns`, waited in the queue, and ran one step.
fn request(name: &str, class: Class, at_ns: u64, queue_ns: u64, cpu_ns: u64) -> Trace {
    let events = vec![Event::BodyReceived { at_ns: US }, ran(US, US + queue_ns, cpu_ns)];
    let mut flow = flow(&[], &[("work", &[], &[])]);
    flow.name = name.to_owned();
    let base = trace(flow, 2 * US + queue_ns + cpu_ns, events);
    Trace {
        class,
        started_unix_ns: 1_000_000 + at_ns,
        id: RequestId::from_u128(u128::from(at_ns)),
        outcome: Outcome::Done,
        kept: Kept::All,
        ..base
    }
}

/// Returns what a service on this machine would record under this load, in which each request has one step.
fn recording(machine: &SimMachine, load: &[SimRequest]) -> Vec<Trace> {
    let outcomes = zerver_engine::simulate(machine, load).outcomes;
    let trace = |(load, outcome): (&SimRequest, &SimOutcome)| {
        let name = load.flow.to_string();
        let cpu_ns = outcome.end_ns - outcome.read_ns - outcome.queue_ns;
        let mut trace = request(&name, load.class, outcome.read_ns, outcome.queue_ns, cpu_ns);
        trace.peer = load.connection.to_string();
        if outcome.shed.is_some() {
            trace.events.truncate(1);
            trace.outcome = Outcome::Rejected { reason: "it may not wait".to_owned() };
        }
        trace
    };
    std::iter::zip(load, &outcomes).map(trace).collect()
}

fn one(at_ns: u64, class: Class, connection: u32, ns: u64) -> SimRequest {
    let parts = vec![Phase::step(0, ns)];
    SimRequest {
        arrives_ns: at_ns,
        class,
        flow: class as u16,
        connection,
        worker: None,
        handoff_ns: 0,
        phases: parts,
    }
}

#[test]
fn work_stealing_is_reproduced() {
    // Three requests at once on one connection: its worker runs the first and finds the others when that has ended. The
    // idle worker takes one of them.
    let load: Vec<_> = (0..300).map(|at| one(at / 3 * 10 * MS, Class::Default, 0, MS)).collect();
    let two = SimMachine { cores: 2, workers: 2, ..machine() };
    let traces = recording(&two, &load);
    let simulation = Simulation::of(&traces, &two, Some(&machine()));
    let GroupResults { recorded, simulated, changed, .. } = simulation.all;
    assert_eq!(simulated, RequestStats { stolen: 100, ..recorded.clone() });
    assert_eq!((recorded.requests, recorded.queue.p99_ns), (300, 0));
    // With one worker, every third request waits for another.
    let changed = changed.unwrap();
    assert_eq!((changed.queued, changed.queue.p99_ns, changed.stolen), (100, MS, 0));
}

/// Moves a request to a worker.
fn on(worker: u16, of: Trace) -> Trace {
    Trace { worker: Some(worker), ..of }
}

#[test]
fn connections_stay_on_their_workers() {
    // While the first runs, two more arrive at the same worker, and the second of them waits for the first; the other
    // worker runs a long step. Dealt out in order of arrival, the last one would go there.
    let two = SimMachine { cores: 2, workers: 2, ..machine() };
    let round = |at: u64, worker| {
        let of = |name: &str, worker, at_ns, queue_ns, cpu_ns| {
            let trace = request(name, Class::Default, at * 20 * MS + at_ns, queue_ns, cpu_ns);
            Trace { peer: name.to_owned(), ..on(worker, trace) }
        };
        [
            of("first", worker, 0, 0, 3 * MS),
            of("long", 1 - worker, 1, 0, 9 * MS),
            of("next", worker, 3 * MS, 0, 4 * MS),
            // Its flow takes more time than the other, which therefore goes first.
            of("last", worker, 3 * MS + US, 4 * MS - US, 5 * MS),
        ]
    };
    let traces = |worker| (0..100).flat_map(|at| round(at, worker)).collect::<Vec<_>>();
    let queue_ms = |traces: &[Trace], machine: &SimMachine| {
        let simulation = Simulation::of(traces, &two, Some(machine));
        let last = simulation.flows.iter().find(|flow| flow.name == "last").unwrap();
        let figures = [&last.recorded, &last.simulated, last.changed.as_ref().unwrap()];
        figures.map(|figures| (figures.queue.p50_ns + MS / 2) / MS)
    };
    for worker in [0, 1] {
        assert_eq!(queue_ms(&traces(worker), &two), [4, 4, 4], "also where only other things change");
    }
    // With more workers the connections are dealt out again, and no request waits.
    assert_eq!(queue_ms(&traces(0), &SimMachine { cores: 4, workers: 4, ..machine() }), [4, 4, 0]);
    // They stay where they are if the worker is unknown or cannot be used.
    let but = |worker| traces(0).into_iter().map(|trace| Trace { worker, ..trace }).collect::<Vec<_>>();
    assert_eq!(queue_ms(&but(None), &two), [4, 0, 0]);
    assert_eq!(queue_ms(&but(Some(9)), &two)[1..], [0, 0]);
}

#[test]
fn handover_times_are_reproduced() {
    // RequestResult runs for 3 ms. Two that arrive meanwhile are read when it has ended: the first runs, and the other goes to
    // the idle worker, which has it 2 ms later.
    let trace = |at: u64| {
        let [long, next] = [
            request("a", Class::Default, at, 0, 3 * MS),
            request("a", Class::Default, at + 3 * MS, 0, 4 * MS),
        ];
        let mut stolen = request("b", Class::Default, at + 3 * MS, 2 * MS, MS);
        stolen.events.insert(1, Event::Migrated { at_ns: 2 * MS + US, to: Thread::Worker(1) });
        [on(0, long), on(0, next), on(0, stolen)]
    };
    let traces: Vec<_> = (0..100).flat_map(|at| trace(at * 20 * MS)).collect();
    let two = SimMachine { cores: 2, workers: 2, ..machine() };
    let simulation = Simulation::of(&traces, &two, Some(&SimMachine { cores: 3, workers: 3, ..machine() }));
    let b = simulation.flows.iter().find(|flow| flow.name == "b").unwrap();
    assert_eq!((b.recorded.stolen, b.simulated.stolen), (100, 100));
    assert_eq!(b.recorded.queue, Quantiles { p50_ns: 2 * MS, p99_ns: 2 * MS });
    assert_eq!((&b.simulated.queue, &b.simulated.duration), (&b.recorded.queue, &b.recorded.duration));
}

#[test]
fn batch_work_that_stood_still_is_faster_on_a_worker() {
    let one = |at: u64| {
        let mut trace =
            on(0, request("a", Class::Default, at * 200 * MS, 0, if at == 7 { 90 * MS } else { MS }));
        if at == 7 {
            let (from, to, reason) = (Class::Default, Class::Batch, "waited too long".into());
            trace.events.insert(1, Event::Reclassified { at_ns: US, from, to, reason });
            trace.events.insert(2, Event::Migrated { at_ns: US, to: Thread::BatchWorker(0) });
        }
        trace
    };
    let traces: Vec<_> = (0..50).map(one).collect();
    let simulation = Simulation::of(&traces, &machine(), Some(&SimMachine { batch_workers: 0, ..machine() }));
    let changed = simulation.all.changed.unwrap();
    assert_eq!(
        (simulation.all.recorded.duration.p99_ns, changed.duration.p99_ns),
        (90 * MS + 2 * US, MS + 2 * US)
    );
}

#[test]
fn an_exceeded_quantum_that_the_service_did_not_count_reclassifies_nothing() {
    // By the clock every third run exceeds the quantum; only the service knew why.
    let took = |at: u64| if at.is_multiple_of(3) { 15 * MS } else { MS };
    let traces = |moved: bool| -> Vec<_> {
        let one = |at: u64| {
            let mut trace = on(0, request("a", Class::Default, at * 20 * MS, 0, took(at)));
            if moved && at > 100 {
                let (from, to, reason) =
                    (Class::Default, Class::Batch, "work overruns its time often".into());
                trace.events.insert(1, Event::Reclassified { at_ns: US, from, to, reason });
                trace.events.insert(2, Event::Migrated { at_ns: US, to: Thread::BatchWorker(0) });
            }
            trace
        };
        (0..200).map(one).collect()
    };
    let demoted = |moved| Simulation::of(&traces(moved), &machine(), None).all.simulated.reclassified;
    assert_eq!(demoted(false), 0);
    assert!(demoted(true) > 100);
    // A step that usually exceeds the quantum does so by itself.
    let all: Vec<_> =
        (0..50).map(|at| on(0, request("a", Class::Default, at * 20 * MS, 0, 15 * MS))).collect();
    assert!(Simulation::of(&all, &machine(), None).all.simulated.reclassified > 20);
}

#[test]
fn an_overload_is_reproduced() {
    // Two requests where one can be served, not all in step.
    let load: Vec<_> =
        (0..2000).map(|at| one(at * MS / 2 + at % 7 * 90 * US, Class::Interactive, 0, MS)).collect();
    let traces = recording(&machine(), &load);
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!(simulation.reproduced(), Reproduction::Well, "{:?}", simulation.all);
    let GroupResults { recorded, simulated, .. } = simulation.all;
    assert!(recorded.shed > 900 && simulated.shed.abs_diff(recorded.shed) < 20, "{recorded:?} {simulated:?}");
    assert_eq!((simulation.estimated, simulation.excluded), (recorded.shed, 0));
}

#[test]
fn batch_work_that_stood_still_is_reproduced() {
    // Interactive requests take a third of one core.
    let mut load: Vec<_> = (0..300).map(|at| one(at * 3 * MS, Class::Interactive, 0, MS)).collect();
    load.extend((0..60).map(|at| one(at * 12 * MS, Class::Batch, 1, 5 * MS)));
    let traces = recording(&machine(), &load);
    let simulation = Simulation::of(&traces, &machine(), Some(&SimMachine { cores: 2, ..machine() }));
    assert_eq!(simulation.reproduced(), Reproduction::Well, "{:?}", simulation.classes);
    let batch = simulation.classes.iter().find(|class| class.name == "batch").unwrap();
    assert!(batch.recorded.duration.p50_ns > 6 * MS, "{:?}", batch.recorded);
    // With a core to itself it takes its own time.
    let changed = batch.changed.as_ref().unwrap().duration.p50_ns;
    assert!(changed.abs_diff(5 * MS) < MS / 10, "{changed}");
}

#[test]
fn recorded_requests_are_counted() {
    let traces: Vec<_> = (0..3).map(|n| request("a", Class::Default, 10 * n * MS, n * MS, MS)).collect();
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!(simulation.reproduced(), Reproduction::Well);
    assert_eq!((simulation.requests, simulation.excluded, simulation.is_sampled), (3, 0, false));
    let GroupResults { recorded, simulated, changed, .. } = &simulation.all;
    // Nothing ran before them because their worker did something else.
    assert_eq!(recorded, simulated);
    assert_eq!(recorded.duration, Quantiles { p50_ns: 2 * MS + 2 * US, p99_ns: 3 * MS + 2 * US });
    assert_eq!((recorded.queue, recorded.queued), (Quantiles { p50_ns: MS, p99_ns: 2 * MS }, 2));
    assert_eq!(*changed, None);
}

#[test]
fn a_recording_of_another_machine_is_not_reproduced() {
    // Recorded on many workers: no request waited.
    let traces: Vec<_> = (0..50).map(|_| request("a", Class::Default, 0, 0, 10 * MS)).collect();
    let simulation = Simulation::of(&traces, &machine(), None);
    let worst = simulation.worst().unwrap();
    assert_eq!(
        (worst.reproduction, worst.figure, worst.class.as_str()),
        (Reproduction::Poorly, "p99", "default")
    );
    // On one worker each would have had a fiftieth of the core.
    assert_eq!((worst.recorded, worst.simulated), (10 * MS + 2 * US, 10 * MS / 50 + 2 * US));
}

#[test]
fn waits_for_effects_use_neither_queue_nor_core() {
    let mut traces =
        vec![request("a", Class::Default, 0, 0, MS), request("b", Class::Default, 2 * MS, 0, MS)];
    // The first waits for an effect for 10 ms and runs again.
    traces[0].events.push(ran(11 * MS + US, 11 * MS + US, MS));
    traces[0].duration_ns = 12 * MS + 2 * US;
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!(simulation.reproduced(), Reproduction::Well);
    assert_eq!(simulation.flows[0].simulated.duration.p50_ns, 12 * MS + 2 * US);
    assert_eq!((simulation.flows[1].name.as_str(), simulation.all.simulated.queue.p99_ns), ("b", 0));
}

#[test]
fn excluded_requests_and_samples_are_reported() {
    let mut traces = vec![request("a", Class::Batch, 0, 0, MS), request("a", Class::Batch, 0, 0, MS)];
    traces[0].events.clear();
    traces[1].kept = Kept::Sampled;
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!((simulation.requests, simulation.excluded, simulation.is_sampled), (1, 1, true));
    assert_eq!(simulation.classes.len(), 1);
    let nothing = Simulation::of(&[], &machine(), None);
    assert_eq!((nothing.reproduced(), nothing.worst(), nothing.requests), (Reproduction::Well, None, 0));
}

#[test]
fn every_setting_has_its_name() {
    for name in MACHINE_SETTINGS {
        for class in ["interactive", "default", "batch"] {
            assert!(machine_setting(&mut machine(), &name.replace("CLASS", class)).is_some(), "{name}");
        }
    }
    for wrong in ["", "batch", "batch.", "first.queue", "batch.queues"] {
        assert_eq!(machine_setting(&mut machine(), wrong), None, "{wrong}");
    }
}

#[test]
fn every_setting_changes_something() {
    let step = Phase::step;
    let twice =
        |at_ns, class, ns| SimRequest { phases: vec![step(0, ns), step(1, ns)], ..one(at_ns, class, 0, ns) };
    // More than one worker can do of each class; steps of the default class exceed the quantum.
    let load: Vec<_> = (0..400)
        .flat_map(|at| {
            let default = twice(at * 30 * MS, Class::Default, 12 * MS);
            let batch = twice(at * 5 * MS, Class::Batch, 11 * MS);
            [twice(at * 2 * MS, Class::Interactive, 2 * MS), default, batch]
        })
        .collect();
    let values = [
        ("cores", 3),
        ("workers", 3),
        ("batch.workers", 3),
        ("CLASS.queue", 1),
        ("CLASS.quantum", MS),
        ("CLASS.target", 3 * MS),
        ("CLASS.interval", 0),
        ("CLASS.share", 600),
        ("overruns.times", 1),
        ("overruns.of", 8),
        ("probation", MS),
    ];
    assert!(values.iter().map(|(name, _)| name).eq(MACHINE_SETTINGS), "each has a value here");
    let outcomes = |machine: &SimMachine| zerver_engine::simulate(machine, &load).outcomes;
    for (name, value) in values {
        for class in [Class::Interactive, Class::Default, Class::Batch] {
            let name = name.replace("CLASS", class.as_str());
            let changes = [0, 1].into_iter().any(|batch_workers| {
                let mut machine = SimMachine { batch_workers, ..machine() };
                // The load is over before it has waited longer.
                machine.settings.batch.interval_ns = 6_000 * MS;
                let mut other = machine.clone();
                let target_ns = other.settings.class(class).target_ns;
                match machine_setting(&mut other, &name).unwrap() {
                    MachineSetting::Time(ns) => *ns = if value == 0 { target_ns } else { value },
                    MachineSetting::Count(count) => *count = value as usize,
                    MachineSetting::Share(share) => *share = value as u16,
                    MachineSetting::Times(times) => *times = value as u32,
                    MachineSetting::Of(of) => *of = value,
                }
                outcomes(&machine) != outcomes(&other)
            });
            // The most urgent class goes first whatever its share is.
            assert_eq!(changes, name != "interactive.share", "{name}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_trace_can_be_simulated(traces in proptest::collection::vec(zerver_testkit::hostile::any_trace(), 0..8)) {
        let simulation = Simulation::of(&traces, &machine(), Some(&machine()));
        proptest::prop_assert_eq!(simulation.requests + simulation.excluded, traces.len());
    }
}

#[test]
fn a_late_answer_counts_as_queueing() {
    let mut traces =
        vec![request("a", Class::Default, 0, 0, MS), request("b", Class::Default, 2 * MS, 0, 10 * MS)];
    // The first has its answer after 4 ms, and runs again after the second, which began in between.
    let (ready_ns, at_ns) = (5 * MS, 12 * MS + US);
    let (flow, step) = ("b".into(), "s".into());
    let on = Some(Thread::Worker(0));
    traces[0].events.push(Event::CompletionDelayed { call: 0, ready_ns, at_ns, thread: on, flow, step });
    traces[0].events.push(ran(at_ns, at_ns, MS));
    traces[0].duration_ns = 13 * MS + 2 * US;
    let simulation = Simulation::of(&traces, &machine(), None);
    let a = simulation.flows.iter().find(|flow| flow.name == "a").unwrap();
    assert_eq!(a.recorded.queue.p99_ns, 7 * MS + US);
    assert_eq!(a.simulated.queue.p99_ns, a.recorded.queue.p99_ns);
    assert_eq!(a.simulated.duration.p99_ns, a.recorded.duration.p99_ns);
}
