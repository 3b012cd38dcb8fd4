//! Workers with nothing to do take requests from those where somebody has to wait.
//!
//! A worker's own queue needs no lock, so an idle worker takes nothing out of it: it says that it is idle, and whoever has
//! somebody waiting looks for that and gives away what has not begun (Acar, Chargueraud and Rainey, "Scheduling parallel
//! programs by work stealing with private deques", PPoPP 2013). Each time a worker falls asleep it gets one request at
//! most in this way. The request comes back to the worker with its connection when it has ended.

use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::Drove;
use super::carry::{NotHere, Way, here};
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

/// Whether a worker sleeps, and has been given nothing since.
#[derive(Debug, Default)]
pub(crate) struct Idle(AtomicBool);

/// A request of another worker.
pub(crate) struct Guest {
    pub(super) live: Live,
    pub(super) context: Context,
    pub(super) way: Way,
    /// Closed when nobody wants it any more.
    pub(super) back: oneshot::Sender<(Live, Result<Drove, NotHere>)>,
}

impl Idle {
    /// It falls asleep, or wakes up.
    pub(crate) fn set(&self, idle: bool) {
        self.0.store(idle, Ordering::Release);
    }

    /// Whether it is, and nobody else claims it.
    fn claim(&self) -> bool {
        self.0.load(Ordering::Relaxed)
            && self.0.compare_exchange(true, false, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }
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
        let going = pin!(async {
            live.watch.tick();
            let Worker { service, board, turns, .. } = &*worker;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// However many threads want it, one gets it each time it falls asleep.
    #[test]
    fn who_is_idle_is_claimed_once() {
        const TIMES: usize = 2_000;
        let (idle, claimed) = (Idle::default(), std::sync::atomic::AtomicUsize::new(0));
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while !over.load(Ordering::Acquire) {
                        if idle.claim() {
                            claimed.fetch_add(1, Ordering::AcqRel);
                        }
                        std::thread::yield_now();
                    }
                });
            }
            for time in 0..TIMES {
                idle.set(true);
                while claimed.load(Ordering::Acquire) == time {
                    std::thread::yield_now();
                }
            }
            over.store(true, Ordering::Release);
        });
        assert_eq!(claimed.into_inner(), TIMES);
        assert!(!idle.claim());
    }
}
