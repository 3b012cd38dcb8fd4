//! Workers with nothing to do take requests from those where somebody has to wait.
//!
//! A worker's own queue needs no lock, so an idle worker takes nothing out of it: it says that it is idle, and whoever has
//! somebody waiting looks for that and gives away what has not begun (Acar, Chargueraud and Rainey, "Scheduling parallel
//! programs by work stealing with private deques", PPoPP 2013). Each time a worker falls asleep it gets one request at
//! most in this way. The request comes back to the worker with its connection when it has ended.

use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::carry::{NotHere, Way, here};
use super::{Drove, Idle};
use crate::interpreter::Context;
use crate::live::Live;
use crate::worker::Worker;

/// The workers of a service, by number.
#[derive(Default)]
pub(crate) struct Peers(RwLock<Vec<Peer>>);

struct Peer {
    idle: Arc<Idle>,
    inbox: mpsc::UnboundedSender<Guest>,
}

/// A request of another worker.
pub(crate) struct Guest {
    pub(super) live: Live,
    pub(super) context: Context,
    pub(super) way: Way,
    /// Closed when nobody wants it any more.
    pub(super) back: oneshot::Sender<(Live, Result<Drove, NotHere>)>,
}

impl Peers {
    /// There is one more worker. What it is given, and its number.
    pub(crate) fn add(&self, idle: Arc<Idle>) -> (mpsc::UnboundedReceiver<Guest>, usize) {
        let (inbox, guests) = mpsc::unbounded_channel();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.push(Peer { idle, inbox });
        (guests, all.len() - 1)
    }

    /// A worker that is idle, to be given a request.
    pub(super) fn claim(&self) -> Option<usize> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.iter().position(|peer| peer.idle.claim())
    }

    /// There is nothing for a worker that was claimed.
    pub(super) fn give_up(&self, peer: usize) {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(peer) = all.get(peer) {
            peer.idle.give_up();
        }
    }

    pub(super) fn give(&self, peer: usize, guest: Guest) {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // It is there as long as anybody has a connection. If it were not, the sender of the way back is dropped.
        if let Some(peer) = all.get(peer) {
            let _ = peer.inbox.send(guest);
        }
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
            let drove = here(service, board, Some(turns), &mut live, &context, &way).await.0;
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
