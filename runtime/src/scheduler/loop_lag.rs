//! Measures the loop lag of a worker: the time that it needs for one pass over its ready tasks and its sockets.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use zerver_engine::LagDetector;

use super::run_delay;
use crate::platform;
use crate::time::{ServiceClock, nanos};

/// Busy time after which a pass is measured, counted from the last sleep or the last measurement. A measured pass polls
/// the sockets. Passes are not measured more often, because polls that are further apart return more requests each.
const MEASURE_AFTER: Duration = Duration::from_millis(1);

/// Longest time for which turns are granted without polling the sockets. A request that waits there can get no turn,
/// however urgent it is, and cannot be shed.
const POLL_OVERDUE_AFTER: Duration = Duration::from_micros(250);

pub(super) struct LoopLag {
    service_clock: Arc<ServiceClock>,
    detector: Cell<LagDetector>,
    /// Run delay of the thread at the end of the last long run.
    run_delay_ns: Cell<Option<u64>>,
    /// Number of requests that have started on this worker.
    started: Cell<u64>,
    /// Set when the worker goes to sleep.
    slept: Arc<AtomicBool>,
    /// Time when the worker last woke up or finished a quick pass.
    caught_up_ns: Cell<u64>,
    is_measuring: Cell<bool>,
    measure_wakeup: Notify,
    /// Last time that the sockets are known to have been polled.
    polled_ns: Cell<u64>,
    /// Time before which everything that arrived has been read.
    read_until_ns: Cell<u64>,
}

impl LoopLag {
    /// `slept` is set whenever the worker goes to sleep.
    pub(super) fn new(service_clock: Arc<ServiceClock>, slept: Arc<AtomicBool>) -> Self {
        Self {
            service_clock,
            detector: Cell::default(),
            run_delay_ns: Cell::new(None),
            started: Cell::new(0),
            slept,
            caught_up_ns: Cell::new(0),
            is_measuring: Cell::new(false),
            measure_wakeup: Notify::const_new(),
            polled_ns: Cell::new(0),
            read_until_ns: Cell::new(0),
        }
    }

    /// Measures passes of the worker: from time to time while it is busy, and every pass while it is behind or requests
    /// wait.
    pub(super) async fn measure(&self, has_waiters: impl Fn() -> bool) {
        loop {
            self.measure_wakeup.notified().await;
            self.is_measuring.set(true);
            loop {
                let (started, start) = (self.started.get(), Instant::now());
                // Runs all ready tasks, and those that the sockets have made ready.
                tokio::task::yield_now().await;
                let took_ns = nanos(start.elapsed());
                self.update(|detector, now_ns| detector.pass_finished(took_ns, now_ns));
                self.note_poll();
                self.read_until_ns.set(self.service_clock.since_ns(start));
                if !has_waiters() && (!self.detector.get().is_behind() || self.started.get() == started) {
                    break;
                }
            }
            self.update(|detector, _| detector.caught_up());
            self.caught_up_ns.set(self.polled_ns.get());
            self.is_measuring.set(false);
        }
    }

    /// Counts a request that starts.
    pub(super) fn note_start(&self) {
        self.started.set(self.started.get() + 1);
    }

    /// Returns true if new requests must wait for a turn.
    pub(super) fn is_behind(&self, now_ns: u64) -> bool {
        if self.slept.load(Ordering::Relaxed) {
            self.slept.store(false, Ordering::Relaxed);
            self.caught_up_ns.set(now_ns);
        } else if !self.is_measuring.get()
            && now_ns.saturating_sub(self.caught_up_ns.get()) > nanos(MEASURE_AFTER)
        {
            self.measure_wakeup.notify_one();
        }
        self.detector.get().is_behind()
    }

    /// Records that a request ran for `ran_ns`.
    pub(super) fn note_run(&self, ran_ns: u64) {
        if !LagDetector::is_long_run(ran_ns) {
            return;
        }
        // Time that the system gave to other threads, such as the recorder, does not count: queueing would not save it.
        let run_delay_ns = platform::run_delay_ns();
        let without_run_delay_ns =
            run_delay::without_run_delay_ns(ran_ns, self.run_delay_ns.replace(run_delay_ns), run_delay_ns);
        if self.update(|detector, now_ns| detector.request_ran(without_run_delay_ns, now_ns)) {
            self.measure_wakeup.notify_one();
        }
    }

    /// Records the longest wait of any queued request.
    pub(super) fn note_wait(&self, longest_ns: u64) {
        if LagDetector::is_long_wait(longest_ns) {
            self.update(|detector, now_ns| detector.request_waited(longest_ns, now_ns));
        }
    }

    /// Returns true if turns are no longer needed, so that all queued requests may run.
    pub(super) fn is_recovered(&self, now_ns: u64) -> bool {
        self.detector.get().has_recovered(now_ns)
    }

    /// Records that the sockets have just been polled.
    pub(super) fn note_poll(&self) {
        self.polled_ns.set(self.service_clock.elapsed_ns());
    }

    /// Returns the time before which everything that arrived is known to have been read.
    pub(super) const fn read_until_ns(&self) -> u64 {
        self.read_until_ns.get()
    }

    /// Returns true if the sockets have not been polled for too long.
    pub(super) fn is_poll_overdue(&self) -> bool {
        self.service_clock.elapsed_ns().saturating_sub(self.polled_ns.get()) > nanos(POLL_OVERDUE_AFTER)
    }

    /// Makes the worker fully recovered.
    #[cfg(test)]
    pub(super) fn reset(&self) {
        self.detector.take();
    }

    /// Records a slow or a quick pass.
    #[cfg(test)]
    pub(super) fn set_behind(&self, is_behind: bool) {
        let took_ns = if is_behind { u64::MAX } else { 0 };
        self.update(|detector, now_ns| detector.pass_finished(took_ns, now_ns));
    }

    fn update<R>(&self, change: impl FnOnce(&mut LagDetector, u64) -> R) -> R {
        let mut detector = self.detector.get();
        let result = change(&mut detector, self.service_clock.elapsed_ns());
        self.detector.set(detector);
        result
    }
}
