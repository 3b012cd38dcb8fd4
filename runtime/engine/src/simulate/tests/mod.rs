//! What the policy promises, tried on random loads in virtual time.

use proptest::collection::vec;
use proptest::prelude::*;
use zerver_trace::Class;

use super::*;
use crate::schedule::CLASSES;
use crate::{Often, Scheduling};

mod overload;

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

fn machine(workers: usize, low_workers: usize) -> Machine {
    Machine { cores: workers, workers, low_workers, settings: Scheduling::default() }
}

/// A request of one step.
fn one(at_ns: u64, class: Class, flow: u16, ns: u64) -> Load {
    let parts = vec![Part::step(0, ns)];
    Load { at_ns, class, flow, connection: 0, worker: None, handed_ns: 0, parts }
}

#[test]
fn an_interactive_request_among_a_thousand_of_batch_finishes_first() {
    for low_workers in [0, 1] {
        let mut load: Vec<_> = (0..1000).map(|_| one(0, Class::Batch, 0, 5 * MS)).collect();
        load.push(one(MS, Class::Interactive, 1, MS));
        let mut machine = machine(1, low_workers);
        // None is to be sent away.
        machine.settings.batch.target_ns = u64::MAX;
        machine.settings.batch.interval_ns = u64::MAX;
        let fates = simulate(&machine, &load).fates;
        let interactive = fates[1000];
        // Without workers of low priority it is read after the step that runs, and goes first then.
        let first = fates[..1000].iter().map(|fate| fate.end_ns).min().unwrap();
        assert!(fates.iter().all(|fate| fate.shed.is_none()));
        assert_eq!(
            (interactive.queue_ns, interactive.read_ns),
            (0, if low_workers == 0 { 5 * MS } else { MS })
        );
        if low_workers == 1 {
            assert_eq!(interactive.end_ns, 2 * MS);
            assert!(first > interactive.end_ns);
        } else {
            assert_eq!(fates[..1000].iter().filter(|fate| fate.end_ns < interactive.end_ns).count(), 1);
        }
    }
}

#[test]
fn a_flow_that_keeps_others_waiting_runs_where_batch_does() {
    let mut load: Vec<_> = (0..100).map(|at| one(at * 100 * MS, Class::Default, 0, 50 * MS)).collect();
    load.extend((0..1000).map(|at| one(at * 10 * MS, Class::Default, 1, MS)));
    let fates = simulate(&machine(1, 1), &load).fates;
    assert!(fates.iter().all(|fate| fate.shed.is_none()));
    assert!(
        fates[..8].iter().all(|fate| !fate.is_demoted) && fates[9..100].iter().all(|fate| fate.is_demoted)
    );
    let late = fates[100..].iter().filter(|fate| fate.queue_ns > 0).count();
    assert!(late < 60, "{late} waited, which only those of the first second should");
}

#[test]
fn who_would_wait_runs_on_a_worker_that_is_idle_and_the_most_urgent_stays() {
    // One that yields; while its first step runs three others come on the same worker, and one on the other.
    let steps = |ns| Part::step(0, ns);
    let busy = Load { parts: vec![steps(5 * MS); 3], ..one(0, Class::Default, 0, 0) };
    let urgent = one(MS, Class::Interactive, 1, MS);
    let [first, second] = [2, 3].map(|flow| one(MS, Class::Batch, flow, 2 * MS));
    let other = Load { connection: 1, ..one(0, Class::Default, 4, 8 * MS) };
    let load = [busy, urgent, first, second, other];
    let check = |workers, expected: [(bool, u64); 4]| {
        let fates = simulate(&machine(workers, 0), &load).fates;
        let seen = |at: usize| (fates[at].is_stolen, fates[at].queue_ns / MS);
        assert_eq!([0, 1, 2, 3].map(seen), expected, "{workers}");
    };
    // Alone they wait for the other and for each other's turns: batch for all that is more urgent.
    check(3, [(false, 1), (false, 0), (true, 0), (true, 2)]);
    // The other worker takes one when it has run out of work, in the midst of a step, and then the next.
    check(2, [(false, 1), (false, 0), (true, 3), (true, 5)]);
}

fn loads(most: usize) -> impl Strategy<Value = Vec<Load>> {
    let part = prop_oneof![
        4 => (0..4u16, 0..30 * MS).prop_map(|(step, ns)| Part::step(step, ns)),
        1 => (0..20 * MS).prop_map(|ns| Part::Wait { ns }),
    ];
    let load = (0..300 * MS, 0..3usize, 0..5u16, 0..6u32, any::<Option<u16>>(), vec(part, 0..5)).prop_map(
        |(at_ns, class, flow, connection, worker, parts)| Load {
            at_ns,
            class: CLASSES[class],
            flow,
            connection,
            worker: worker.map(|worker| worker % 4),
            handed_ns: u64::from(worker.unwrap_or(0)) * 100,
            parts,
        },
    );
    vec(load, 0..most)
}

fn machines() -> impl Strategy<Value = Machine> {
    (1..4usize, 1..4usize, 0..3usize, 1..20usize, any::<bool>()).prop_map(
        |(cores, workers, low_workers, queue, is_tight)| {
            let mut settings = Scheduling::default();
            if is_tight {
                for class in CLASSES {
                    settings.class_mut(class).queue = queue;
                }
                settings.overruns = Often { times: 2, of: 8 };
            }
            Machine { cores, workers, low_workers, settings }
        },
    )
}

fn work_ns(load: &Load) -> u64 {
    let ns = |part: &Part| match part {
        Part::Step { takes: Takes { ns, .. }, .. } | Part::Wait { ns } => *ns,
    };
    load.parts.iter().map(ns).sum()
}

proptest! {
    #[test]
    fn every_request_ends_once_and_no_sooner_than_it_can(machine in machines(), load in loads(120)) {
        let simulated = simulate(&machine, &load);
        prop_assert_eq!(&simulated, &simulate(&machine, &load), "twice is the same");
        let mut ran_ns = 0;
        for (fate, load) in std::iter::zip(&simulated.fates, &load) {
            prop_assert_eq!(fate.ends, 1);
            if fate.shed.is_none() {
                prop_assert!(fate.end_ns >= load.at_ns + fate.queue_ns + work_ns(load), "{fate:?} {load:?}");
                let steps = load.parts.iter().filter_map(|part| match part {
                    Part::Step { takes, .. } => Some(takes.ns),
                    Part::Wait { .. } => None,
                });
                ran_ns += steps.sum::<u64>();
            }
        }
        prop_assert_eq!(simulated.busy_ns + simulated.low_busy_ns, ran_ns, "what was shed ran nothing");
    }

    #[test]
    fn nobody_runs_beyond_its_quantum_while_others_wait(
        class in 1..3usize, step_ns in MS / 10..10 * MS, at_ns in 0..100 * MS, yields in any::<bool>(),
    ) {
        let class = CLASSES[class];
        let step = |at: u16| Part::step(if yields { 0 } else { at }, step_ns);
        let long = Load { parts: (0..1000).map(step).collect(), ..one(0, class, 0, 0) };
        let fates = simulate(&machine(1, 0), &[long, one(at_ns, Class::Interactive, 1, MS)]).fates;
        // It ends with the step that runs then; a step that yields ends its turn.
        let quantum_ns = if yields { 0 } else { Scheduling::default().class(class).quantum_ns };
        prop_assert!(fates[1].end_ns <= at_ns + quantum_ns + step_ns + MS, "{:?}", fates[1]);
    }

    #[test]
    fn nobody_is_shed_where_all_can_be_served(load in loads(8)) {
        // As many workers as requests.
        let simulated = simulate(&machine(8, 8), &load);
        prop_assert!(simulated.fates.iter().all(|fate| fate.shed.is_none()));
    }
}
