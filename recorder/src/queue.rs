//! The way from the workers to the writer: bounded, and never waited for. Whether a capture is kept is decided here, on
//! the worker that made it, so that what is not kept is freed where it was allocated.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::Thread;

use crossbeam_channel::{Receiver, Sender};
use zerver_trace::{Capture, EventSink, Kept};

use crate::policy::{Judge, Policy, Rate, Tail};
use crate::quiet;

/// So many workers can judge at the same time without meeting.
const SHARDS: usize = 16;

/// A capture that is to be kept, and why.
pub(crate) type Accepted = (Box<Capture>, Kept);

/// The workers' end.
pub(crate) struct Queue {
    sender: Sender<Accepted>,
    /// Whether the writer sleeps until it is woken; while it naps, it is left alone, for waking it costs more than all
    /// else here.
    asleep: AtomicBool,
    writer: OnceLock<Thread>,
    /// Whether all are kept, unjudged.
    keeps_all: AtomicBool,
    shards: Vec<Shard>,
    rate: Arc<Rate>,
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
        let tail = match policy {
            Policy::All => Tail::default(),
            Policy::Tail(tail) => tail.clone(),
        };
        let rate = Arc::new(Rate::new(tail.max_per_second));
        let shard = || Shard {
            judge: Mutex::new(Judge::new(tail.clone(), Arc::clone(&rate))),
            not_kept: AtomicU64::new(0),
        };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        let queue = Self {
            sender,
            asleep: AtomicBool::new(false),
            writer: OnceLock::new(),
            keeps_all: AtomicBool::new(*policy == Policy::All),
            shards,
            rate,
            overflowed: AtomicU64::new(0),
        };
        (Arc::new(queue), receiver)
    }

    /// Keeps by another policy from now on. Not for workers: it waits for them.
    pub(crate) fn set_policy(&self, policy: &Policy) {
        if let Policy::Tail(tail) = policy {
            self.rate.set(tail.max_per_second);
            for shard in &self.shards {
                shard.judge.lock().unwrap_or_else(PoisonError::into_inner).set(tail.clone());
            }
        }
        self.keeps_all.store(*policy == Policy::All, Ordering::Relaxed);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.sender.len() as u64
    }

    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    pub(crate) fn not_kept(&self) -> u64 {
        self.shards.iter().map(|shard| shard.not_kept.load(Ordering::Relaxed)).sum()
    }

    fn judge(&self, capture: &Capture) -> Option<Kept> {
        if self.keeps_all.load(Ordering::Relaxed) {
            return Some(Kept::All);
        }
        let shards = &self.shards;
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
        // Against the fence in `going_to_sleep`: either the writer sees the capture, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }
}

/// A value whose `Drop` panics must not take the worker with it.
fn forget(capture: Box<Capture>) {
    let _ = quiet::run(|| drop(capture));
}
