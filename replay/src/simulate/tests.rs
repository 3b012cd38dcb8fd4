//! Simulations of traces made by hand.

use zerver_engine::Machine;
use zerver_trace::{Class, Decision, Event, Kept, Outcome, RequestId, Trace};

use super::*;
use crate::timeline::sample::{US, flow, trace};

const MS: u64 = 1_000 * US;

fn machine() -> Machine {
    Machine { cores: 1, workers: 1, low_workers: 1, settings: Scheduling::default() }
}

fn ran(ready_ns: u64, at_ns: u64, cpu_ns: u64) -> Event<zerver_trace::Recorded> {
    Event::Ran { step: 0, ready_ns, at_ns, cpu_ns, decision: Decision::Continue }
}

/// A request that began then and ran a step of so long, after a queue.
fn request(name: &str, class: Class, at_ns: u64, queue_ns: u64, cpu_ns: u64) -> Trace {
    let events = vec![Event::Received { at_ns: US }, ran(US, US + queue_ns, cpu_ns)];
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

#[test]
fn what_was_recorded_is_reproduced() {
    // Three at once on one worker: the second waits for the first, the third for both.
    let traces: Vec<_> = (0..3).map(|n| request("a", Class::Default, 0, n * MS, MS)).collect();
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!(simulation.reproduced(), Reproduced::Well);
    assert_eq!((simulation.requests, simulation.left_out, simulation.is_sampled), (3, 0, false));
    let Compared { recorded, simulated, changed, .. } = &simulation.all;
    assert_eq!(recorded, simulated);
    assert_eq!(recorded.duration, Quantiles { p50_ns: 2 * MS + 2 * US, p99_ns: 3 * MS + 2 * US });
    assert_eq!(recorded.queue, Quantiles { p50_ns: MS, p99_ns: 2 * MS });
    assert_eq!(*changed, None);
}

#[test]
fn more_workers_queue_less() {
    let traces: Vec<_> = (0..2).map(|n| request("a", Class::Default, 0, n * MS, MS)).collect();
    let two = Machine { cores: 2, workers: 2, ..machine() };
    let changed = Simulation::of(&traces, &machine(), Some(&two)).all.changed.unwrap();
    assert_eq!((changed.queue.p99_ns, changed.duration.p99_ns), (0, MS + 2 * US));
}

#[test]
fn a_recording_of_another_machine_is_not_reproduced() {
    // Recorded on many workers: nobody waited.
    let traces: Vec<_> = (0..50).map(|_| request("a", Class::Default, 0, 0, 10 * MS)).collect();
    let simulation = Simulation::of(&traces, &machine(), None);
    let worst = simulation.worst().unwrap();
    assert_eq!(
        (worst.reproduced, worst.figure, worst.class.as_str()),
        (Reproduced::Poorly, "p99", "default")
    );
    assert_eq!((worst.recorded, worst.simulated), (10 * MS + 2 * US, 500 * MS + 2 * US));
}

#[test]
fn waits_for_effects_are_no_queue_and_take_no_core() {
    let mut traces =
        vec![request("a", Class::Default, 0, 0, MS), request("b", Class::Default, 2 * MS, 0, MS)];
    // The first waits for an effect for 10 ms, and runs again.
    traces[0].events.push(ran(11 * MS + US, 11 * MS + US, MS));
    traces[0].duration_ns = 12 * MS + 2 * US;
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!(simulation.reproduced(), Reproduced::Well);
    assert_eq!(simulation.flows[0].simulated.duration.p50_ns, 12 * MS + 2 * US);
    assert_eq!((simulation.flows[1].name.as_str(), simulation.all.simulated.queue.p99_ns), ("b", 0));
}

#[test]
fn what_ran_nothing_or_is_a_sample_is_said() {
    let mut traces = vec![request("a", Class::Batch, 0, 0, MS), request("a", Class::Batch, 0, 0, MS)];
    traces[0].events.clear();
    traces[1].kept = Kept::Sampled;
    let simulation = Simulation::of(&traces, &machine(), None);
    assert_eq!((simulation.requests, simulation.left_out, simulation.is_sampled), (1, 1, true));
    assert_eq!(simulation.classes.len(), 1);
    let nothing = Simulation::of(&[], &machine(), None);
    assert_eq!((nothing.reproduced(), nothing.worst(), nothing.requests), (Reproduced::Well, None, 0));
}

#[test]
fn every_setting_has_its_name() {
    for name in SETTINGS {
        for class in ["interactive", "default", "batch"] {
            assert!(setting(&mut machine(), &name.replace("CLASS", class)).is_some(), "{name}");
        }
    }
    for wrong in ["", "batch", "batch.", "first.queue", "batch.queues"] {
        assert_eq!(setting(&mut machine(), wrong), None, "{wrong}");
    }
}

proptest::proptest! {
    #[test]
    fn any_trace_can_be_simulated(traces in proptest::collection::vec(crate::timeline::hostile::any_trace(), 0..8)) {
        let simulation = Simulation::of(&traces, &machine(), Some(&machine()));
        proptest::prop_assert_eq!(simulation.requests + simulation.left_out, traces.len());
    }
}
