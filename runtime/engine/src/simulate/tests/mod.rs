//! Guarantees of the policy, checked on workloads in virtual time.

use proptest::collection::vec;
use proptest::prelude::*;
use zerver_trace::Class;

use super::*;
use crate::schedule::CLASSES;
use crate::{OverrunLimit, SchedulingSettings};

mod brown_out;
mod overload;

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

fn machine(workers: usize, batch_workers: usize) -> SimMachine {
    SimMachine { cores: workers, workers, batch_workers, settings: SchedulingSettings::default() }
}

/// A request of one step.
fn one_step(arrives_ns: u64, class: Class, flow: u16, ns: u64) -> SimRequest {
    let phases = vec![Phase::step(0, ns)];
    SimRequest { arrives_ns, class, flow, connection: 0, worker: None, handoff_ns: 0, phases }
}

#[test]
fn an_interactive_request_among_a_thousand_of_batch_finishes_first() {
    for batch_workers in [0, 1] {
        let mut workload: Vec<_> = (0..1000).map(|_| one_step(0, Class::Batch, 0, 5 * MS)).collect();
        workload.push(one_step(MS, Class::Interactive, 1, MS));
        let mut machine = machine(1, batch_workers);
        // Nothing is to be shed.
        machine.settings.batch.target_ns = u64::MAX;
        machine.settings.batch.interval_ns = u64::MAX;
        let outcomes = simulate(&machine, &workload).outcomes;
        let interactive = outcomes[1000];
        let first = outcomes[..1000].iter().map(|outcome| outcome.end_ns).min().unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.shed.is_none()));
        // Without batch workers it is read after the step that is running, and then goes first.
        assert_eq!(
            (interactive.queue_ns, interactive.read_ns),
            (0, if batch_workers == 0 { 5 * MS } else { MS })
        );
        if batch_workers == 1 {
            assert_eq!(interactive.end_ns, 2 * MS);
            assert!(first > interactive.end_ns);
        } else {
            let earlier = outcomes[..1000].iter().filter(|outcome| outcome.end_ns < interactive.end_ns);
            assert_eq!(earlier.count(), 1);
        }
    }
}

#[test]
fn a_flow_that_often_overruns_runs_on_batch_workers() {
    let mut workload: Vec<_> =
        (0..100).map(|at| one_step(at * 100 * MS, Class::Default, 0, 50 * MS)).collect();
    workload.extend((0..1000).map(|at| one_step(at * 10 * MS, Class::Default, 1, MS)));
    let outcomes = simulate(&machine(1, 1), &workload).outcomes;
    assert!(outcomes.iter().all(|outcome| outcome.shed.is_none()));
    assert!(outcomes[..8].iter().all(|outcome| !outcome.is_reclassified));
    assert!(outcomes[9..100].iter().all(|outcome| outcome.is_reclassified));
    let waited = outcomes[100..].iter().filter(|outcome| outcome.queue_ns > 0).count();
    assert!(waited < 60, "{waited} requests waited; only those of the first second should");
}

#[test]
fn idle_workers_steal_waiting_requests_and_the_most_urgent_one_stays() {
    // One request yields twice. During its first step three others arrive at the same worker, and one at another.
    let steps = |ns| Phase::step(0, ns);
    let busy = SimRequest { phases: vec![steps(5 * MS); 3], ..one_step(0, Class::Default, 0, 0) };
    let urgent = one_step(MS, Class::Interactive, 1, MS);
    let [first, second] = [2, 3].map(|flow| one_step(MS, Class::Batch, flow, 2 * MS));
    let other = SimRequest { connection: 1, ..one_step(0, Class::Default, 4, 8 * MS) };
    let workload = [busy, urgent, first, second, other];
    let check = |workers, expected: [(bool, u64); 4]| {
        let outcomes = simulate(&machine(workers, 0), &workload).outcomes;
        let seen = |at: usize| (outcomes[at].is_stolen, outcomes[at].queue_ns / MS);
        assert_eq!([0, 1, 2, 3].map(seen), expected, "{workers}");
    };
    // With a third, idle worker, the batch requests run there, one after the other.
    check(3, [(false, 1), (false, 0), (true, 0), (true, 2)]);
    // Without it, the second worker steals one after the other as soon as it has run out of work.
    check(2, [(false, 1), (false, 0), (true, 3), (true, 5)]);
}

fn workloads(max_len: usize) -> impl Strategy<Value = Vec<SimRequest>> {
    let phase = prop_oneof![
        4 => (0..4u16, 0..30 * MS).prop_map(|(step, ns)| Phase::step(step, ns)),
        1 => (0..20 * MS).prop_map(|ns| Phase::Wait { ns }),
    ];
    let request = (0..300 * MS, 0..3usize, 0..5u16, 0..6u32, any::<Option<u16>>(), vec(phase, 0..5))
        .prop_map(|(arrives_ns, class, flow, connection, worker, phases)| SimRequest {
            arrives_ns,
            class: CLASSES[class],
            flow,
            connection,
            worker: worker.map(|worker| worker % 4),
            handoff_ns: u64::from(worker.unwrap_or(0)) * 100,
            phases,
        });
    vec(request, 0..max_len)
}

fn machines() -> impl Strategy<Value = SimMachine> {
    (1..4usize, 1..4usize, 0..3usize, 1..20usize, any::<bool>()).prop_map(
        |(cores, workers, batch_workers, queue, is_tight)| {
            let mut settings = SchedulingSettings::default();
            if is_tight {
                for class in CLASSES {
                    settings.class_mut(class).queue = queue;
                }
                settings.overruns = OverrunLimit { times: 2, of: 8 };
            }
            SimMachine { cores, workers, batch_workers, settings }
        },
    )
}

/// Returns the sum of all steps and waits.
fn work_ns(request: &SimRequest) -> u64 {
    let ns = |phase: &Phase| match phase {
        Phase::Step { cost: StepCost { run_ns: ns, .. }, .. } | Phase::Wait { ns } => *ns,
    };
    request.phases.iter().map(ns).sum()
}

proptest! {
    #[test]
    fn every_request_ends_once_and_no_sooner_than_it_can(machine in machines(), workload in workloads(120)) {
        let result = simulate(&machine, &workload);
        prop_assert_eq!(&result, &simulate(&machine, &workload), "a second simulation gives the same result");
        let mut ran_ns = 0;
        for (outcome, request) in std::iter::zip(&result.outcomes, &workload) {
            prop_assert_eq!(outcome.ends, 1);
            if outcome.shed.is_none() {
                let earliest_ns = request.arrives_ns + outcome.queue_ns + work_ns(request);
                prop_assert!(outcome.end_ns >= earliest_ns, "{outcome:?} {request:?}");
                let steps = request.phases.iter().filter_map(|phase| match phase {
                    Phase::Step { cost, .. } => Some(cost.run_ns),
                    Phase::Wait { .. } => None,
                });
                ran_ns += steps.sum::<u64>();
            }
        }
        prop_assert_eq!(result.busy_ns + result.batch_busy_ns, ran_ns, "requests that were shed ran nothing");
    }

    #[test]
    fn no_request_runs_beyond_its_quantum_while_others_wait(
        class in 1..3usize, step_ns in MS / 10..10 * MS, arrives_ns in 0..100 * MS, yields in any::<bool>(),
    ) {
        let class = CLASSES[class];
        let step = |at: u16| Phase::step(if yields { 0 } else { at }, step_ns);
        let long = SimRequest { phases: (0..1000).map(step).collect(), ..one_step(0, class, 0, 0) };
        let workload = [long, one_step(arrives_ns, Class::Interactive, 1, MS)];
        let outcomes = simulate(&machine(1, 0), &workload).outcomes;
        // The quantum ends with the step that is running then. A step that yields ends its turn at once.
        let quantum_ns = if yields { 0 } else { SchedulingSettings::default().class(class).quantum_ns };
        prop_assert!(outcomes[1].end_ns <= arrives_ns + quantum_ns + step_ns + MS, "{:?}", outcomes[1]);
    }

    #[test]
    fn nothing_is_shed_if_every_request_has_a_worker(workload in workloads(8)) {
        let result = simulate(&machine(8, 8), &workload);
        prop_assert!(result.outcomes.iter().all(|outcome| outcome.shed.is_none()));
    }
}
