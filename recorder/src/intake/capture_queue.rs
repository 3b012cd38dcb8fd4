//! The way from the workers to the writer: bounded, and never waited for. Whether a capture is kept is decided here, on
//! the worker that made it, so that what is not kept is freed where it was allocated. What was kept goes back there when
//! it has been described, and is freed when the next one comes: memory that another thread frees costs both of them more.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use zerver_trace::{Capture, EventSink, Kept};

use crate::catch_panic;
use crate::intake::inbox::Inbox;
use crate::intake::rate_budget::RateBudgets;
use crate::intake::recording_policy::{RecordingPolicy, TailPolicy, TailSampler};

/// So many workers can judge at the same time without meeting.
const SHARDS: usize = 16;

/// So many captures wait at most for one worker to free them.
const MAX_RETURNED: usize = 256;

/// Of captures whose bodies are shorter together, there are never too many.
const SMALL_BODIES: usize = 8192;

/// A capture that is to be kept, and why.
pub(crate) struct QueuedCapture {
    pub(crate) capture: Box<Capture>,
    pub(crate) kept: Kept,
    /// What its bodies take up of the room there is for them.
    bytes: usize,
    /// Which worker made it.
    shard: usize,
}

/// The workers' end.
pub(crate) struct CaptureQueue {
    /// The writer takes from it.
    pub(crate) inbox: Inbox<QueuedCapture>,
    /// Whether all are kept, unjudged.
    keeps_all: AtomicBool,
    /// How many bytes the bodies of those that wait have, and may have.
    bytes: AtomicUsize,
    max_bytes: usize,
    shards: Vec<Shard>,
    budgets: Arc<RateBudgets>,
}

/// On a cache line of its own.
#[repr(align(128))]
struct Shard {
    sampler: Mutex<TailSampler>,
    not_kept: AtomicU64,
    returned: Mutex<Vec<QueuedCapture>>,
}

thread_local! {
    static SHARD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl CaptureQueue {
    pub(crate) fn new(
        policy: &RecordingPolicy,
        len: usize,
        max_bytes: usize,
    ) -> (Arc<Self>, Receiver<QueuedCapture>) {
        let (inbox, receiver) = Inbox::new(len.max(1));
        let tail = match policy {
            RecordingPolicy::All => TailPolicy::default(),
            RecordingPolicy::Tail(tail) => tail.clone(),
        };
        let budgets = Arc::new(RateBudgets::new(tail.max_per_second));
        let shard = || Shard {
            sampler: Mutex::new(TailSampler::new(tail.clone(), Arc::clone(&budgets))),
            not_kept: AtomicU64::new(0),
            returned: Mutex::default(),
        };
        let shards = std::iter::repeat_with(shard).take(SHARDS).collect();
        let queue = Self {
            inbox,
            keeps_all: AtomicBool::new(*policy == RecordingPolicy::All),
            bytes: AtomicUsize::new(0),
            max_bytes,
            shards,
            budgets,
        };
        (Arc::new(queue), receiver)
    }

    /// Keeps by another policy from now on. Not for workers: it waits for them.
    pub(crate) fn set_policy(&self, policy: &RecordingPolicy) {
        if let RecordingPolicy::Tail(tail) = policy {
            self.budgets.set_max_per_second(tail.max_per_second);
            for shard in &self.shards {
                shard.sampler.lock().unwrap_or_else(PoisonError::into_inner).set_policy(tail.clone());
            }
        }
        self.keeps_all.store(*policy == RecordingPolicy::All, Ordering::Relaxed);
    }

    pub(crate) fn not_kept(&self) -> u64 {
        self.shards.iter().map(|shard| shard.not_kept.load(Ordering::Relaxed)).sum()
    }

    /// Makes room for the bodies of one that is to wait: how much. None if there is no more. One alone always finds room.
    fn reserve_bytes(&self, capture: &Capture) -> Option<usize> {
        let response = capture.response.as_ref().map_or(0, |response| response.held_bytes());
        let bytes = capture.request.held_bytes() + response;
        if bytes <= SMALL_BODIES {
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
    pub(crate) fn recycle(&self, accepted: QueuedCapture, described: &mut Vec<QueuedCapture>) {
        match accepted.bytes {
            0 => described.push(accepted),
            bytes => {
                drop_capture(accepted.capture);
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
    }

    /// Gives described captures back to those who made them.
    pub(crate) fn return_to_workers(&self, described: &mut Vec<QueuedCapture>) {
        let mut described = described.drain(..).peekable();
        while let Some(shard) = described.peek().map(|accepted| accepted.shard) {
            let mut surplus = Vec::new();
            let mut returned = self.shards[shard].returned.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(accepted) = described.next_if(|next| next.shard == shard) {
                if returned.len() < MAX_RETURNED { &mut *returned } else { &mut surplus }.push(accepted);
            }
            drop(returned);
            surplus.into_iter().for_each(|accepted| drop_capture(accepted.capture));
        }
    }

    /// Frees all that were given back, for nobody comes to do it.
    pub(crate) fn free_returned(&self) {
        for shard in &self.shards {
            let returned =
                std::mem::take(&mut *shard.returned.lock().unwrap_or_else(PoisonError::into_inner));
            returned.into_iter().for_each(|accepted| drop_capture(accepted.capture));
        }
    }

    /// One that was given back to this worker.
    fn take_returned(&self, shard: usize) -> Option<Box<Capture>> {
        self.shards[shard].returned.try_lock().ok()?.pop().map(|accepted| accepted.capture)
    }

    fn decide(&self, capture: &Capture) -> Option<Kept> {
        if self.keeps_all.load(Ordering::Relaxed) {
            return Some(Kept::All);
        }
        let (shards, first) = (&self.shards, own_shard());
        for at in first..first + SHARDS {
            let shard = &shards[at % SHARDS];
            // Taken by another worker, which may have been put aside by the kernel: the next one does as well.
            let Ok(mut sampler) = shard.sampler.try_lock() else { continue };
            let kept = sampler.decide(capture);
            if kept.is_none() {
                shard.not_kept.fetch_add(1, Ordering::Relaxed);
            }
            return kept;
        }
        shards[first % SHARDS].not_kept.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl EventSink for CaptureQueue {
    fn accept(&self, capture: Box<Capture>) {
        if let Some((capture, kept)) = self.judge(capture) {
            self.keep(capture, kept);
        }
    }

    fn judge(&self, capture: Box<Capture>) -> Option<(Box<Capture>, Kept)> {
        match self.decide(&capture) {
            Some(kept) => Some((capture, kept)),
            None => {
                drop_capture(capture);
                None
            }
        }
    }

    fn keep(&self, capture: Box<Capture>, kept: Kept) {
        let shard = own_shard();
        match self.reserve_bytes(&capture) {
            Some(bytes) => {
                if let Err(back) = self.inbox.push(QueuedCapture { capture, kept, bytes, shard }) {
                    self.bytes.fetch_sub(back.bytes, Ordering::Relaxed);
                    drop_capture(back.capture);
                }
            }
            None => {
                self.inbox.count_drop();
                drop_capture(capture);
            }
        }
        if let Some(returned) = self.take_returned(shard) {
            drop_capture(returned);
        }
    }
}

/// The shard of this worker.
fn own_shard() -> usize {
    SHARD.with(|shard| *shard % SHARDS)
}

/// A value whose `Drop` panics must not take the worker with it.
fn drop_capture(capture: Box<Capture>) {
    let _ = catch_panic::catch(|| drop(capture));
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Body, Event, MessageInfo, ResponseInfo};

    use super::*;
    use crate::sample_traces;

    #[test]
    fn what_was_described_is_freed_when_the_next_one_comes_or_nobody_comes() {
        let (queue, receiver) = CaptureQueue::new(&RecordingPolicy::All, 2 * MAX_RETURNED, 0);
        let made = |n: u64| {
            let value = sample_traces::datum(n);
            let weak = Arc::downgrade(&value);
            let mut capture = sample_traces::capture(n);
            capture.events.push(Event::SlotWritten { step: 0, slot: 1, at_ns: 0, value });
            queue.accept(Box::new(capture));
            weak
        };
        let describe = || queue.return_to_workers(&mut receiver.try_iter().collect());
        let first = made(1);
        describe();
        assert_eq!(first.strong_count(), 1);
        let second = made(2);
        assert_eq!((first.strong_count(), second.strong_count()), (0, 1));
        describe();
        queue.free_returned();
        assert_eq!(second.strong_count(), 0);
        // More than wait for anybody.
        let many: Vec<_> = (0..2 * MAX_RETURNED as u64).map(made).collect();
        describe();
        assert_eq!(many.iter().filter(|value| value.strong_count() > 0).count(), MAX_RETURNED);
    }

    #[test]
    fn long_bodies_have_so_much_room_and_no_more() {
        let (queue, receiver) = CaptureQueue::new(&RecordingPolicy::All, 2, 5 * SMALL_BODIES);
        let put = |len: usize| {
            let mut capture = sample_traces::capture(1);
            let body = Body { bytes: vec![0; len], full_len: len as u64 };
            let info = ResponseInfo { status: 200, headers: Vec::new(), body };
            capture.response = Some(Arc::new(sample_traces::FixedMessage(MessageInfo::Response(info))));
            let before = queue.inbox.dropped();
            queue.accept(Box::new(capture));
            queue.inbox.dropped() == before
        };
        let describe = || {
            let mut described = Vec::new();
            receiver.try_iter().for_each(|accepted| queue.recycle(accepted, &mut described));
            described.len()
        };
        assert!(put(3 * SMALL_BODIES) && !put(3 * SMALL_BODIES) && put(100) && !put(100));
        assert_eq!(describe(), 1, "the long one is freed at once");
        assert!(put(100 * SMALL_BODIES), "one alone");
        assert!(!put(2 * SMALL_BODIES));
        describe();
        // What the queue has no place for takes no room either.
        assert!(put(100) && put(100) && !put(4 * SMALL_BODIES) && !put(4 * SMALL_BODIES));
        describe();
        assert!(put(4 * SMALL_BODIES));
        describe();
        assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
    }
}
