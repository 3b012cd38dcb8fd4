//! The queue of captures from the workers to the writer.
//!
//! The queue is bounded, and workers never wait for it. The worker that ends a request applies the policy before it makes
//! a capture, so a request that is not kept costs nothing more. Once a capture has been described, it returns to the worker
//! that made it, which frees it when it delivers its next one: freeing memory of another thread is expensive for both.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Receiver;
use zerver_trace::{Capture, CaptureSink, EndedRequest, Kept};

use crate::catch_panic;
use crate::intake::inbox::Inbox;
use crate::intake::rate_budget::RateBudgets;
use crate::intake::recording_policy::{RecordingPolicy, TailPolicy, TailSampler};

/// Number of shards. As many workers can apply the policy at the same time without contention.
const SHARDS: usize = 16;

/// Maximum number of captures that wait for one worker to free them.
const MAX_RETURNED: usize = 256;

/// Total size of the bodies of a capture, in bytes, up to which they do not count towards the limit.
const SMALL_BODIES: usize = 8192;

/// A capture to keep, and the reason.
pub(crate) struct QueuedCapture {
    pub(crate) capture: Box<Capture>,
    pub(crate) kept: Kept,
    /// Bytes that its bodies use of the limit.
    bytes: usize,
    /// Shard of the worker that made it.
    shard: usize,
}

/// The producers' end of the queue.
pub(crate) struct CaptureQueue {
    /// Queue from which the writer takes.
    pub(crate) inbox: Inbox<QueuedCapture>,
    /// True if every capture is kept without a decision.
    keeps_all: AtomicBool,
    /// Total size of the bodies of waiting captures, in bytes.
    bytes: AtomicUsize,
    /// Limit of that size.
    max_bytes: usize,
    shards: Vec<Shard>,
    budgets: Arc<RateBudgets>,
}

/// State of the workers of one shard, on separate cache lines.
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

    /// Changes the policy. Waits for workers, so it must not be called by one.
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

    /// Reserves room for the bodies of a capture, and returns its size. `None` if there is not enough room. A capture
    /// always fits an empty queue.
    fn reserve_bytes(&self, capture: &Capture) -> Option<usize> {
        let response = capture.response.as_ref().map_or(0, |response| response.buffered_bytes());
        let bytes = capture.request.buffered_bytes() + response;
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

    /// Returns a described capture to its worker with the next batch. One with large bodies is freed at once, because
    /// it would occupy memory until then.
    pub(crate) fn recycle(&self, accepted: QueuedCapture, described: &mut Vec<QueuedCapture>) {
        match accepted.bytes {
            0 => described.push(accepted),
            bytes => {
                drop_capture(accepted.capture);
                self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            }
        }
    }

    /// Returns described captures to the workers that made them.
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

    /// Frees all returned captures, for times without traffic.
    pub(crate) fn free_returned(&self) {
        for shard in &self.shards {
            let returned =
                std::mem::take(&mut *shard.returned.lock().unwrap_or_else(PoisonError::into_inner));
            returned.into_iter().for_each(|accepted| drop_capture(accepted.capture));
        }
    }

    /// Takes a capture that was returned to this worker.
    fn take_returned(&self, shard: usize) -> Option<Box<Capture>> {
        self.shards[shard].returned.try_lock().ok()?.pop().map(|accepted| accepted.capture)
    }
}

impl CaptureSink for CaptureQueue {
    fn accept(&self, capture: Box<Capture>) {
        match self.decide(&capture.ended()) {
            Some(kept) => self.accept_kept(capture, kept),
            None => drop_capture(capture),
        }
    }

    fn decide(&self, ended: &EndedRequest<'_>) -> Option<Kept> {
        if self.keeps_all.load(Ordering::Relaxed) {
            return Some(Kept::All);
        }
        let (shards, first) = (&self.shards, own_shard());
        for at in first..first + SHARDS {
            let shard = &shards[at % SHARDS];
            // Another worker holds this shard, and may have been preempted. The next shard will do.
            let Ok(mut sampler) = shard.sampler.try_lock() else { continue };
            let kept = sampler.decide(ended);
            if kept.is_none() {
                shard.not_kept.fetch_add(1, Ordering::Relaxed);
            }
            return kept;
        }
        shards[first % SHARDS].not_kept.fetch_add(1, Ordering::Relaxed);
        None
    }

    fn accept_kept(&self, capture: Box<Capture>, kept: Kept) {
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

/// Shard of the current worker.
fn own_shard() -> usize {
    SHARD.with(|shard| *shard % SHARDS)
}

/// Drops a capture. A panic in the `Drop` of a value must not end the worker.
fn drop_capture(capture: Box<Capture>) {
    let _ = catch_panic::catch(|| drop(capture));
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Body, Event, MessageInfo, ResponseInfo};

    use super::*;
    use crate::sample_traces;

    #[test]
    fn a_described_capture_is_freed_with_the_next_one_or_without_traffic() {
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
        // More than can wait for the worker.
        let many: Vec<_> = (0..2 * MAX_RETURNED as u64).map(made).collect();
        describe();
        assert_eq!(many.iter().filter(|value| value.strong_count() > 0).count(), MAX_RETURNED);
    }

    #[test]
    fn large_bodies_are_limited_in_total_size() {
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
        assert_eq!(describe(), 1, "the large one is freed at once");
        assert!(put(100 * SMALL_BODIES), "one alone");
        assert!(!put(2 * SMALL_BODIES));
        describe();
        // A capture that does not fit the queue releases its room.
        assert!(put(100) && put(100) && !put(4 * SMALL_BODIES) && !put(4 * SMALL_BODIES));
        describe();
        assert!(put(4 * SMALL_BODIES));
        describe();
        assert_eq!(queue.bytes.load(Ordering::Relaxed), 0);
    }
}
