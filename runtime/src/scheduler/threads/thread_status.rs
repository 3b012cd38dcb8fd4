//! What a worker does at this moment, for other threads to see. Written by the worker; what it is marked with by the
//! watchdog, and connections by whoever deals them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use zerver_engine::Flow;
use zerver_trace::{Capture, Thread};

use super::active_table::ActiveTable;
use super::long_steps::LongSteps;
use crate::scheduler::metrics::counters::ThreadCounters;
use crate::scheduler::sync::current_step::CurrentStep;
use crate::scheduler::sync::producer_latch::ProducerPass;

#[derive(Debug, Default)]
pub(crate) struct ThreadStatus {
    /// Which thread it is of; none of one that runs no requests.
    thread: Option<Thread>,
    pub(crate) counters: ThreadCounters,
    pub(crate) current_step: CurrentStep,
    pub(crate) long_steps: LongSteps,
    /// The requests that run here.
    pub(crate) active_table: ActiveTable,
    /// Whether its step has run for too long. Set by the watchdog, and never taken back while that step runs.
    stuck: AtomicBool,
    /// Open connections, with those that have been dealt to it and not been taken up yet.
    connections: AtomicUsize,
    /// Whether its thread has nothing left to do, for the service stops.
    done: AtomicBool,
    /// Whether its thread has ended.
    ended: AtomicBool,
    /// Whether it may hand requests over to threads of low priority.
    pub(crate) pass: ProducerPass,
}

impl ThreadStatus {
    pub(crate) fn new(thread: Thread, flows: &[Arc<Flow>]) -> Self {
        Self { thread: Some(thread), counters: ThreadCounters::new(flows), ..Self::default() }
    }

    pub(crate) const fn thread(&self) -> Option<Thread> {
        self.thread
    }

    /// Its number, if it is a worker.
    pub(crate) const fn worker(&self) -> Option<u16> {
        match self.thread {
            Some(Thread::Worker(number)) => Some(number),
            Some(Thread::BatchWorker(_)) | None => None,
        }
    }

    /// Its thread goes to sleep.
    pub(crate) fn parked(&self, now_ns: u64) {
        self.counters.parked(now_ns);
    }

    /// Its thread has woken up.
    pub(crate) fn unparked(&self, now_ns: u64) {
        self.counters.unparked(now_ns);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Something arrived that is no request.
    pub(crate) fn count_malformed(&self) {
        self.counters.malformed.add(1);
    }

    /// It gets one more.
    pub(crate) fn add_connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// It has one less.
    pub(crate) fn remove_connection(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    pub(crate) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Release);
    }

    /// Its thread has nothing left to do.
    pub(crate) fn set_done(&self) {
        self.done.store(true, Ordering::Release);
    }

    /// Whether its thread may still do something, and does not hang.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.done.load(Ordering::Acquire) && !self.has_ended() && !self.is_stuck()
    }

    /// Whether it hangs in a step of a request that came to this worker.
    pub(crate) fn is_stuck_for(&self, worker: Option<u16>) -> bool {
        let running = self.current_step.running().filter(|_| self.is_stuck());
        running.is_some_and(|running| worker.is_some() && self.active_table.worker_of(running.id) == worker)
    }

    pub(crate) fn set_ended(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// What is left of the request whose step hangs here, for whoever waits for it no longer.
    pub(crate) fn lost_capture(&self, now_ns: u64) -> Option<Capture> {
        let running = self.current_step.running()?;
        Some(self.active_table.take(running.id)?.lost_in(running.step, now_ns))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
