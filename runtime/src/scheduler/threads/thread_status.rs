//! What a worker does at this moment, for other threads to see. Written by the worker; what it is marked with by the
//! watchdog, and connections by whoever deals them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use zerver_engine::Flow;
use zerver_trace::{Capture, Thread};

use super::active_table::Roll;
use super::long_steps::LongRuns;
use crate::scheduler::metrics::counters::Tally;
use crate::scheduler::sync::current_step::Current;
use crate::scheduler::sync::producer_latch::Pass;

#[derive(Debug, Default)]
pub(crate) struct Board {
    /// Which thread it is of; none of one that runs no requests.
    thread: Option<Thread>,
    pub(crate) tally: Tally,
    pub(crate) current: Current,
    pub(crate) long_runs: LongRuns,
    /// The requests that run here.
    pub(crate) roll: Roll,
    /// Whether its step has run for too long. Set by the watchdog, and never taken back while that step runs.
    stuck: AtomicBool,
    /// Open connections, with those that have been dealt to it and not been taken up yet.
    connections: AtomicUsize,
    /// Whether its thread has nothing left to do, for the service stops.
    done: AtomicBool,
    /// Whether its thread has ended.
    ended: AtomicBool,
    /// Whether it may hand requests over to threads of low priority.
    pub(crate) pass: Pass,
}

impl Board {
    pub(crate) fn new(thread: Thread, flows: &[Arc<Flow>]) -> Self {
        Self { thread: Some(thread), tally: Tally::new(flows), ..Self::default() }
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
    pub(crate) fn sleeps(&self, now_ns: u64) {
        self.tally.sleeps(now_ns);
    }

    /// Its thread has woken up.
    pub(crate) fn wakes(&self, now_ns: u64) {
        self.tally.wakes(now_ns);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Something arrived that is no request.
    pub(crate) fn malformed(&self) {
        self.tally.malformed.add(1);
    }

    /// It gets one more.
    pub(crate) fn connects(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// It has one less.
    pub(crate) fn disconnects(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Acquire)
    }

    pub(crate) fn mark(&self, stuck: bool) {
        self.stuck.store(stuck, Ordering::Release);
    }

    /// Its thread has nothing left to do.
    pub(crate) fn done(&self) {
        self.done.store(true, Ordering::Release);
    }

    /// Whether its thread may still do something, and does not hang.
    pub(crate) fn is_waited_for(&self) -> bool {
        !self.done.load(Ordering::Acquire) && !self.has_ended() && !self.is_stuck()
    }

    /// Whether it hangs in a step of a request that came to this worker.
    pub(crate) fn hangs_for(&self, worker: Option<u16>) -> bool {
        let running = self.current.running().filter(|_| self.is_stuck());
        running.is_some_and(|running| worker.is_some() && self.roll.worker_of(running.id) == worker)
    }

    pub(crate) fn leave(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// What is left of the request whose step hangs here, for whoever waits for it no longer.
    pub(crate) fn lost(&self, now_ns: u64) -> Option<Capture> {
        let running = self.current.running()?;
        Some(self.roll.take(running.id)?.lost_in(running.step, now_ns))
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}
