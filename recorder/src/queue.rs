//! The way from the workers to the writer: bounded, and never waited for. Whether a capture is kept is decided here, on
//! the worker that made it, so that what is not kept is freed where it was allocated. What was kept goes back there when
//! it has been described, and is freed when the next one comes: memory that another thread frees costs both of them more.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use zerver_trace::{Capture, CaptureSink, Kept};

use crate::budget::Rates;
use crate::inbox::Inbox;
use crate::policy::{Judge, Policy, Tail};
use crate::quiet;

/// So many workers can judge at the same time without meeting.
const SHARDS: usize = 16;

/// So many captures wait at most for one worker to free them.
const SPENT: usize = 256;

/// Of captures whose bodies are shorter together, there are never too many.
const SHORT: usize = 8192;

/// A capture that is to be kept, and why.
pub(crate) struct Accepted {
    pub(crate) capture: Box<Capture>,
    pub(crate) kept: Kept,
    /// What its bodies take up of the room there is for them.
    bytes: usize,
    /// Which worker made it.
    shard: usize,
}

/// The workers' end.
pub(crate) struct Queue {
    /// The writer takes from it.
    pub(crate) inbox: Inbox<Accepted>,
    /// Whether all are kept, unjudged.
    keeps_all: AtomicBool,
    /// How many bytes the bodies of those that wait have, and may have.
    bytes: AtomicUsize,
    max_bytes: usize,
    shards: Vec<Shard>,
    rates: Arc<Rates>,
}

/// On a cache line of its own.
#[repr(align(128))]
struct Shard {
    judge: Mutex<Judge>,
    not_kept: AtomicU64,
    spent: Mutex<Vec<Accepted>>,
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl Queue {
    pub(crate) fn new(policy: &Policy, len: usize, max_bytes: usize) -> (Arc<Self>, Receiver<Accepted>) {
        let (inbox, receiver) = Inbox::new(len.max(1));
        let tail = match policy {
            Policy::All => Tail::default(),
            Policy::Tail(tail) => tail.clone(),
        };
        let rates = Arc::new(Rates::new(tail.max_per_second));
        let shard = || Shard {
            judge: Mutex::new(Judge::new(tail.clone(), Arc::clone(&rates))),
            not_kept: AtomicU64::new(0),
            spent: Mutex::default(),
        };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        let queue = Self {
            inbox,
            keeps_all: AtomicBool::new(*policy == Policy::All),
            bytes: AtomicUsize::new(0),
            max_bytes,
            shards,
            rates,
        };
        (Arc::new(queue), receiver)
    }

    /// Keeps by another policy from now on. Not for workers: it waits for them.
    pub(crate) fn set_policy(&self, policy: &Policy) {
        if let Policy::Tail(tail) = policy {
            self.rates.set(tail.max_per_second);
            for shard in &self.shards {
                shard.judge.lock().unwrap_or_else(PoisonError::into_inner).set(tail.clone());
            }
        }
        self.keeps_all.store(*policy == Policy::All, Ordering::Relaxed);
    }

    pub(crate) fn not_kept(&self) -> u64 {
        self.shards.iter().map(|shard| shard.not_kept.load(Ordering::Relaxed)).sum()
    }

    /// Makes room for the bodies of one that is to wait: how much. None if there is no more. One alone always finds room.
    fn make_room(&self, capture: &Capture) -> Option<usize> {
        let response = capture.response.as_ref().map_or(0, |response| response.held_bytes());
        let bytes = capture.request.held_bytes() + response;
        if bytes <= SHORT {
            return Some(0);
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(bytes) <= self.max_bytes;
        if !fits {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits.then_some(bytes)
    }

    /// One has been described. With long bodies it is not given back, for they would wait on.
    pub(crate) fn described(&self, accepted: Accepted, described: &mut Vec<Accepted>) {
        match accepted.bytes {
            0 => described.push(accepted),
            bytes => {
                forget(accepted.capture);
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
    }

    /// Gives described captures back to those who made them.
    pub(crate) fn give_back(&self, described: &mut Vec<Accepted>) {
        let mut described = described.drain(..).peekable();
        while let Some(shard) = described.peek().map(|accepted| accepted.shard) {
            let mut too_many = Vec::new();
            let mut spent = self.shards[shard].spent.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(accepted) = described.next_if(|next| next.shard == shard) {
                if spent.len() < SPENT { &mut *spent } else { &mut too_many }.push(accepted);
            }
            drop(spent);
            too_many.into_iter().for_each(|accepted| forget(accepted.capture));
        }
    }

    /// Frees all that were given back, for nobody comes to do it.
    pub(crate) fn clear(&self) {
        for shard in &self.shards {
            let spent = std::mem::take(&mut *shard.spent.lock().unwrap_or_else(PoisonError::into_inner));
            spent.into_iter().for_each(|accepted| forget(accepted.capture));
        }
    }

    /// One that was given back to this worker.
    fn spent(&self, shard: usize) -> Option<Box<Capture>> {
        self.shards[shard].spent.try_lock().ok()?.pop().map(|accepted| accepted.capture)
    }

    fn verdict(&self, capture: &Capture) -> Option<Kept> {
        if self.keeps_all.load(Ordering::Relaxed) {
            return Some(Kept::All);
        }
        let (shards, first) = (&self.shards, own_shard());
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
}

impl CaptureSink for Queue {
    fn accept(&self, capture: Box<Capture>) {
        if let Some((capture, kept)) = self.judge(capture) {
            self.keep(capture, kept);
        }
    }

    fn judge(&self, capture: Box<Capture>) -> Option<(Box<Capture>, Kept)> {
        match self.verdict(&capture) {
            Some(kept) => Some((capture, kept)),
            None => {
                forget(capture);
                None
            }
        }
    }

    fn keep(&self, capture: Box<Capture>, kept: Kept) {
        let shard = own_shard();
        match self.make_room(&capture) {
            Some(bytes) => {
                if let Err(back) = self.inbox.put(Accepted { capture, kept, bytes, shard }) {
                    self.bytes.fetch_sub(back.bytes, Ordering::Relaxed);
                    forget(back.capture);
                }
            }
            None => {
                self.inbox.overflow();
                forget(capture);
            }
        }
        if let Some(spent) = self.spent(shard) {
            forget(spent);
        }
    }
}

/// The shard of this worker.
fn own_shard() -> usize {
    SHARD.with(|shard| *shard % SHARDS)
}

/// A value whose `Drop` panics must not take the worker with it.
fn forget(capture: Box<Capture>) {
    let _ = quiet::run(|| drop(capture));
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Body, Event, MessageInfo, ResponseInfo};

    use super::*;
    use crate::sample;

    #[test]
    fn what_was_described_is_freed_when_the_next_one_comes_or_nobody_comes() {
        let (queue, receiver) = Queue::new(&Policy::All, 2 * SPENT, 0);
        let made = |n: u64| {
            let value = sample::datum(n);
            let weak = Arc::downgrade(&value);
            let mut capture = sample::capture(n);
            capture.events.push(Event::SlotWritten { step: 0, slot: 1, at_ns: 0, value });
            queue.accept(Box::new(capture));
            weak
        };
        let describe = || queue.give_back(&mut receiver.try_iter().collect());
        let first = made(1);
        describe();
        assert_eq!(first.strong_count(), 1);
        let second = made(2);
        assert_eq!((first.strong_count(), second.strong_count()), (0, 1));
        describe();
        queue.clear();
        assert_eq!(second.strong_count(), 0);
        // More than wait for anybody.
        let many: Vec<_> = (0..2 * SPENT as u64).map(made).collect();
        describe();
        assert_eq!(many.iter().filter(|value| value.strong_count() > 0).count(), SPENT);
    }

    #[test]
    fn long_bodies_have_so_much_room_and_no_more() {
        let (queue, receiver) = Queue::new(&Policy::All, 2, 5 * SHORT);
        let put = |len: usize| {
            let mut capture = sample::capture(1);
            let body = Body { bytes: vec![0; len], full_len: len as u64 };
            let info = ResponseInfo { status: 200, headers: Vec::new(), body };
            capture.response = Some(Arc::new(sample::Told(MessageInfo::Response(info))));
            let before = queue.inbox.overflowed();
            queue.accept(Box::new(capture));
            queue.inbox.overflowed() == before
        };
        let describe = || {
            let mut described = Vec::new();
            receiver.try_iter().for_each(|accepted| queue.described(accepted, &mut described));
            described.len()
        };
        assert!(put(3 * SHORT) && !put(3 * SHORT) && put(100) && !put(100));
        assert_eq!(describe(), 1, "the long one is freed at once");
        assert!(put(100 * SHORT), "one alone");
        assert!(!put(2 * SHORT));
        describe();
        // What the queue has no place for takes no room either.
        assert!(put(100) && put(100) && !put(4 * SHORT) && !put(4 * SHORT));
        describe();
        assert!(put(4 * SHORT));
        describe();
        assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
    }
}
