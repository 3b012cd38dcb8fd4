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

use super::dispatch::stolen_request::Guest;
use super::sync::park_state::Idle;
use super::sync::steal_queue::{Offered, Offers};

/// The workers of a service, by number, and what they give each other.
pub(crate) struct Peers<G = Box<Guest>> {
    all: RwLock<Vec<Peer<G>>>,
    pub(super) offered: Arc<Offered>,
    /// Who looked last began with this one; the next with the next, so that all are helped.
    first: AtomicUsize,
}

struct Peer<G> {
    idle: Arc<Idle>,
    inbox: mpsc::UnboundedSender<G>,
    offers: Arc<Offers<Ticket, G>>,
}

/// What a worker has as one of several.
pub(crate) struct Berth<G = Box<Guest>> {
    pub(crate) number: usize,
    /// What it is given.
    pub(crate) guests: mpsc::UnboundedReceiver<G>,
    pub(crate) offers: Arc<Offers<Ticket, G>>,
}

impl<G> Default for Peers<G> {
    fn default() -> Self {
        Self { all: RwLock::default(), offered: Arc::default(), first: AtomicUsize::new(0) }
    }
}

impl<G> Peers<G> {
    /// There is one more worker.
    pub(crate) fn add(&self, idle: Arc<Idle>) -> Berth<G> {
        let (inbox, guests) = mpsc::unbounded_channel();
        let offers = Arc::new(Offers::new(Arc::clone(&self.offered)));
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.push(Peer { idle, inbox, offers: Arc::clone(&offers) });
        Berth { number: all.len() - 1, guests, offers }
    }

    /// A worker that is idle, to be given a request.
    pub(super) fn claim(&self) -> Option<usize> {
        self.with(|all| all.iter().position(|peer| peer.idle.claim()))
    }

    /// There is nothing for a worker that was claimed: it sleeps on, unless something has been offered meanwhile.
    pub(super) fn give_up(&self, peer: usize) {
        self.with(|all| {
            let peer = all.get(peer)?;
            let taken = self.offered.give_up(&peer.idle, || self.take(all))?;
            peer.inbox.send(taken).ok()
        });
    }

    pub(super) fn give(&self, peer: usize, guest: G) {
        // It is there as long as anybody has a connection. If it were not, the sender of the way back is dropped.
        self.with(|all| all.get(peer).map(|peer| peer.inbox.send(guest)));
    }

    /// A worker falls asleep. It is given what is offered elsewhere, and wakes up again, if there is anything.
    pub(crate) fn falls_asleep(&self, number: usize, idle: &Idle) {
        let taken = self.offered.falls_asleep(idle, || self.with(|all| self.take(all)));
        if let Some(guest) = taken {
            self.give(number, guest);
        }
    }

    fn take(&self, all: &[Peer<G>]) -> Option<G> {
        let first = self.first.fetch_add(1, Ordering::Relaxed) % all.len().max(1);
        let (later, sooner) = all.split_at(first);
        sooner.iter().chain(later).find_map(|peer| peer.offers.take())
    }

    fn with<R>(&self, look: impl FnOnce(&[Peer<G>]) -> R) -> R {
        look(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }
}
