//! How quickly a worker comes round: to everybody who is ready, and to its sockets.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::kept;
use crate::time::{Zero, nanos};

/// A worker that takes longer to come round is behind: whoever arrives then waits for a turn, so that the urgent go
/// first. Well below the shortest time after which anybody is sent away; not less, for a turn takes about 2 us, and of
/// short requests many are ready at once.
const BEHIND: Duration = Duration::from_millis(4);

/// One that runs for so long makes its worker behind by itself: beside it, what a turn takes is little.
const LONG: Duration = Duration::from_micros(500);

/// As long as nobody waits for so long, and nothing else is long, turns are given up again after [`BEHIND`]: of a few
/// that ask again and again, somebody always waits.
const SHORT: Duration = Duration::from_millis(2);

/// How long a worker must have been busy, since it slept or that was last measured, for it to be measured: to come round
/// is to look at the sockets, and the less often, the more they bring at once.
const FRESH: Duration = Duration::from_millis(1);

/// For how long turns are given without a look at the sockets. What waits there can have no turn, however urgent it is,
/// and cannot be sent away.
const UNSEEN: Duration = Duration::from_micros(250);

pub(super) struct Pulse {
    zero: Arc<Zero>,
    is_behind: Cell<bool>,
    /// When it was last seen that turns are needed.
    hurried_ns: Cell<u64>,
    /// How long its thread had been kept from a core when one last ran for long.
    kept_ns: Cell<Option<u64>>,
    /// Requests that have begun here.
    begun: Cell<u64>,
    /// Set when the worker goes to sleep.
    slept: Arc<AtomicBool>,
    /// When it has last woken up, or come round quickly.
    fresh_ns: Cell<u64>,
    is_measured: Cell<bool>,
    measure: Notify,
    /// When the sockets have last been looked at, as far as is known.
    looked_ns: Cell<u64>,
    /// Whatever the sockets had brought by then has been read.
    read_until_ns: Cell<u64>,
}

impl Pulse {
    /// `slept` is set whenever the worker goes to sleep.
    pub(super) const fn new(zero: Arc<Zero>, slept: Arc<AtomicBool>) -> Self {
        Self {
            zero,
            is_behind: Cell::new(false),
            hurried_ns: Cell::new(0),
            kept_ns: Cell::new(None),
            begun: Cell::new(0),
            slept,
            fresh_ns: Cell::new(0),
            is_measured: Cell::new(false),
            measure: Notify::const_new(),
            looked_ns: Cell::new(0),
            read_until_ns: Cell::new(0),
        }
    }

    /// Measures how long the worker takes to come round: now and then while it is busy, all the time while it is behind or
    /// others wait.
    pub(super) async fn beat(&self, others_wait: impl Fn() -> bool) {
        loop {
            self.measure.notified().await;
            self.is_measured.set(true);
            loop {
                let (begun, start) = (self.begun.get(), Instant::now());
                // Everybody who is ready, and whoever the sockets have made so.
                tokio::task::yield_now().await;
                self.set_behind(start.elapsed() >= BEHIND);
                self.looks();
                self.read_until_ns.set(self.zero.since_ns(start));
                if !others_wait() && (!self.is_behind.get() || self.begun.get() == begun) {
                    break;
                }
            }
            self.set_behind(false);
            self.fresh_ns.set(self.looked_ns.get());
            self.is_measured.set(false);
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.begun.set(self.begun.get() + 1);
    }

    /// Whether whoever comes now is to wait for a turn.
    pub(super) fn is_behind(&self, now_ns: u64) -> bool {
        if self.slept.load(Ordering::Relaxed) {
            self.slept.store(false, Ordering::Relaxed);
            self.fresh_ns.set(now_ns);
        } else if !self.is_measured.get() && now_ns.saturating_sub(self.fresh_ns.get()) > nanos(FRESH) {
            self.measure.notify_one();
        }
        self.is_behind.get()
    }

    /// A request has run for so long.
    pub(super) fn ran(&self, ran_ns: u64) {
        if ran_ns < nanos(LONG) {
            return;
        }
        // What the system gave to others, such as the recorder, no turn would give back.
        let kept_ns = kept::kept_ns();
        if kept::own_ns(ran_ns, self.kept_ns.replace(kept_ns), kept_ns) >= nanos(LONG) {
            // Whoever was read together with it waits for a turn.
            self.set_behind(true);
            self.measure.notify_one();
        }
    }

    /// The one that has waited longest has waited for so long.
    pub(super) fn waits(&self, longest_ns: u64) {
        if longest_ns >= nanos(SHORT) {
            self.set_behind(true);
        }
    }

    /// Whether turns are no longer needed, though some wait.
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        !self.is_behind.get() && now_ns.saturating_sub(self.hurried_ns.get()) >= nanos(BEHIND)
    }

    /// The sockets have been looked at.
    pub(super) fn looks(&self) {
        self.looked_ns.set(self.zero.elapsed_ns());
    }

    /// Until when all that came has been read, as far as is known.
    pub(super) const fn read_until_ns(&self) -> u64 {
        self.read_until_ns.get()
    }

    /// Whether they have not been looked at for long.
    pub(super) fn is_unseen(&self) -> bool {
        self.zero.elapsed_ns().saturating_sub(self.looked_ns.get()) > nanos(UNSEEN)
    }

    /// Nothing has been long for long.
    #[cfg(test)]
    pub(super) fn rests(&self) {
        self.is_behind.set(false);
        self.hurried_ns.set(0);
    }

    pub(super) fn set_behind(&self, is_behind: bool) {
        self.is_behind.set(is_behind);
        if is_behind {
            self.hurried_ns.set(self.zero.elapsed_ns());
        }
    }
}
