//! Threads of low priority: where batch runs, and flows that keep others waiting.
//!
//! Each has a runtime of its own, so that effects work there as elsewhere. The system may leave such a thread without a
//! core for long, so no worker waits for a lock that one could hold, and what waits here for too long is taken back by
//! the worker it came from (`held`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use zerver_engine::{Class, Ready, Refused, Scheduling, Ticket, Why};

use super::batch_status::BatchStatus;
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;
use crate::scheduler::dispatch::placement::Way;
use crate::scheduler::sync::take_once::Held;

/// The requests for these threads.
pub(crate) struct Low {
    inbox: mpsc::UnboundedSender<Entrant>,
    status: Arc<BatchStatus>,
    /// How many are queued; with those that have been taken back.
    queued: AtomicUsize,
    limit: AtomicUsize,
    /// Locked by these threads only.
    queue: Mutex<Queue>,
}

struct Queue {
    outbox: mpsc::UnboundedReceiver<Entrant>,
    ready: Ready,
    entrants: BTreeMap<Ticket, Entrant>,
}

/// A request that comes to these threads.
pub(crate) struct Entrant {
    /// Taken here, or taken back.
    pub(crate) held: Arc<Held<(Live, Context)>>,
    pub(crate) way: Way,
    /// Whether none of its steps has run.
    pub(crate) is_new: bool,
    /// Since when, on the service's clock.
    pub(crate) since_ns: u64,
    /// Where it goes when it has ended, or may not wait. Closed when nobody wants it any more.
    pub(crate) back: oneshot::Sender<Result<Live, (Live, Refused)>>,
}

impl Low {
    pub(crate) fn new(settings: &Scheduling, status: Arc<BatchStatus>) -> Self {
        let (inbox, outbox) = mpsc::unbounded_channel();
        let queue = Queue { outbox, ready: Ready::new(settings.clone()), entrants: BTreeMap::new() };
        Self {
            inbox,
            status,
            queued: AtomicUsize::new(0),
            limit: AtomicUsize::new(settings.batch.queue),
            queue: Mutex::new(queue),
        }
    }

    /// Gives turns in another way from now on. Not for workers: it waits for a lock.
    pub(crate) fn retune(&self, settings: &Scheduling) {
        self.limit.store(settings.batch.queue, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).ready.retune(settings.clone());
    }

    pub(crate) fn status(&self) -> &BatchStatus {
        &self.status
    }

    /// Hands a request over. One that may not wait comes back at once.
    pub(crate) fn put(&self, entrant: Entrant) {
        self.status.comes(entrant.since_ns);
        if entrant.is_new && self.queued.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.status.overflows();
            return self.send_back(entrant, Refused { class: Class::Batch, why: Why::Full });
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        // The receiver lives as long as this does.
        let _ = self.inbox.send(entrant);
        self.status.door.ring();
    }

    fn send_back(&self, entrant: Entrant, refused: Refused) {
        let Some((live, _)) = entrant.held.take() else { return };
        self.status.taken();
        drop(entrant.back.send(Err((live, refused))));
    }

    /// The next that is to run, and whether there are more.
    pub(crate) fn next(&self, now_ns: u64) -> Option<(Entrant, bool)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Queue { outbox, ready, entrants } = &mut *queue;
        while let Ok(entrant) = outbox.try_recv() {
            let (flow, since_ns) = (entrant.way.flow, entrant.since_ns);
            let ticket = if entrant.is_new {
                ready.enter(Class::Batch, flow, since_ns)
            } else {
                Ok(ready.enter_again(Class::Batch, flow, since_ns))
            };
            match ticket {
                Ok(ticket) => drop(entrants.insert(ticket, entrant)),
                Err(refused) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.send_back(entrant, refused);
                }
            }
        }
        while let Some(turn) = ready.next(now_ns) {
            self.status.queues.publish(ready);
            let Some(entrant) = entrants.remove(&turn.ticket) else { continue };
            self.queued.fetch_sub(1, Ordering::Relaxed);
            match turn.goes {
                Ok(()) if entrant.held.is_there() => {
                    self.status.waits(turn.waited_ns);
                    return Some((entrant, !ready.is_empty()));
                }
                // It has been taken back.
                Ok(()) => {}
                Err(refused) => self.send_back(entrant, refused),
            }
        }
        None
    }

    /// One has run for so long.
    pub(crate) fn ran(&self, flow: u16, ran_ns: u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.ready.ran(Class::Batch, flow, ran_ns);
    }
}
