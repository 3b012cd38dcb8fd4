//! Hands a request over to the batch pool, and waits for it: it comes back when it has ended, is taken back when it has
//! waited for too long, or is shed.

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

/// Takes a request to its end at low priority. Few go there, and it has room of its own: all others would have to keep
/// room for it.
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
    let (back, returned) = oneshot::channel();
    let set = *service.scheduler.tuning().scheduling.class(Class::Batch);
    let placement = Placement { quantum_ns: set.quantum_ns, ..placement };
    let (start, since_ns) = (active.watch.at(0), placement.base_ns + active.watch.now_ns());
    let slot = Arc::new(TakeOnce::new((active, context)));
    let wait = BatchWait { batch_pool, slot: Arc::clone(&slot) };
    batch_pool.submit(BatchRequest { slot, placement, is_new, since_ns, back });
    let mut returned = pin!(returned);
    let due_ns = placement.base_ns.saturating_add(placement.deadline_ns);
    let patience = [set.target_ns, set.interval_ns].map(|ns| since_ns.saturating_add(ns));
    let checkpoints = patience.into_iter().filter(|&at_ns| is_new && at_ns < due_ns).chain([due_ns]);
    for at_ns in checkpoints {
        let at = start + Duration::from_nanos(at_ns.saturating_sub(placement.base_ns));
        tokio::select! {
            biased;
            ended = &mut returned => return returned_from_batch(service, class, ended).await,
            () = tokio::time::sleep_until(at.into()) => {}
        }
        let is_late = at_ns < due_ns;
        // A queue that only takes up a burst is left alone.
        if is_late && at_ns == patience[0] && batch_pool.status().busy_ns(at_ns) < set.interval_ns {
            continue;
        }
        let Some((mut active, _)) = wait.take_back() else { break };
        if is_late {
            shed(service, &mut active, class, ShedReason::WaitedTooLong);
        } else if let Some((job, watch)) = active.job() {
            job.stop(StopReason::DeadlinePassed, watch.tick());
        }
        return active;
    }
    returned_from_batch(service, class, returned.await).await
}

/// A request comes back from a thread of low priority.
async fn returned_from_batch(
    service: &Service,
    class: Class,
    ended: Result<Result<ActiveRequest, (ActiveRequest, Shed)>, oneshot::error::RecvError>,
) -> ActiveRequest {
    match ended {
        Ok(Ok(active)) => active,
        Ok(Err((mut active, refused))) => {
            shed(service, &mut active, class, refused.reason);
            active
        }
        // The service has stopped around it, and recorded that.
        Err(_) => std::future::pending().await,
    }
}

/// One that waits for a thread of low priority. Dropped, it waits no longer.
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
