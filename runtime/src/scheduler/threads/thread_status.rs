//! The state of one thread, for other threads to read. The thread itself writes it, with three exceptions: the
//! watchdog sets `is_stuck` and suspends `pass`, and the acceptor counts connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use zerver_engine::Flow;
use zerver_trace::{Capture, Thread};

use super::active_table::ActiveTable;
use super::long_steps::LongSteps;
use crate::scheduler::metrics::counters::ThreadCounters;
use crate::scheduler::sync::current_step::CurrentStep;
use crate::scheduler::sync::producer_latch::ProducerPass;

/// The state of one thread.
#[derive(Debug, Default)]
pub(crate) struct ThreadStatus {
    /// `None` for a thread that runs no requests.
    thread: Option<Thread>,
    pub(crate) counters: ThreadCounters,
    pub(crate) current_step: CurrentStep,
    pub(crate) long_steps: LongSteps,
    /// The requests that run here.
    pub(crate) active_table: ActiveTable,
    /// True if the current step has run for too long. The watchdog sets this, and clears it only after the step has
    /// returned.
    is_stuck: AtomicBool,
    /// Open connections, including those that were assigned to the worker and are not open yet.
    connections: AtomicUsize,
    /// True if the service stops and the thread has nothing left to do.
    is_done: AtomicBool,
    /// True if the thread has ended.
    has_ended: AtomicBool,
    /// Right of the thread to submit requests to the batch pool.
    pub(crate) pass: ProducerPass,
}

impl ThreadStatus {
    pub(crate) fn new(thread: Thread, flows: &[Arc<Flow>]) -> Self {
        Self { thread: Some(thread), counters: ThreadCounters::new(flows), ..Self::default() }
    }

    pub(crate) const fn thread(&self) -> Option<Thread> {
        self.thread
    }

    /// Returns the number of the worker, or `None` if the thread is not a worker.
    pub(crate) const fn worker(&self) -> Option<u16> {
        match self.thread {
            Some(Thread::Worker(number)) => Some(number),
            Some(Thread::BatchWorker(_)) | None => None,
        }
    }

    /// Records that the thread goes to sleep.
    pub(crate) fn parked(&self, now_ns: u64) {
        self.counters.parked(now_ns);
    }

    /// Records that the thread has woken up.
    pub(crate) fn unparked(&self, now_ns: u64) {
        self.counters.unparked(now_ns);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts input that was rejected because it is not a valid request.
    pub(crate) fn count_malformed(&self) {
        self.counters.malformed.add(1);
    }

    pub(crate) fn add_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn remove_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    pub(crate) fn set_stuck(&self, is_stuck: bool) {
        self.is_stuck.store(is_stuck, Ordering::Release);
    }

    /// Records that the thread has nothing left to do.
    pub(crate) fn set_done(&self) {
        self.is_done.store(true, Ordering::Release);
    }

    /// Returns true if other threads must wait for this one before they end: it may still have work, and is not stuck.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.is_done.load(Ordering::Acquire) && !self.has_ended() && !self.is_stuck()
    }

    /// Returns true if the thread is stuck in a step of a request whose connection belongs to `worker`.
    pub(crate) fn is_stuck_for(&self, worker: Option<u16>) -> bool {
        let running = self.current_step.running().filter(|_| self.is_stuck());
        running.is_some_and(|running| worker.is_some() && self.active_table.worker_of(running.id) == worker)
    }

    pub(crate) fn set_ended(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Takes the request whose step is stuck here, and returns its capture. The request is not waited for any more.
    pub(crate) fn lost_capture(&self, now_ns: u64) -> Option<Capture> {
        let running = self.current_step.running()?;
        Some(self.active_table.take(running.id)?.lost_in(running.step, now_ns))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }
}
