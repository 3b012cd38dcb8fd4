//! Replaces the settings of the scheduler while requests run.

use std::sync::Arc;

use super::shared_state::SchedulerState;
use super::tuning::Tuning;
use crate::server::workers::worker_context::WorkerContext;
use crate::server::workers::worker_message::WorkerMessage;

/// Replaces the settings on all threads. Must not be called on a worker, because it waits for a lock.
pub(crate) fn retune(worker_context: &WorkerContext, scheduler: &SchedulerState, tuning: Tuning) {
    let scheduling = Arc::new(tuning.scheduling.clone());
    scheduler.retune(tuning);
    worker_context.registry.broadcast(|| WorkerMessage::Retune(Arc::clone(&scheduling)));
    if let Some(batch_pool) = &worker_context.batch_pool {
        batch_pool.retune(&scheduling);
    }
}
