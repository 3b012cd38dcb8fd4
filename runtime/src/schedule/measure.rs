//! Puts together what all threads have counted. Nothing of this is on the way of a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zerver_engine::Class;
use zerver_replay::{ClassMetrics, ServiceMetrics, StepMetrics, WorkerMetrics};

use super::board::Board;
use super::shared::Shared;
use super::tally::Queues;

/// How many requests of a class wait for their turn, on all threads.
pub(super) fn waiting(shared: &Shared, boards: &[(String, Arc<Board>)], class: Class) -> u64 {
    match &shared.low {
        // What has been handed over to low priority and not been taken in, waits too.
        Some(low) if class == Class::Batch => low.waiting() as u64,
        low => {
            let of = |queues: &Queues| queues.of(class).waiting.get();
            let workers: u64 = boards.iter().map(|(_, board)| of(&board.tally.queues)).sum();
            workers + low.as_ref().map_or(0, |low| of(low.queues()))
        }
    }
}

/// All counts of a service's scheduling, at a time of the service's clock.
pub(crate) fn measure(shared: &Shared, now_ns: u64) -> ServiceMetrics {
    let boards = shared.boards();
    let counters = &shared.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let class = |class: Class| {
        let mut of = ClassMetrics {
            name: class.as_str().to_owned(),
            shed: count(&counters.shed[class as usize]),
            requests: boards.iter().map(|(_, board)| board.tally.began[class as usize].get()).sum(),
            waiting: waiting(shared, &boards, class),
            ..ClassMetrics::default()
        };
        let low = shared.low.iter().map(|low| low.queues());
        let add = |queues: &Queues| {
            let cells = queues.of(class);
            of.waits += cells.waits.get();
            of.waited_ns += cells.waited_ns.get();
            of.aged += cells.aged.get();
            of.full += cells.full.get();
            of.overdue += cells.overdue.get();
            of.left += cells.left.get();
        };
        boards.iter().map(|(_, board)| &board.tally.queues).chain(low).for_each(add);
        of
    };
    let mut classes: Vec<_> = [Class::Interactive, Class::Default, Class::Batch].map(class).into();
    if let Some(low) = &shared.low {
        classes[Class::Batch as usize].full += low.full();
    }
    let mut steps = Vec::new();
    for (flow, at) in shared.flows.iter().zip(0..) {
        for (position, step) in flow.info().steps.iter().enumerate() {
            let mut of = StepMetrics {
                flow: flow.info().name.clone(),
                name: step.name.clone(),
                ..StepMetrics::default()
            };
            for cells in boards.iter().filter_map(|(_, board)| board.tally.steps(at).get(position)) {
                of.runs += cells.runs.get();
                of.queued_ns += cells.queued_ns.get();
                of.executing_ns += cells.executing_ns.get();
                of.waiting_ns += cells.waiting_ns.get();
                of.yields += cells.yields.get();
                of.overruns += cells.overruns.get();
                of.retries += cells.retries.get();
            }
            steps.push(of);
        }
    }
    let worker = |(name, board): &(String, Arc<Board>)| WorkerMetrics {
        name: name.clone(),
        busy_ns: board.tally.busy_ns(now_ns),
        stuck: board.is_stuck(),
        steals: board.tally.steals.get(),
        connections: board.connections() as u64,
        delayed_answers: board.tally.delayed_answers.get(),
        answer_delay_ns: board.tally.answer_delay_ns.get(),
        delayed_heads: board.tally.delayed_heads.get(),
        head_delay_ns: board.tally.head_delay_ns.get(),
    };
    ServiceMetrics {
        uptime_ns: now_ns,
        reclassified: count(&counters.moved),
        flow_demotions: count(&counters.demoted),
        flow_promotions: count(&counters.promoted),
        malformed: boards.iter().map(|(_, board)| board.tally.malformed.get()).sum(),
        late_completions: boards.iter().map(|(_, board)| board.tally.late.get()).sum(),
        classes,
        workers: boards.iter().map(worker).collect(),
        steps,
        effects: shared.targets.measure(),
        recorder: None,
    }
}
