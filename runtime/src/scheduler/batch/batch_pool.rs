//! Threads of low priority: where batch runs, and flows that keep others waiting.
//!
//! Each has a runtime of its own, so that effects work there as elsewhere. The system may leave such a thread without a
//! core for long, so no worker waits for a lock that one could hold, and what waits here for too long is taken back by
//! the worker it came from (`slot`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use zerver_engine::{Class, FairQueue, SchedulingSettings, Shed, ShedReason, Ticket};

use super::batch_status::BatchStatus;
use crate::effects::interpreter::EffectContext;
use crate::execution::active_request::ActiveRequest;
use crate::scheduler::dispatch::placement::Placement;
use crate::scheduler::sync::take_once::TakeOnce;

/// The requests for these threads.
pub(crate) struct BatchPool {
    inbox: mpsc::UnboundedSender<BatchRequest>,
    status: Arc<BatchStatus>,
    /// How many are queued; with those that have been taken back.
    queued: AtomicUsize,
    limit: AtomicUsize,
    /// Locked by these threads only.
    queue: Mutex<Queue>,
}

struct Queue {
    outbox: mpsc::UnboundedReceiver<BatchRequest>,
    ready: FairQueue,
    requests: BTreeMap<Ticket, BatchRequest>,
}

/// A request that comes to these threads.
pub(crate) struct BatchRequest {
    /// Taken here, or taken back.
    pub(crate) slot: Arc<TakeOnce<(ActiveRequest, EffectContext)>>,
    pub(crate) placement: Placement,
    /// Whether none of its steps has run.
    pub(crate) is_new: bool,
    /// Since when, on the service's clock.
    pub(crate) since_ns: u64,
    /// Where it goes when it has ended, or may not wait. Closed when nobody wants it any more.
    pub(crate) back: oneshot::Sender<Result<ActiveRequest, (ActiveRequest, Shed)>>,
}

impl BatchPool {
    pub(crate) fn new(settings: &SchedulingSettings, status: Arc<BatchStatus>) -> Self {
        let (inbox, outbox) = mpsc::unbounded_channel();
        let queue = Queue { outbox, ready: FairQueue::new(settings.clone()), requests: BTreeMap::new() };
        Self {
            inbox,
            status,
            queued: AtomicUsize::new(0),
            limit: AtomicUsize::new(settings.batch.queue),
            queue: Mutex::new(queue),
        }
    }

    /// Gives turns in another way from now on. Not for workers: it waits for a lock.
    pub(crate) fn retune(&self, settings: &SchedulingSettings) {
        self.limit.store(settings.batch.queue, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).ready.set_settings(settings.clone());
    }

    pub(crate) fn status(&self) -> &BatchStatus {
        &self.status
    }

    /// Hands a request over. One that may not wait comes back at once.
    pub(crate) fn submit(&self, request: BatchRequest) {
        self.status.note_arrival(request.since_ns);
        if request.is_new && self.queued.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.status.note_full();
            return self.send_back(request, Shed { class: Class::Batch, reason: ShedReason::QueueFull });
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        // The receiver lives as long as this does.
        let _ = self.inbox.send(request);
        self.status.latch.notify();
    }

    fn send_back(&self, request: BatchRequest, refused: Shed) {
        let Some((active, _)) = request.slot.take() else { return };
        self.status.note_taken();
        drop(request.back.send(Err((active, refused))));
    }

    /// The next that is to run, and whether there are more.
    pub(crate) fn next(&self, now_ns: u64) -> Option<(BatchRequest, bool)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Queue { outbox, ready, requests } = &mut *queue;
        while let Ok(request) = outbox.try_recv() {
            let (flow, since_ns) = (request.placement.flow, request.since_ns);
            let ticket = if request.is_new {
                ready.admit(Class::Batch, flow, since_ns)
            } else {
                Ok(ready.requeue(Class::Batch, flow, since_ns))
            };
            match ticket {
                Ok(ticket) => drop(requests.insert(ticket, request)),
                Err(refused) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.send_back(request, refused);
                }
            }
        }
        while let Some(turn) = ready.pop(now_ns) {
            self.status.queues.publish(ready);
            let Some(request) = requests.remove(&turn.ticket) else { continue };
            self.queued.fetch_sub(1, Ordering::Relaxed);
            match turn.verdict {
                Ok(()) if request.slot.is_available() => {
                    self.status.set_waited(turn.waited_ns);
                    return Some((request, !ready.is_empty()));
                }
                // It has been taken back.
                Ok(()) => {}
                Err(refused) => self.send_back(request, refused),
            }
        }
        None
    }

    /// One has run for so long.
    pub(crate) fn ran(&self, flow: u16, ran_ns: u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.ready.charge(Class::Batch, flow, ran_ns);
    }
}
