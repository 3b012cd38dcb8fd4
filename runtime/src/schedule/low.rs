//! Threads of low priority: where batch runs, and flows that keep others waiting.
//!
//! Each has a runtime of its own, so that effects work there as elsewhere. The system may leave such a thread without a
//! core for long, so no worker waits for a lock that one could hold, and what waits here for too long is taken back by
//! the worker it came from (`held`).

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::{Semaphore, mpsc, oneshot};
use zerver_engine::{Class, FairQueue, SchedulingSettings, Shed, ShedReason, Ticket};

use super::carry::{Way, here};
use super::door::Door;
use super::held::Held;
use super::tally::Queues;
use super::{Board, Turns};
use crate::interpreter::Context;
use crate::live::Live;
use crate::service::Service;
use crate::time::Zero;

/// So many requests may wait for effects on one thread.
const IN_FLIGHT: usize = 256;

/// The requests for these threads.
pub(crate) struct Low {
    inbox: mpsc::UnboundedSender<Entrant>,
    /// How many wait.
    waiting: AtomicUsize,
    /// How many are queued; with those that have been taken back.
    queued: AtomicUsize,
    /// Since when there has always been somebody who waits.
    busy_since_ns: AtomicU64,
    /// How long the last one waited that had its turn.
    waited_ns: AtomicU64,
    limit: AtomicUsize,
    /// Where these threads wait, and learn that nobody comes any more.
    pub(crate) door: Door,
    /// Sent back at once.
    full: AtomicU64,
    /// The queue, for whoever may not lock it; written under its lock.
    queues: Queues,
    /// Locked by these threads only.
    queue: Mutex<Queue>,
}

struct Queue {
    outbox: mpsc::UnboundedReceiver<Entrant>,
    ready: FairQueue,
    entrants: BTreeMap<Ticket, Entrant>,
}

/// A request that comes to these threads.
pub(super) struct Entrant {
    /// Taken here, or taken back.
    pub(super) held: Arc<Held<(Live, Context)>>,
    pub(super) way: Way,
    /// Whether none of its steps has run.
    pub(super) is_new: bool,
    /// Since when, on the service's clock.
    pub(super) since_ns: u64,
    /// Where it goes when it has ended, or may not wait. Closed when nobody wants it any more.
    pub(super) back: oneshot::Sender<Result<Live, (Live, Shed)>>,
}

impl Low {
    pub(crate) fn new(settings: &SchedulingSettings) -> Self {
        let (inbox, outbox) = mpsc::unbounded_channel();
        let queue = Queue { outbox, ready: FairQueue::new(settings.clone()), entrants: BTreeMap::new() };
        Self {
            inbox,
            waiting: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            busy_since_ns: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            limit: AtomicUsize::new(settings.batch.queue),
            door: Door::new(),
            full: AtomicU64::new(0),
            queues: Queues::default(),
            queue: Mutex::new(queue),
        }
    }

    /// Gives turns in another way from now on. Not for workers: it waits for a lock.
    pub(super) fn retune(&self, settings: &SchedulingSettings) {
        self.limit.store(settings.batch.queue, Ordering::Relaxed);
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).ready.set_settings(settings.clone());
    }

    /// Hands a request over. One that may not wait comes back at once.
    pub(super) fn put(&self, entrant: Entrant) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            self.busy_since_ns.store(entrant.since_ns, Ordering::Relaxed);
        }
        if entrant.is_new && self.queued.load(Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.full.fetch_add(1, Ordering::Relaxed);
            return self.send_back(entrant, Shed { class: Class::Batch, reason: ShedReason::QueueFull });
        }
        self.queued.fetch_add(1, Ordering::Relaxed);
        // The receiver lives as long as this does.
        let _ = self.inbox.send(entrant);
        self.door.ring();
    }

    pub(super) fn full(&self) -> u64 {
        self.full.load(Ordering::Relaxed)
    }

    pub(super) const fn queues(&self) -> &Queues {
        &self.queues
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// For how long somebody has always waited.
    pub(super) fn busy_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.busy_since_ns.load(Ordering::Relaxed))
    }

    /// How long the last one waited that had its turn.
    pub(super) fn waited_ns(&self) -> u64 {
        self.waited_ns.load(Ordering::Relaxed)
    }

    /// One waits no longer; said by whoever has taken it.
    pub(super) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn send_back(&self, entrant: Entrant, refused: Shed) {
        let Some((live, _)) = entrant.held.take() else { return };
        self.taken();
        drop(entrant.back.send(Err((live, refused))));
    }

    /// The next that is to run, and whether there are more.
    fn next(&self, now_ns: u64) -> Option<(Entrant, bool)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Queue { outbox, ready, entrants } = &mut *queue;
        while let Ok(entrant) = outbox.try_recv() {
            let (flow, since_ns) = (entrant.way.flow, entrant.since_ns);
            let ticket = if entrant.is_new {
                ready.admit(Class::Batch, flow, since_ns)
            } else {
                Ok(ready.requeue(Class::Batch, flow, since_ns))
            };
            match ticket {
                Ok(ticket) => drop(entrants.insert(ticket, entrant)),
                Err(refused) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    self.send_back(entrant, refused);
                }
            }
        }
        while let Some(turn) = ready.pop(now_ns) {
            self.queues.publish(ready);
            let Some(entrant) = entrants.remove(&turn.ticket) else { continue };
            self.queued.fetch_sub(1, Ordering::Relaxed);
            match turn.verdict {
                Ok(()) if entrant.held.is_there() => {
                    self.waited_ns.store(turn.waited_ns, Ordering::Relaxed);
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
    fn ran(&self, flow: u16, ran_ns: u64) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.ready.charge(Class::Batch, flow, ran_ns);
    }

    /// What each of these threads does, until no worker is left.
    pub(crate) async fn work(self: Arc<Self>, service: Arc<Service>, zero: Arc<Zero>, board: Arc<Board>) {
        let room = Arc::new(Semaphore::new(IN_FLIGHT));
        let here = Rc::new(Here { service, board });
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let Some(entrant) = self.door.next(|| self.next(zero.elapsed_ns())).await else { return };
            let (low, here) = (Arc::clone(&self), Rc::clone(&here));
            tokio::task::spawn_local(async move {
                let flow = entrant.way.flow;
                let ran_ns = here.carry(&low, entrant).await;
                low.ran(flow, ran_ns);
                drop(permit);
            });
            // It runs until it waits; then the next.
            tokio::task::yield_now().await;
        }
    }
}

struct Here {
    service: Arc<Service>,
    board: Arc<Board>,
}

impl Here {
    /// Takes a request to its end, unless nobody wants it any more. How long its steps ran.
    async fn carry(&self, low: &Low, entrant: Entrant) -> u64 {
        let Entrant { held, way, mut back, .. } = entrant;
        let Some((mut live, context)) = held.take() else { return 0 };
        low.taken();
        let turns: Option<&Turns> = None;
        let mut ran_ns = 0;
        let carried = {
            let mut going = pin!(async {
                live.watch.tick();
                live.carried(&self.board);
                ran_ns = here(&self.service, &self.board, turns, false, &mut live, &context, &way).await.1;
                live
            });
            let mut closed = pin!(back.closed());
            poll_fn(|cx| {
                if let std::task::Poll::Ready(live) = going.as_mut().poll(cx) {
                    return std::task::Poll::Ready(Some(live));
                }
                closed.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        // Dropped, it records that its client has gone.
        if let Some(live) = carried {
            drop(back.send(Ok(live)));
        }
        ran_ns
    }
}

/// Gives this thread what the system leaves over. Where it has no such thing, the thread is as any other.
///
/// # Errors
/// When the system does not allow it.
pub(crate) fn lower_priority() -> Result<(), thread_priority::Error> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        thread_priority::set_current_thread_priority(ThreadPriority::Min)
    }
}
