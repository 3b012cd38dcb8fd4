//! State that the recorder shares with the writer's thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use zerver_trace::{FlowDeclaration, FlowInfo};

use crate::catch_panic;
use crate::intake::capture_queue::CaptureQueue;
use crate::spool::SpoolEnd;
use crate::write::status_event::StatusEvent;

/// Maximum number of events that are kept for a later observer.
const MAX_UNREPORTED: usize = 16;

/// Callback for status events.
pub(crate) type Observer = Box<dyn Fn(&StatusEvent) + Send + Sync>;

/// Status of a recorder. The counts begin when the recorder was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecorderStatus {
    /// Requests that wait to be described and written.
    pub waiting: u64,
    /// Traces that were committed.
    pub recorded: u64,
    /// Requests that the policy did not keep.
    pub not_kept: u64,
    /// Requests that were dropped because the queue was full.
    pub dropped: u64,
    /// Requests that could not be described, or were not written because recording was paused at the end.
    pub lost: u64,
    /// Number of commits.
    pub commits: u64,
    /// Disk space of the store as of the last commit, in bytes.
    pub bytes_on_disk: u64,
    /// Number of times that the store was removed or replaced while it was being written to.
    pub replaced: u64,
    /// Reason why recording is paused. A retry follows every second.
    pub paused: Option<String>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) recorded: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) bytes_on_disk: AtomicU64,
    pub(crate) replaced: AtomicU64,
}

/// Declarations of the flows of a build. Parts that it has not declared yet are `None`.
#[derive(Debug, Default)]
pub(crate) struct Declared {
    pub(crate) flows: Option<Vec<Arc<FlowInfo>>>,
    /// By the names of the flows.
    pub(crate) declarations: Option<Vec<(String, FlowDeclaration)>>,
}

impl Declared {
    /// Takes over what is newer.
    pub(crate) fn update(&mut self, newer: Self) {
        self.flows = newer.flows.or(self.flows.take());
        self.declarations = newer.declarations.or(self.declarations.take());
    }
}

pub(crate) struct RecorderState {
    pub(crate) queue: Arc<CaptureQueue>,
    pub(crate) counts: Counts,
    observer: OnceLock<Observer>,
    /// Events from before there was an observer.
    unreported: Mutex<Vec<StatusEvent>>,
    is_paused: AtomicBool,
    paused: Mutex<Option<String>>,
    declared: Mutex<Declared>,
    has_declared: AtomicBool,
    is_closing: AtomicBool,
    flush_wanted: AtomicU64,
    is_block_end_wanted: AtomicBool,
    spool_end: Mutex<SpoolEnd>,
    flushed: Mutex<u64>,
    flush_done: Condvar,
}

impl std::fmt::Debug for RecorderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecorderState").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// Locks a mutex. A panic leaves no state here incomplete, so poisoning is ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl RecorderState {
    pub(crate) fn new(queue: Arc<CaptureQueue>) -> Self {
        Self {
            queue,
            counts: Counts::default(),
            observer: OnceLock::new(),
            unreported: Mutex::default(),
            is_paused: AtomicBool::new(false),
            paused: Mutex::new(None),
            declared: Mutex::default(),
            has_declared: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
            flush_wanted: AtomicU64::new(0),
            is_block_end_wanted: AtomicBool::new(false),
            spool_end: Mutex::default(),
            flushed: Mutex::new(0),
            flush_done: Condvar::new(),
        }
    }

    pub(crate) fn status(&self) -> RecorderStatus {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        RecorderStatus {
            waiting: self.queue.inbox.waiting(),
            recorded: count(&self.counts.recorded),
            not_kept: self.queue.not_kept(),
            dropped: self.queue.inbox.dropped(),
            lost: count(&self.counts.lost),
            commits: count(&self.counts.commits),
            bytes_on_disk: count(&self.counts.bytes_on_disk),
            replaced: count(&self.counts.replaced),
            paused: if self.is_paused.load(Ordering::Acquire) { lock(&self.paused).clone() } else { None },
        }
    }

    pub(crate) fn set_paused(&self, why: Option<String>) {
        let is_paused = why.is_some();
        *lock(&self.paused) = why;
        self.is_paused.store(is_paused, Ordering::Release);
    }

    /// Handles the end of the writer's thread by a panic. No flush may wait for it.
    pub(crate) fn failed(&self, panic: &str) {
        let why = format!("the writer stopped, which is a bug in zerver: {panic}");
        self.set_paused(Some(why.clone()));
        self.report(&StatusEvent::Stopped { reason: why });
        self.flushed(u64::MAX);
    }

    /// Sets the observer, and reports earlier events to it. Only the first observer is used.
    pub(crate) fn observe(&self, observer: Observer) {
        let unreported = {
            let mut unreported = lock(&self.unreported);
            let _ = self.observer.set(observer);
            std::mem::take(&mut *unreported)
        };
        unreported.iter().for_each(|change| self.report(change));
    }

    pub(crate) fn report(&self, change: &StatusEvent) {
        let Some(observer) = self.observer.get() else {
            let mut unreported = lock(&self.unreported);
            match self.observer.get() {
                // The observer was set meanwhile.
                Some(_) => drop(unreported),
                None if unreported.len() < MAX_UNREPORTED => return unreported.push(change.clone()),
                None => return,
            }
            return self.report(change);
        };
        // A panic of the observer must not end the writer.
        let _ = catch_panic::catch(|| observer(change));
    }

    pub(crate) fn declare(&self, flows: Vec<Arc<FlowInfo>>) {
        lock(&self.declared).flows = Some(flows);
        self.has_declared.store(true, Ordering::Release);
        self.queue.inbox.wake();
    }

    pub(crate) fn describe(&self, declarations: Vec<(String, FlowDeclaration)>) {
        lock(&self.declared).declarations = Some(declarations);
        self.has_declared.store(true, Ordering::Release);
        self.queue.inbox.wake();
    }

    pub(crate) fn take_declared(&self) -> Option<Declared> {
        if !self.has_declared.swap(false, Ordering::Acquire) {
            return None;
        }
        Some(std::mem::take(&mut *lock(&self.declared)))
    }

    /// Has the next flush close the block that is being filled.
    pub(crate) fn want_block_end(&self) {
        self.is_block_end_wanted.store(true, Ordering::Release);
    }

    pub(crate) fn take_block_end(&self) -> bool {
        self.is_block_end_wanted.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn set_spool_end(&self, end: SpoolEnd) {
        *lock(&self.spool_end) = end;
    }

    pub(crate) fn spool_end(&self) -> SpoolEnd {
        *lock(&self.spool_end)
    }

    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        self.queue.inbox.wake();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    pub(crate) fn flush(&self) {
        let wanted = self.flush_wanted.fetch_add(1, Ordering::AcqRel) + 1;
        self.queue.inbox.wake();
        let mut flushed = lock(&self.flushed);
        while *flushed < wanted {
            flushed = self.flush_done.wait(flushed).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn flush_wanted(&self) -> u64 {
        self.flush_wanted.load(Ordering::Acquire)
    }

    pub(crate) fn is_flush_due(&self, wanted: u64) -> bool {
        wanted > 0 && *lock(&self.flushed) < wanted
    }

    pub(crate) fn flushed(&self, up_to: u64) {
        *lock(&self.flushed) = up_to;
        self.flush_done.notify_all();
    }
}
