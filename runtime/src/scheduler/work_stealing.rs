//! Work stealing: idle workers take requests that wait on other workers.
//!
//! The run queue of a worker is private and needs no lock. A request that waits there and has not run a step is also put
//! into the worker's steal queue. The worker gives it to a parked worker, and each worker looks into the steal queues
//! before it parks. No request therefore waits for the end of a step on one worker while another worker is parked. If all
//! workers are busy, this costs two short, uncontended locks per request (Acar, Chargueraud and Rainey, "Scheduling
//! parallel programs by work stealing with private deques", PPoPP 2013, compare both designs). A stolen request returns to
//! the worker of its connection when it has ended.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::mpsc;
use zerver_engine::Ticket;

use super::dispatch::stealable_request::StealableRequest;
use super::sync::park_state::ParkState;
use super::sync::steal_queue::{StealQueue, StealableCount};

/// The workers of a service, which can take requests from one another.
pub(crate) struct StealGroup<G = Box<StealableRequest>> {
    /// Indexed by the number of the worker.
    peers: RwLock<Vec<Peer<G>>>,
    pub(super) stealable: Arc<StealableCount>,
    /// Number of the next search. Each search begins at the next worker, so that all get help.
    next_search: AtomicUsize,
}

struct Peer<G> {
    park_state: Arc<ParkState>,
    request_tx: mpsc::UnboundedSender<G>,
    steal_queue: Arc<StealQueue<Ticket, G>>,
}

/// A worker's own part of the group.
pub(crate) struct WorkerSlot<G = Box<StealableRequest>> {
    pub(crate) number: usize,
    /// Requests that other workers give to this one.
    pub(crate) stealable_requests: mpsc::UnboundedReceiver<G>,
    pub(crate) steal_queue: Arc<StealQueue<Ticket, G>>,
}

impl<G> Default for StealGroup<G> {
    fn default() -> Self {
        Self { peers: RwLock::default(), stealable: Arc::default(), next_search: AtomicUsize::new(0) }
    }
}

impl<G> StealGroup<G> {
    /// Adds a worker.
    pub(crate) fn add(&self, park_state: Arc<ParkState>) -> WorkerSlot<G> {
        let (request_tx, stealable_requests) = mpsc::unbounded_channel();
        let steal_queue = Arc::new(StealQueue::new(Arc::clone(&self.stealable)));
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        peers.push(Peer { park_state, request_tx, steal_queue: Arc::clone(&steal_queue) });
        WorkerSlot { number: peers.len() - 1, stealable_requests, steal_queue }
    }

    /// Claims an idle worker, in order to give it a request.
    pub(super) fn claim(&self) -> Option<usize> {
        self.with_peers(|peers| peers.iter().position(|peer| peer.park_state.claim()))
    }

    /// Gives up the claim on a worker, and gives it a request if one has become stealable in the meantime.
    pub(super) fn release(&self, peer: usize) {
        self.with_peers(|peers| {
            let peer = peers.get(peer)?;
            let taken = self.stealable.release(&peer.park_state, || self.take(peers))?;
            peer.request_tx.send(taken).ok()
        });
    }

    pub(super) fn give(&self, peer: usize, stealable: G) {
        // The receiver lives as long as any connection is open. If it did not, the request and its `return_tx` would be
        // dropped here, which ends the wait for its return.
        self.with_peers(|peers| peers.get(peer).map(|peer| peer.request_tx.send(stealable)));
    }

    /// Parks a worker. If a request can be stolen, the worker is given it and wakes up again.
    pub(crate) fn park(&self, number: usize, park_state: &ParkState) {
        let taken = self.stealable.park(park_state, || self.with_peers(|peers| self.take(peers)));
        if let Some(stealable) = taken {
            self.give(number, stealable);
        }
    }

    fn take(&self, peers: &[Peer<G>]) -> Option<G> {
        let first = self.next_search.fetch_add(1, Ordering::Relaxed) % peers.len().max(1);
        let (before, from_first) = peers.split_at(first);
        from_first.iter().chain(before).find_map(|peer| peer.steal_queue.steal())
    }

    fn with_peers<R>(&self, run: impl FnOnce(&[Peer<G>]) -> R) -> R {
        run(&self.peers.read().unwrap_or_else(PoisonError::into_inner))
    }
}
