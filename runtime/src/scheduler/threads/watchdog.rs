//! The watchdog: finds threads that are stuck in a step, reports them and has them replaced. It cannot interrupt a step.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use zerver_engine::RequestId;

use super::thread_status::ThreadStatus;
use crate::operator_log;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::sync::current_step::RunningStep;
use crate::server::workers::thread_registry::ThreadRegistry;
use crate::time::{ServiceClock, nanos};

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Factor by which `stuck_after` is longer for batch workers, to which the system may give no core for a while.
const BATCH_STUCK_FACTOR: u64 = 10;

/// Watches the threads until the sender of `stop` is dropped. Calls `replace` once for each thread that gets stuck, and
/// at most as many times as there were threads of its kind at the start.
pub(crate) fn run_watchdog(
    registry: &ThreadRegistry,
    scheduler: &SchedulerState,
    service_clock: &ServiceClock,
    stop: &Receiver<()>,
    mut replace: impl FnMut(ThreadKind),
) {
    let (mut workers_left, mut batch_workers_left) =
        (registry.workers().len(), registry.batch_workers().len());
    while stop.recv_timeout(CHECK_INTERVAL) == Err(RecvTimeoutError::Timeout) {
        let now_ns = service_clock.elapsed_ns();
        let check_thread = |name: &str, thread_status: &ThreadStatus, kind| {
            let text = check_thread(thread_status, scheduler, now_ns, kind)?;
            Some((format!("{name} {text}"), thread_status.is_stuck(), kind))
        };
        let mut changed: Vec<_> = {
            let workers = registry.workers();
            workers
                .iter()
                .filter_map(|handle| check_thread(&handle.name, &handle.thread_status, ThreadKind::Worker))
                .collect()
        };
        let batch_workers = registry.batch_workers();
        changed.extend(
            batch_workers
                .iter()
                .filter_map(|(name, thread_status)| check_thread(name, thread_status, ThreadKind::Batch)),
        );
        drop(batch_workers);
        for (text, is_stuck, kind) in changed {
            operator_log::warn(&text);
            let replacements_left = match kind {
                ThreadKind::Worker => &mut workers_left,
                ThreadKind::Batch => &mut batch_workers_left,
            };
            if is_stuck && *replacements_left > 0 && !registry.is_draining() {
                *replacements_left -= 1;
                replace(kind);
            }
        }
    }
}

/// Kind of a thread that runs requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadKind {
    Worker,
    /// A batch worker.
    Batch,
}

/// Marks a thread as stuck, or as no longer stuck. Returns a message if that has changed.
fn check_thread(
    thread_status: &ThreadStatus,
    scheduler: &SchedulerState,
    now_ns: u64,
    kind: ThreadKind,
) -> Option<String> {
    let running = thread_status.current_step.running();
    let stuck_after_ns = match kind {
        ThreadKind::Worker => nanos(scheduler.stuck_after),
        ThreadKind::Batch => nanos(scheduler.stuck_after).saturating_mul(BATCH_STUCK_FACTOR),
    };
    let is_too_long = |running: &RunningStep| now_ns.saturating_sub(running.since_ns) > stuck_after_ns;
    // Only workers submit requests to the batch pool.
    let batch = scheduler.batch.as_ref().filter(|_| kind == ThreadKind::Worker);
    match (running.filter(is_too_long), thread_status.is_stuck()) {
        (Some(running), false) => {
            thread_status.set_stuck(true);
            if let Some(batch) = batch {
                batch.latch.suspend(&thread_status.pass);
            }
            let ms = now_ns.saturating_sub(running.since_ns) / 1_000_000;
            let step = scheduler.step_name(running.flow, running.step);
            let flow = scheduler.flow_name(running.flow);
            let id = RequestId::from_u128(running.id);
            let consequence = match kind {
                ThreadKind::Worker => "its connections wait, and another worker takes new ones",
                ThreadKind::Batch => "another batch worker replaces it",
            };
            Some(format!("is stuck in step {step} of flow {flow} for {ms} ms, request {id}: {consequence}"))
        }
        (None, true) => {
            thread_status.set_stuck(false);
            if let Some(batch) = batch {
                batch.latch.resume(&thread_status.pass);
            }
            Some("is no longer stuck".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_stuck_until_its_step_returns() {
        let scheduler = SchedulerState::without_flows(Duration::from_millis(10));
        let thread_status = ThreadStatus::default();
        let check_thread =
            |now_ms: u64| check_thread(&thread_status, &scheduler, now_ms * 1_000_000, ThreadKind::Worker);
        assert_eq!(check_thread(100), None);
        thread_status.current_step.begin(7, 0, 1, 100_000_000);
        assert_eq!((check_thread(105), thread_status.is_stuck()), (None, false));
        let message = check_thread(111).unwrap();
        assert!(
            message.starts_with("is stuck in step ? of flow ? for 11 ms, request 00000000-0000"),
            "{message}"
        );
        assert_eq!(
            (check_thread(120), thread_status.is_stuck()),
            (None, true),
            "a stuck worker is reported once"
        );
        thread_status.current_step.end();
        assert_eq!(
            (check_thread(130).as_deref(), thread_status.is_stuck()),
            (Some("is no longer stuck"), false)
        );
        // A batch worker counts as stuck only after ten times as long.
        let check_batch_worker = |now_ms: u64| {
            super::check_thread(&thread_status, &scheduler, now_ms * 1_000_000, ThreadKind::Batch)
        };
        thread_status.current_step.begin(7, 0, 1, 200_000_000);
        assert_eq!((check_batch_worker(299), thread_status.is_stuck()), (None, false));
        assert!(check_batch_worker(301).is_some() && thread_status.is_stuck());
    }
}
