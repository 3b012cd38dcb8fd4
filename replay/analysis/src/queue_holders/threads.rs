//! The threads of a request: where it waits, and where its steps run.

use std::sync::Arc;

use zerver_trace::{Class, Event, Thread, Trace};

/// A run of a step, on the wall clock.
#[derive(Debug, Clone)]
pub(super) struct ThreadRun {
    pub(super) thread: Thread,
    pub(super) from_ns: u64,
    pub(super) until_ns: u64,
    /// Position of the step in its flow.
    pub(super) step: u16,
    /// Position of the request among those that were added.
    pub(super) request: usize,
}

/// Returns the runs of a request's steps on known threads.
pub(super) fn runs(trace: &Trace, request: usize) -> Vec<ThreadRun> {
    let mut thread = trace.worker.map(Thread::Worker);
    let mut runs = Vec::new();
    let on_clock = |ns: u64| trace.started_unix_ns.saturating_add(ns);
    for event in &trace.events {
        match *event {
            Event::Migrated { to, .. } => thread = Some(to),
            Event::StepRan { step, at_ns, cpu_ns, .. } => runs.extend(thread.map(|thread| ThreadRun {
                thread,
                from_ns: on_clock(at_ns),
                until_ns: on_clock(at_ns.saturating_add(cpu_ns)),
                step,
                request,
            })),
            _ => {}
        }
    }
    runs
}

/// Threads in whose queues a request waits, each with the time from which on, in order.
pub(super) fn waits(trace: &Trace) -> Vec<(u64, Option<Thread>)> {
    let mut waits = vec![(0, trace.worker.map(Thread::Worker))];
    // Batch workers share one queue, so a request that waits there waits for the one that takes it.
    let mut pooled_ns = (trace.class == Class::Batch).then_some(0);
    for event in &trace.events {
        match *event {
            Event::Reclassified { to: Class::Batch, at_ns, .. } => pooled_ns = pooled_ns.or(Some(at_ns)),
            Event::Migrated { at_ns, to } => {
                let from_ns = match to {
                    Thread::BatchWorker(_) => pooled_ns.take().unwrap_or(at_ns).min(at_ns),
                    Thread::Worker(_) => at_ns,
                };
                waits.push((from_ns, Some(to)));
            }
            _ => {}
        }
    }
    // Events count in their order, not by their times, which may run backwards.
    let mut reached = 0;
    for (from_ns, _) in &mut waits {
        reached = reached.max(*from_ns);
        *from_ns = reached;
    }
    waits
}

/// A flow of requests that were added, shared by their runs.
pub(super) type Flow = Arc<zerver_trace::FlowInfo>;
