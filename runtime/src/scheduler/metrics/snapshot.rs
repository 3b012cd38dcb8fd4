//! Puts together what all threads have counted. Nothing of this is on the way of a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zerver_engine::Class;
use zerver_engine::service_docs::{ClassMetrics, ServiceMetrics, StepMetrics, WorkerMetrics};

use super::counters::ClassCounters;
use super::waiting_requests::waiting;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::threads::thread_status::ThreadStatus;

/// All counts of a service's scheduling, at a time of the service's clock.
pub(crate) fn collect_metrics(scheduler: &SchedulerState, now_ns: u64) -> ServiceMetrics {
    let threads = scheduler.threads();
    let counters = &scheduler.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let class = |class: Class| {
        let mut of = ClassMetrics {
            name: class.as_str().to_owned(),
            shed: count(&counters.shed[class as usize]),
            requests: threads
                .iter()
                .map(|(_, thread_status)| thread_status.counters.started[class as usize].get())
                .sum(),
            waiting: waiting(scheduler, &threads, class),
            ..ClassMetrics::default()
        };
        let batch = scheduler.batch.iter().map(|batch| &batch.queues);
        let add = |queues: &ClassCounters| {
            let cells = queues.of(class);
            of.waits += cells.waits.get();
            of.waited_ns += cells.waited_ns.get();
            of.aged += cells.aged.get();
            of.full += cells.full.get();
            of.overdue += cells.overdue.get();
            of.left += cells.left.get();
        };
        threads.iter().map(|(_, thread_status)| &thread_status.counters.queues).chain(batch).for_each(add);
        of
    };
    let mut classes: Vec<_> = [Class::Interactive, Class::Default, Class::Batch].map(class).into();
    if let Some(batch) = &scheduler.batch {
        classes[Class::Batch as usize].full += batch.full();
    }
    let mut steps = Vec::new();
    for (flow, at) in scheduler.flows.iter().zip(0..) {
        for (position, step) in flow.info().steps.iter().enumerate() {
            let mut of = StepMetrics {
                flow: flow.info().name.clone(),
                name: step.name.clone(),
                ..StepMetrics::default()
            };
            for cells in
                threads.iter().filter_map(|(_, thread_status)| thread_status.counters.steps(at).get(position))
            {
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
    let worker = |(name, thread_status): &(String, Arc<ThreadStatus>)| WorkerMetrics {
        name: name.clone(),
        busy_ns: thread_status.counters.busy_ns(now_ns),
        stuck: thread_status.is_stuck(),
        steals: thread_status.counters.steals.get(),
        connections: thread_status.connections() as u64,
        delayed_answers: thread_status.counters.delayed_answers.get(),
        answer_delay_ns: thread_status.counters.answer_delay_ns.get(),
        delayed_heads: thread_status.counters.delayed_heads.get(),
        head_delay_ns: thread_status.counters.head_delay_ns.get(),
    };
    ServiceMetrics {
        uptime_ns: now_ns,
        reclassified: count(&counters.reclassified),
        flow_demotions: count(&counters.reclassified_flows),
        flow_promotions: count(&counters.restored_flows),
        malformed: threads.iter().map(|(_, thread_status)| thread_status.counters.malformed.get()).sum(),
        late_completions: threads.iter().map(|(_, thread_status)| thread_status.counters.late.get()).sum(),
        classes,
        workers: threads.iter().map(worker).collect(),
        steps,
        effects: scheduler.effect_limiter.measure(),
        recorder: None,
    }
}
