//! Hands a request over to the batch pool and waits for its return. The pool returns it when it has ended or is shed; a
//! request that has waited for too long is taken back.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use zerver_engine::{Class, Shed, ShedReason, StopReason};

use super::batch_pool::{BatchPool, BatchRequest};
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;
use crate::scheduler::dispatch::placement::Placement;
use crate::scheduler::dispatch::shedding::shed;
use crate::scheduler::sync::take_once::TakeOnce;
use crate::server::service::Service;
use crate::server::workers::worker::Worker;

/// Runs a request to its end in the batch pool. Few requests go there, so callers box this future: unboxed, it
/// would enlarge the future of every request.
pub(crate) async fn run_in_batch_pool(
    worker: &Worker,
    placement: Placement,
    class: Class,
    is_new: bool,
    active: ActiveRequest,
    context: EffectContext,
) -> ActiveRequest {
    let service = &*worker.service;
    let Some(batch_pool) = &worker.worker_context.batch_pool else { return active };
    let (return_tx, return_rx) = oneshot::channel();
    let settings = *service.scheduler.tuning().scheduling.class(Class::Batch);
    let placement = Placement { quantum_ns: settings.quantum_ns, ..placement };
    let (start, since_ns) = (active.watch.at(0), placement.base_ns + active.watch.now_ns());
    let slot = Arc::new(TakeOnce::new((active, context)));
    let wait = BatchWait { batch_pool, slot: Arc::clone(&slot) };
    batch_pool.submit(BatchRequest { slot, placement, is_new, since_ns, return_tx });
    let mut return_rx = pin!(return_rx);
    let due_ns = placement.base_ns.saturating_add(placement.deadline_ns);
    let shed_times = [settings.target_ns, settings.interval_ns].map(|ns| since_ns.saturating_add(ns));
    let checkpoints = shed_times.into_iter().filter(|&at_ns| is_new && at_ns < due_ns).chain([due_ns]);
    for at_ns in checkpoints {
        let at = start + Duration::from_nanos(at_ns.saturating_sub(placement.base_ns));
        tokio::select! {
            biased;
            result = &mut return_rx => return returned_from_batch(service, class, result).await,
            () = tokio::time::sleep_until(at.into()) => {}
        }
        let is_before_deadline = at_ns < due_ns;
        // A queue that only absorbs a burst sheds nothing.
        if is_before_deadline
            && at_ns == shed_times[0]
            && batch_pool.status().busy_ns(at_ns) < settings.interval_ns
        {
            continue;
        }
        let Some((mut active, _)) = wait.take_back() else { break };
        if is_before_deadline {
            shed(service, &mut active, class, ShedReason::WaitedTooLong);
        } else if let Some((job, watch)) = active.job() {
            job.stop(StopReason::DeadlinePassed, watch.tick());
        }
        return active;
    }
    returned_from_batch(service, class, return_rx.await).await
}

/// Unpacks a request that the batch pool has returned, and answers it if the pool shed it.
async fn returned_from_batch(
    service: &Service,
    class: Class,
    result: Result<Result<ActiveRequest, (ActiveRequest, Shed)>, oneshot::error::RecvError>,
) -> ActiveRequest {
    match result {
        Ok(Ok(active)) => active,
        Ok(Err((mut active, refused))) => {
            shed(service, &mut active, class, refused.reason);
            active
        }
        // The service stopped while the request ran, and has recorded it.
        Err(_) => std::future::pending().await,
    }
}

/// A request that waits for a batch worker. Dropping this takes the request back.
struct BatchWait<'l> {
    batch_pool: &'l BatchPool,
    slot: Arc<TakeOnce<(ActiveRequest, EffectContext)>>,
}

impl BatchWait<'_> {
    fn take_back(&self) -> Option<(ActiveRequest, EffectContext)> {
        self.slot.take_back().inspect(|_| self.batch_pool.status().note_taken())
    }
}

impl Drop for BatchWait<'_> {
    fn drop(&mut self) {
        drop(self.take_back());
    }
}
