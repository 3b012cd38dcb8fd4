//! The way from the workers to the writer: bounded, and never waited for. Whether a capture is kept is decided here, on
//! the worker that made it, so that what is not kept is freed where it was allocated.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;

use crossbeam_channel::{Receiver, Sender};
use zerver_trace::{Capture, Datum, Event, EventSink, Kept, drop_events};

use crate::policy::{Judge, Policy, Rate};
use crate::quiet;

/// So many workers can judge at the same time without meeting.
const SHARDS: usize = 16;

/// A capture that is to be kept, and why.
pub(crate) type Accepted = (Box<Capture>, Kept);

type Emptied = Vec<Event<Datum>>;
/// So many may be on their way back.
const EMPTIED: usize = 512;

/// The workers' end.
pub(crate) struct Queue {
    sender: Sender<Accepted>,
    /// Whether the writer sleeps until it is woken; while it naps, it is left alone, for waking it costs more than all
    /// else here.
    asleep: AtomicBool,
    writer: OnceLock<Thread>,
    shards: Option<Vec<Shard>>,
    /// Emptied lists of events on their way back to the workers: they are large, and costly to free far from where they
    /// were made.
    emptied: (Sender<Emptied>, Receiver<Emptied>),
    overflowed: AtomicU64,
}

/// On a cache line of its own.
#[repr(align(128))]
struct Shard {
    judge: Mutex<Judge>,
    not_kept: AtomicU64,
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Queue {
    pub(crate) fn new(policy: &Policy, len: usize) -> (Arc<Self>, Receiver<Accepted>) {
        let (sender, receiver) = crossbeam_channel::bounded(len.max(1));
        let shards = match policy {
            Policy::All => None,
            Policy::Tail(tail) => {
                let rate = Arc::new(Rate::new(tail.max_per_second));
                let shard = || Shard {
                    judge: Mutex::new(Judge::new(tail.clone(), Arc::clone(&rate))),
                    not_kept: AtomicU64::new(0),
                };
                Some(std::iter::repeat_with(shard).take(SHARDS).collect())
            }
        };
        let queue = Self {
            sender,
            asleep: AtomicBool::new(false),
            writer: OnceLock::new(),
            shards,
            emptied: crossbeam_channel::bounded(EMPTIED),
            overflowed: AtomicU64::new(0),
        };
        (Arc::new(queue), receiver)
    }

    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    pub(crate) fn not_kept(&self) -> u64 {
        self.shards.iter().flatten().map(|shard| shard.not_kept.load(Ordering::Relaxed)).sum()
    }

    /// Gives a list back, without events in it.
    pub(crate) fn give_back(&self, events: Emptied) {
        if events.is_empty() {
            let _ = self.emptied.0.try_send(events);
        }
    }

    fn judge(&self, capture: &Capture) -> Option<Kept> {
        let Some(shards) = &self.shards else { return Some(Kept::All) };
        let first = SHARD.with(|shard| *shard);
        for at in first..first + SHARDS {
            let shard = &shards[at % SHARDS];
            // Taken by another worker, which may have been put aside by the kernel: the next one does as well.
            let Ok(mut judge) = shard.judge.try_lock() else { continue };
            let kept = judge.keep(capture);
            if kept.is_none() {
                shard.not_kept.fetch_add(1, Ordering::Relaxed);
            }
            return kept;
        }
        shards[first % SHARDS].not_kept.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Says which thread is the writer; called by itself.
    pub(crate) fn attach(&self) {
        let _ = self.writer.set(std::thread::current());
    }

    /// Says that the writer is about to sleep. If that is not so any more, there is something in the queue.
    pub(crate) fn going_to_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    pub(crate) fn awake(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    pub(crate) fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }
}

impl EventSink for Queue {
    fn accept(&self, capture: Box<Capture>) {
        let Some(kept) = self.judge(&capture) else { return forget(capture) };
        if let Err(back) = self.sender.try_send((capture, kept)) {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return forget(back.into_inner().0);
        }
        if let Ok(events) = self.emptied.1.try_recv() {
            drop_events(events);
        }
        // Against the fence in `going_to_sleep`: either the writer sees the capture, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }
}

/// A value whose `Drop` panics must not take the worker with it.
fn forget(mut capture: Box<Capture>) {
    let _ = quiet::run(|| {
        drop_events(std::mem::take(&mut capture.events));
        drop(capture);
    });
}
