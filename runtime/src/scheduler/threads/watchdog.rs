//! Looks at the workers from outside: which of them hang in a step, and how all of them are.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use zerver_engine::RequestId;

use super::thread_status::ThreadStatus;
use crate::operator_log;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::sync::current_step::RunningStep;
use crate::server::workers::thread_registry::ThreadRegistry;
use crate::time::{ServiceClock, nanos};

/// How often to look.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// A thread of low priority may be without a core for so many times longer until it counts as hanging.
const BATCH_PATIENCE: u64 = 10;

/// Watches until `stop` hangs up. Each thread that hangs is replaced once, as long as there are not twice as many as
/// there were: `replace` starts a worker, or a thread of low priority.
pub(crate) fn run_watchdog(
    registry: &ThreadRegistry,
    scheduler: &SchedulerState,
    service_clock: &ServiceClock,
    stop: &Receiver<()>,
    mut replace: impl FnMut(ThreadKind),
) {
    let (mut left, mut left_batch) = (registry.workers().len(), registry.batch_workers().len());
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
            let left = if kind == ThreadKind::Batch { &mut left_batch } else { &mut left };
            if is_stuck && *left > 0 && !registry.is_draining() {
                *left -= 1;
                replace(kind);
            }
        }
    }
}

/// What a thread is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ThreadKind {
    Worker,
    /// Of low priority.
    Batch,
}

/// Marks a thread as hanging, or as no longer so, and says it.
fn check_thread(
    thread_status: &ThreadStatus,
    scheduler: &SchedulerState,
    now_ns: u64,
    kind: ThreadKind,
) -> Option<String> {
    let running = thread_status.current_step.running();
    let patience_ns = match kind {
        ThreadKind::Worker => nanos(scheduler.stuck_after),
        ThreadKind::Batch => nanos(scheduler.stuck_after).saturating_mul(BATCH_PATIENCE),
    };
    let too_long = |running: &RunningStep| now_ns.saturating_sub(running.since_ns) > patience_ns;
    // Only workers hand requests over.
    let batch = scheduler.batch.as_ref().filter(|_| kind == ThreadKind::Worker);
    match (running.filter(too_long), thread_status.is_stuck()) {
        (Some(running), false) => {
            thread_status.set_stuck(true);
            if let Some(batch) = batch {
                batch.latch.suspend(&thread_status.pass);
            }
            let ms = now_ns.saturating_sub(running.since_ns) / 1_000_000;
            let step = scheduler.step_name(running.flow, running.step);
            let flow = scheduler.flow_name(running.flow);
            let id = RequestId::from_u128(running.id);
            let effect = match kind {
                ThreadKind::Worker => "its connections wait, and another worker takes new ones",
                ThreadKind::Batch => "another batch worker replaces it",
            };
            Some(format!("is stuck in step {step} of flow {flow} for {ms} ms, request {id}: {effect}"))
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
    fn a_worker_hangs_until_its_step_returns() {
        let scheduler = SchedulerState::of_nothing(Duration::from_millis(10));
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
        assert_eq!((check_thread(120), thread_status.is_stuck()), (None, true), "reported once");
        thread_status.current_step.end();
        assert_eq!(
            (check_thread(130).as_deref(), thread_status.is_stuck()),
            (Some("is no longer stuck"), false)
        );
        // Without a core for a while, one of low priority does not hang.
        let low = |now_ms: u64| {
            super::check_thread(&thread_status, &scheduler, now_ms * 1_000_000, ThreadKind::Batch)
        };
        thread_status.current_step.begin(7, 0, 1, 200_000_000);
        assert_eq!((low(299), thread_status.is_stuck()), (None, false));
        assert!(low(301).is_some() && thread_status.is_stuck());
    }
}
