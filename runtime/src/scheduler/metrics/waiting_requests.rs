//! Number of requests that wait for a turn.

use std::sync::Arc;

use zerver_engine::Class;

use super::counters::ClassCounters;
use crate::scheduler::shared_state::SchedulerState;
use crate::scheduler::threads::thread_status::ThreadStatus;

/// Returns the number of requests of a class that wait for their turn, on all threads.
pub(crate) fn waiting(
    scheduler: &SchedulerState,
    threads: &[(String, Arc<ThreadStatus>)],
    class: Class,
) -> u64 {
    match &scheduler.batch {
        // Includes requests that were submitted to the batch pool and are not yet in its queue.
        Some(batch) if class == Class::Batch => batch.waiting() as u64,
        batch => {
            let count = |queues: &ClassCounters| queues.class(class).waiting.get();
            let workers: u64 =
                threads.iter().map(|(_, thread_status)| count(&thread_status.counters.queues)).sum();
            workers + batch.as_ref().map_or(0, |batch| count(&batch.queues))
        }
    }
}
