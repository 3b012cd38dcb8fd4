//! How quickly a worker comes round: to everybody who is ready, and to its sockets.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use zerver_engine::LagDetector;

use super::run_delay;
use crate::time::{ServiceClock, nanos};

/// How long a worker must have been busy, since it slept or that was last measured, for it to be measured: to come round
/// is to look at the sockets, and the less often, the more they bring at once.
const MEASURE_AFTER: Duration = Duration::from_millis(1);

/// For how long turns are given without a look at the sockets. What waits there can have no turn, however urgent it is,
/// and cannot be sent away.
const POLL_OVERDUE_AFTER: Duration = Duration::from_micros(250);

pub(super) struct LoopLag {
    service_clock: Arc<ServiceClock>,
    behind: Cell<LagDetector>,
    /// How long its thread had been kept from a core when one last ran for long.
    run_delay_ns: Cell<Option<u64>>,
    /// Requests that have begun here.
    started: Cell<u64>,
    /// Set when the worker goes to sleep.
    slept: Arc<AtomicBool>,
    /// When it has last woken up, or come round quickly.
    fresh_ns: Cell<u64>,
    is_measured: Cell<bool>,
    measure_wakeup: Notify,
    /// When the sockets have last been looked at, as far as is known.
    polled_ns: Cell<u64>,
    /// Whatever the sockets had brought by then has been read.
    read_until_ns: Cell<u64>,
}

impl LoopLag {
    /// `slept` is set whenever the worker goes to sleep.
    pub(super) fn new(service_clock: Arc<ServiceClock>, slept: Arc<AtomicBool>) -> Self {
        Self {
            service_clock,
            behind: Cell::default(),
            run_delay_ns: Cell::new(None),
            started: Cell::new(0),
            slept,
            fresh_ns: Cell::new(0),
            is_measured: Cell::new(false),
            measure_wakeup: Notify::const_new(),
            polled_ns: Cell::new(0),
            read_until_ns: Cell::new(0),
        }
    }

    /// Measures how long the worker takes to come round: now and then while it is busy, all the time while it is behind or
    /// others wait.
    pub(super) async fn measure(&self, has_waiters: impl Fn() -> bool) {
        loop {
            self.measure_wakeup.notified().await;
            self.is_measured.set(true);
            loop {
                let (started, start) = (self.started.get(), Instant::now());
                // Everybody who is ready, and whoever the sockets have made so.
                tokio::task::yield_now().await;
                let took_ns = nanos(start.elapsed());
                self.update(|behind, now_ns| behind.pass_finished(took_ns, now_ns));
                self.note_poll();
                self.read_until_ns.set(self.service_clock.since_ns(start));
                if !has_waiters() && (!self.behind.get().is_behind() || self.started.get() == started) {
                    break;
                }
            }
            self.update(|behind, _| behind.caught_up());
            self.fresh_ns.set(self.polled_ns.get());
            self.is_measured.set(false);
        }
    }

    /// A request begins.
    pub(super) fn note_start(&self) {
        self.started.set(self.started.get() + 1);
    }

    /// Whether whoever comes now is to wait for a turn.
    pub(super) fn is_behind(&self, now_ns: u64) -> bool {
        if self.slept.load(Ordering::Relaxed) {
            self.slept.store(false, Ordering::Relaxed);
            self.fresh_ns.set(now_ns);
        } else if !self.is_measured.get() && now_ns.saturating_sub(self.fresh_ns.get()) > nanos(MEASURE_AFTER)
        {
            self.measure_wakeup.notify_one();
        }
        self.behind.get().is_behind()
    }

    /// A request has run for so long.
    pub(super) fn note_run(&self, ran_ns: u64) {
        if !LagDetector::is_long_run(ran_ns) {
            return;
        }
        // What the system gave to others, such as the recorder, no turn would give back.
        let run_delay_ns = run_delay::run_delay_ns();
        let without_run_delay_ns =
            run_delay::without_run_delay_ns(ran_ns, self.run_delay_ns.replace(run_delay_ns), run_delay_ns);
        if self.update(|behind, now_ns| behind.request_ran(without_run_delay_ns, now_ns)) {
            self.measure_wakeup.notify_one();
        }
    }

    /// The one that has waited longest has waited for so long.
    pub(super) fn note_wait(&self, longest_ns: u64) {
        if LagDetector::is_long_wait(longest_ns) {
            self.update(|behind, now_ns| behind.request_waited(longest_ns, now_ns));
        }
    }

    /// Whether turns are no longer needed, though some wait.
    pub(super) fn is_recovered(&self, now_ns: u64) -> bool {
        self.behind.get().has_recovered(now_ns)
    }

    /// The sockets have been looked at.
    pub(super) fn note_poll(&self) {
        self.polled_ns.set(self.service_clock.elapsed_ns());
    }

    /// Until when all that came has been read, as far as is known.
    pub(super) const fn read_until_ns(&self) -> u64 {
        self.read_until_ns.get()
    }

    /// Whether they have not been looked at for long.
    pub(super) fn is_poll_overdue(&self) -> bool {
        self.service_clock.elapsed_ns().saturating_sub(self.polled_ns.get()) > nanos(POLL_OVERDUE_AFTER)
    }

    /// Nothing has been long for long.
    #[cfg(test)]
    pub(super) fn reset(&self) {
        self.behind.take();
    }

    /// It is behind, or comes round quickly.
    #[cfg(test)]
    pub(super) fn set_behind(&self, is_behind: bool) {
        let took_ns = if is_behind { u64::MAX } else { 0 };
        self.update(|behind, now_ns| behind.pass_finished(took_ns, now_ns));
    }

    fn update<R>(&self, change: impl FnOnce(&mut LagDetector, u64) -> R) -> R {
        let mut behind = self.behind.get();
        let result = change(&mut behind, self.service_clock.elapsed_ns());
        self.behind.set(behind);
        result
    }
}
