//! Workers with nothing to do take requests from those where somebody has to wait.
//!
//! A worker's own queue needs no lock. Who waits there and has not begun is offered beside it: the worker gives it to one
//! that sleeps, and each that falls asleep looks for what is offered first. So nobody has to wait for the end of a step on
//! one worker while another sleeps; where all are busy an offer is two short locks, that nobody else wants (Acar,
//! Chargueraud and Rainey, "Scheduling parallel programs by work stealing with private deques", PPoPP 2013, weighs the two
//! ways). The request comes back to the worker with its connection when it has ended.

use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};
use zerver_engine::Ticket;

use super::dispatch::{Way, here};
use super::sync::steal_queue::{Offered, Offers};
use super::{Drove, Idle};
use crate::effects::interpreter::Context;
use crate::execution::active_request::Live;
use crate::server::worker::Worker;

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

/// A request that another worker can run.
pub(crate) struct Guest {
    pub(super) live: Live,
    pub(super) context: Context,
    pub(super) way: Way,
    /// Closed when nobody wants it any more.
    pub(super) back: oneshot::Sender<(Live, Drove)>,
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

impl Guest {
    /// Takes it to its end, or to where it goes elsewhere, unless nobody wants it any more.
    pub(crate) async fn carry(self, worker: Rc<Worker>) {
        let Self { mut live, context, way, mut back } = self;
        worker.board.tally.steals.add(1);
        let going = pin!(async {
            live.watch.tick();
            let Worker { service, board, turns, .. } = &*worker;
            live.carried(board);
            let has_turn = turns.enter_again(way.class, way.flow, way.now_ns(&live)).await;
            if has_turn {
                live.watch.tick();
            }
            let drove = here(service, board, Some(turns), has_turn, &mut live, &context, &way).await.0;
            (live, drove)
        });
        // Dropped, it records that its client has gone.
        let ended = match select(going, pin!(back.closed())).await {
            Either::Left((ended, _)) => Some(ended),
            Either::Right(_) => None,
        };
        if let Some(ended) = ended {
            drop(back.send(ended));
        }
    }
}
