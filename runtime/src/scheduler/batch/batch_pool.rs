//! The queue of the batch workers: threads of low priority that run batch requests, and requests of flows whose steps
//! often exceed their quantum.
//!
//! Each batch worker has its own runtime, so that effects work there as on a worker. The system may keep a batch worker
//! off its core for a long time. Therefore no worker waits for a lock that a batch worker could hold, and the worker
//! that submitted a request takes it back (`slot`) if it waits for too long.

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

/// The requests that wait for a batch worker.
pub(crate) struct BatchPool {
    submitted_tx: mpsc::UnboundedSender<BatchRequest>,
    status: Arc<BatchStatus>,
    /// Number of queued requests, including those that have been taken back.
    queued: AtomicUsize,
    limit: AtomicUsize,
    /// Locked by batch workers and by `retune`, never by a worker.
    queue: Mutex<Queue>,
}

struct Queue {
    submitted_rx: mpsc::UnboundedReceiver<BatchRequest>,
    ready: FairQueue,
    requests: BTreeMap<Ticket, BatchRequest>,
}

/// A request that was submitted to the batch pool.
pub(crate) struct BatchRequest {
    /// The request, until a batch worker takes it or its worker takes it back.
    pub(crate) slot: Arc<TakeOnce<(ActiveRequest, EffectContext)>>,
    pub(crate) placement: Placement,
    /// True if none of its steps has run.
    pub(crate) is_new: bool,
    /// Time at which it was submitted, on the service's clock.
    pub(crate) since_ns: u64,
    /// Returns the request when it has ended or is shed. Closed once its worker no longer waits for it.
    pub(crate) return_tx: oneshot::Sender<Result<ActiveRequest, (ActiveRequest, Shed)>>,
}

impl BatchPool {
    pub(crate) fn new(settings: &SchedulingSettings, status: Arc<BatchStatus>) -> Self {
        let (submitted_tx, submitted_rx) = mpsc::unbounded_channel();
        let queue =
            Queue { submitted_rx, ready: FairQueue::new(settings.clone()), requests: BTreeMap::new() };
        Self {
            submitted_tx,
            status,
            queued: AtomicUsize::new(0),
            limit: AtomicUsize::new(settings.batch.queue),
            queue: Mutex::new(queue),
        }
    }

    /// Replaces the settings. Must not be called on a worker, because it waits for a lock.
    pub(crate) fn retune(&self, settings: &SchedulingSettings) {
        self.limit.store(settings.batch.queue, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).ready.set_settings(settings.clone());
    }

    pub(crate) fn status(&self) -> &BatchStatus {
        &self.status
    }

    /// Queues a request. If the queue is full, a new request is returned as shed at once.
    pub(crate) fn submit(&self, request: BatchRequest) {
        self.status.note_arrival(request.since_ns);
        if request.is_new && self.queued.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.status.note_full();
            return self.return_shed(request, Shed { class: Class::Batch, reason: ShedReason::QueueFull });
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        // The receiver lives as long as `self`, so this cannot fail.
        let _ = self.submitted_tx.send(request);
        self.status.latch.notify();
    }

    fn return_shed(&self, request: BatchRequest, reason: Shed) {
        let Some((active, _)) = request.slot.take() else { return };
        self.status.note_taken();
        drop(request.return_tx.send(Err((active, reason))));
    }

    /// Removes the request that runs next. The flag is true if more are queued.
    pub(crate) fn next(&self, now_ns: u64) -> Option<(BatchRequest, bool)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Queue { submitted_rx, ready, requests } = &mut *queue;
        while let Ok(request) = submitted_rx.try_recv() {
            let (flow, since_ns) = (request.placement.flow, request.since_ns);
            let ticket = if request.is_new {
                ready.admit(Class::Batch, flow, since_ns)
            } else {
                Ok(ready.requeue(Class::Batch, flow, since_ns))
            };
            match ticket {
                Ok(ticket) => drop(requests.insert(ticket, request)),
                Err(reason) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.return_shed(request, reason);
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
                // Its worker has taken it back.
                Ok(()) => {}
                Err(reason) => self.return_shed(request, reason),
            }
        }
        None
    }

    /// Charges a flow for a request that ran for `ran_ns`.
    pub(crate) fn charge(&self, flow: u16, ran_ns: u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.ready.charge(Class::Batch, flow, ran_ns);
    }
}
