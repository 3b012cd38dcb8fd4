//! Number of requests that wait for a turn.

use std::sync::Arc;

use zerver_engine::Class;

use super::counters::ClassCounters;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::threads::thread_status::ThreadStatus;

/// How many requests of a class wait for their turn, on all threads.
pub(crate) fn waiting(
    scheduler: &SchedulerState,
    threads: &[(String, Arc<ThreadStatus>)],
    class: Class,
) -> u64 {
    match &scheduler.batch {
        // What has been handed over to low priority and not been taken in, waits too.
        Some(batch) if class == Class::Batch => batch.waiting() as u64,
        batch => {
            let of = |queues: &ClassCounters| queues.of(class).waiting.get();
            let workers: u64 =
                threads.iter().map(|(_, thread_status)| of(&thread_status.counters.queues)).sum();
            workers + batch.as_ref().map_or(0, |batch| of(&batch.queues))
        }
    }
}
