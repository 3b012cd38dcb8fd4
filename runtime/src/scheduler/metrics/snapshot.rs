//! Sums up the counters of all threads. None of this runs on the path of a request.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use zerver_engine::service_docs::{
    ClassMetrics, FlowMetrics, SLO_WINDOWS_MIN, ServiceMetrics, SloMetrics, StepMetrics, WorkerMetrics,
    slo_objectives,
};
use zerver_engine::{Class, Flow};

use super::counters::ClassCounters;
use super::latency_histogram::LatencyHistogram;
use super::slo_window::{SloCounts, SloWindow};
use super::waiting_requests::waiting;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::threads::thread_status::ThreadStatus;
use crate::time::nanos;

/// Returns the metrics of a service at `now_ns`, on the service's clock.
pub(crate) fn collect_metrics(scheduler: &SchedulerState, now_ns: u64) -> ServiceMetrics {
    let threads = scheduler.threads();
    let counters = &scheduler.counters;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    let class = |class: Class| {
        let mut metrics = ClassMetrics {
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
            let counters = queues.class(class);
            metrics.waits += counters.waits.get();
            metrics.waited_ns += counters.waited_ns.get();
            metrics.aged += counters.aged.get();
            metrics.full += counters.full.get();
            metrics.overdue += counters.overdue.get();
            metrics.left += counters.left.get();
        };
        threads.iter().map(|(_, thread_status)| &thread_status.counters.queues).chain(batch).for_each(add);
        metrics
    };
    let mut classes: Vec<_> = [Class::Interactive, Class::Default, Class::Batch].map(class).into();
    if let Some(batch) = &scheduler.batch {
        classes[Class::Batch as usize].full += batch.full();
    }
    let (mut steps, mut flows, mut slos) = (Vec::new(), Vec::new(), Vec::new());
    for (flow, number) in scheduler.flows.iter().zip(0..) {
        for (position, step) in flow.info().steps.iter().enumerate() {
            let mut metrics = StepMetrics {
                flow: flow.info().name.clone(),
                name: step.name.clone(),
                ..StepMetrics::default()
            };
            let step_counters = threads
                .iter()
                .filter_map(|(_, thread_status)| thread_status.counters.steps(number).get(position));
            for counters in step_counters {
                metrics.runs += counters.runs.get();
                metrics.queued_ns += counters.queued_ns.get();
                metrics.executing_ns += counters.executing_ns.get();
                metrics.waiting_ns += counters.waiting_ns.get();
                metrics.yields += counters.yields.get();
                metrics.overruns += counters.overruns.get();
                metrics.retries += counters.retries.get();
            }
            steps.push(metrics);
        }
        let mut metrics = FlowMetrics { flow: flow.info().name.clone(), ..FlowMetrics::default() };
        let latencies = threads.iter().filter_map(|(_, status)| status.counters.latencies(number));
        metrics.sum_ns = latencies.map(|latencies| latencies.add_to(&mut metrics.buckets)).sum();
        flows.push(metrics);
        let latencies = threads.iter().filter_map(|(_, status)| status.counters.latencies(number));
        slos.extend(slo_metrics(
            flow,
            &latencies.filter_map(LatencyHistogram::slo).collect::<Vec<_>>(),
            now_ns,
        ));
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
        flows,
        slos,
        aliases: Vec::new(),
        effects: scheduler.effect_limiter.metrics(),
        targets: scheduler.targets.all().iter().map(|target| target.metrics(now_ns)).collect(),
        chaos: Vec::new(),
        recorder: None,
    }
}

/// Returns the objectives of a flow, from the counters of all threads.
fn slo_metrics(flow: &Flow, threads: &[&SloWindow], now_ns: u64) -> Vec<SloMetrics> {
    let mut total = SloCounts::default();
    threads.iter().for_each(|window| window.add_total(&mut total));
    let windows = SLO_WINDOWS_MIN.map(|minutes| {
        let mut counts = SloCounts::default();
        threads.iter().for_each(|window| window.add_last(now_ns, minutes, &mut counts));
        counts
    });
    let slo = flow.slo();
    let objectives =
        slo_objectives(slo.p95_limit().map(nanos), slo.p99_limit().map(nanos), slo.error_millionths());
    let metrics = |objective: (&'static str, Option<u64>, f64)| {
        let bad = match objective.0 {
            "p95" => 1,
            "p99" => 2,
            _ => 3,
        };
        let counts = windows.map(|window| (window[0], window[bad]));
        SloMetrics::new(&flow.info().name, objective, (total[0], total[bad]), counts)
    };
    objectives.map(metrics).collect()
}
