//! Workers with nothing to do take requests from those where somebody has to wait.
//!
//! A worker's own queue needs no lock. Who waits there and has not begun is offered beside it: the worker gives it to one
//! that sleeps, and each that falls asleep looks for what is offered first. So nobody has to wait for the end of a step on
//! one worker while another sleeps; where all are busy an offer is two short locks, that nobody else wants (Acar,
//! Chargueraud and Rainey, "Scheduling parallel programs by work stealing with private deques", PPoPP 2013, weighs the two
//! ways). The request comes back to the worker with its connection when it has ended.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;
use zerver_engine::Ticket;

use super::dispatch::stealable_request::StealableRequest;
use super::sync::park_state::ParkState;
use super::sync::steal_queue::{StealQueue, StealableCount};

/// The workers of a service, by number, and what they give each other.
pub(crate) struct StealGroup<G = Box<StealableRequest>> {
    all: RwLock<Vec<Peer<G>>>,
    pub(super) stealable: Arc<StealableCount>,
    /// Who looked last began with this one; the next with the next, so that all are helped.
    first: AtomicUsize,
}

struct Peer<G> {
    park_state: Arc<ParkState>,
    inbox: mpsc::UnboundedSender<G>,
    steal_queue: Arc<StealQueue<Ticket, G>>,
}

/// What a worker has as one of several.
pub(crate) struct WorkerSlot<G = Box<StealableRequest>> {
    pub(crate) number: usize,
    /// What it is given.
    pub(crate) stealable_requests: mpsc::UnboundedReceiver<G>,
    pub(crate) steal_queue: Arc<StealQueue<Ticket, G>>,
}

impl<G> Default for StealGroup<G> {
    fn default() -> Self {
        Self { all: RwLock::default(), stealable: Arc::default(), first: AtomicUsize::new(0) }
    }
}

impl<G> StealGroup<G> {
    /// There is one more worker.
    pub(crate) fn add(&self, park_state: Arc<ParkState>) -> WorkerSlot<G> {
        let (inbox, stealable_requests) = mpsc::unbounded_channel();
        let steal_queue = Arc::new(StealQueue::new(Arc::clone(&self.stealable)));
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.push(Peer { park_state, inbox, steal_queue: Arc::clone(&steal_queue) });
        WorkerSlot { number: all.len() - 1, stealable_requests, steal_queue }
    }

    /// A worker that is idle, to be given a request.
    pub(super) fn claim(&self) -> Option<usize> {
        self.with(|all| all.iter().position(|peer| peer.park_state.claim()))
    }

    /// There is nothing for a worker that was claimed: it sleeps on, unless something has been offered meanwhile.
    pub(super) fn release(&self, peer: usize) {
        self.with(|all| {
            let peer = all.get(peer)?;
            let taken = self.stealable.release(&peer.park_state, || self.take(all))?;
            peer.inbox.send(taken).ok()
        });
    }

    pub(super) fn give(&self, peer: usize, stealable: G) {
        // It is there as long as anybody has a connection. If it were not, the sender of the way back is dropped.
        self.with(|all| all.get(peer).map(|peer| peer.inbox.send(stealable)));
    }

    /// A worker falls asleep. It is given what is offered elsewhere, and wakes up again, if there is anything.
    pub(crate) fn park(&self, number: usize, park_state: &ParkState) {
        let taken = self.stealable.park(park_state, || self.with(|all| self.take(all)));
        if let Some(stealable) = taken {
            self.give(number, stealable);
        }
    }

    fn take(&self, all: &[Peer<G>]) -> Option<G> {
        let first = self.first.fetch_add(1, Ordering::Relaxed) % all.len().max(1);
        let (later, sooner) = all.split_at(first);
        sooner.iter().chain(later).find_map(|peer| peer.steal_queue.steal())
    }

    fn with<R>(&self, look: impl FnOnce(&[Peer<G>]) -> R) -> R {
        look(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }
}
