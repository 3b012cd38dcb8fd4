//! Limits on effects in flight, per kind and per target. An effect that would exceed a limit waits for a permit, and
//! permits are granted in order of arrival, regardless of the request.
//!
//! The lock is held for a few instructions, and never across a wait. An effect of a kind without a limit that has no
//! target and completes at once takes no lock and touches no counter.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::oneshot;
use zerver_engine::Call;
#[cfg(feature = "metrics")]
use zerver_engine::service_docs::EffectMetrics;
use zerver_trace::QueueReason;

use crate::Limits;
use crate::time::nanos;

/// Maximum numbers of effects in flight, for all requests together. 0 means no limit.
#[derive(Debug, Clone, Default)]
pub(crate) struct EffectLimits {
    per_target: usize,
    per_kind: BTreeMap<String, usize>,
}

impl EffectLimits {
    pub(crate) fn from_limits(limits: &Limits) -> Self {
        Self { per_target: limits.effects_per_target, per_kind: limits.effects_per_kind.clone() }
    }

    fn limit(&self, kind: &str) -> KindLimit {
        KindLimit { per_target: self.per_target, of_kind: self.per_kind.get(kind).copied().unwrap_or(0) }
    }
}

/// Grants the permits of a service.
pub(crate) struct EffectLimiter {
    /// Limit per target. Each kind holds a copy; this one is read without a lock.
    per_target: AtomicUsize,
    /// True if any kind as a whole is limited.
    are_kinds_limited: AtomicBool,
    /// Set once the service is ready.
    kinds: OnceLock<Vec<Arc<KindState>>>,
}

struct KindState {
    name: &'static str,
    in_flight: AtomicU64,
    waits: AtomicU64,
    waited_ns: AtomicU64,
    /// Waits that ended before a permit was used.
    left: AtomicU64,
    permits: Mutex<PermitTable>,
}

/// Permits of one kind.
struct PermitTable {
    limit: KindLimit,
    in_use: InUse,
    /// Targets that have effects in flight or waiting. Effects without a target share one with an empty name.
    targets: BTreeMap<Arc<str>, TargetState>,
    /// Number of the next wait. Waits are numbered in order of arrival.
    next_ticket: u64,
}

/// Limits of one kind. 0 means no limit.
#[derive(Debug, Clone, Copy)]
struct KindLimit {
    per_target: usize,
    of_kind: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct InUse {
    all: usize,
    /// Permits among these that belong to batch workers.
    batch: usize,
}

#[derive(Default)]
struct TargetState {
    in_use: InUse,
    /// Limit of this target, if it has one of its own. 0 means no limit.
    own_limit: Option<usize>,
    /// Waits by ticket. None of them could be granted now.
    waiting: BTreeMap<u64, Waiter>,
}

struct Waiter {
    is_batch_worker: bool,
    granted_tx: oneshot::Sender<()>,
}

/// Right of an effect to be in flight. The effect is counted until this is dropped.
pub(crate) struct Permit {
    kind: Arc<KindState>,
    /// Target of the effect if a limit applies, and true if a batch worker requested the permit.
    target: Option<(Arc<str>, bool)>,
}

/// Answer to a request for a permit.
pub(crate) enum Admission {
    /// The effect starts now. There is no permit to hold if no limit applies.
    Granted(Option<Permit>),
    /// The effect has to wait.
    Queued(PermitWait),
}

/// Waits for a permit. Dropping this ends the wait.
pub(crate) struct PermitWait {
    kind: Arc<KindState>,
    target: Arc<str>,
    is_batch_worker: bool,
    ticket: u64,
    since: Instant,
    /// Limit that the effect would exceed.
    reason: QueueReason,
    granted_rx: oneshot::Receiver<()>,
    is_granted: bool,
}

impl EffectLimiter {
    /// Creates a limiter without kinds; see [`set_kinds`](Self::set_kinds).
    pub(crate) fn new(limits: &EffectLimits) -> Self {
        let limiter = Self {
            per_target: AtomicUsize::default(),
            are_kinds_limited: AtomicBool::default(),
            kinds: OnceLock::new(),
        };
        limiter.retune(limits);
        limiter
    }

    /// Sets the kinds of effects that the service performs. Only the first call has an effect.
    pub(crate) fn set_kinds(&self, kinds: impl Iterator<Item = &'static str>, limits: &EffectLimits) {
        let kind = |name| {
            let (in_use, targets, next_ticket) = (InUse::default(), BTreeMap::new(), 0);
            let permits = PermitTable { limit: limits.limit(name), in_use, targets, next_ticket };
            Arc::new(KindState {
                name,
                in_flight: AtomicU64::default(),
                waits: AtomicU64::default(),
                waited_ns: AtomicU64::default(),
                left: AtomicU64::default(),
                permits: Mutex::new(permits),
            })
        };
        let _ = self.kinds.set(kinds.map(kind).collect());
    }

    fn kinds(&self) -> &[Arc<KindState>] {
        self.kinds.get().map_or(&[], Vec::as_slice)
    }

    /// Replaces the limits. Effects in flight continue.
    pub(crate) fn retune(&self, limits: &EffectLimits) {
        self.per_target.store(limits.per_target, Ordering::Relaxed);
        let are_limited = limits.per_kind.values().any(|limit| *limit > 0);
        self.are_kinds_limited.store(are_limited, Ordering::Relaxed);
        for kind in self.kinds() {
            let mut permits = kind.lock();
            permits.limit = limits.limit(kind.name);
            permits.admit_waiters(None);
        }
    }

    /// Requests a permit. The system may keep a batch worker off its core while it holds permits. Batch workers therefore
    /// get at most half of them, so that workers never wait for batch workers alone.
    ///
    /// `target` is the target of the call, with the limit of its policy if it has one.
    pub(crate) fn acquire(
        &self,
        call: &Call,
        target: Option<(&str, Option<usize>)>,
        is_batch_worker: bool,
    ) -> Admission {
        let are_kinds_limited = self.are_kinds_limited.load(Ordering::Relaxed);
        let (target, own_limit) = target.map_or((None, None), |(target, limit)| (Some(target), limit));
        let per_target = own_limit.unwrap_or_else(|| self.per_target.load(Ordering::Relaxed));
        if !are_kinds_limited && per_target == 0 {
            return Admission::Granted(None);
        }
        if !are_kinds_limited && target.is_none() {
            return Admission::Granted(None);
        }
        let Some(kind) = self.kind(call.kind()) else { return Admission::Granted(None) };
        let mut permits = kind.lock();
        let per_target = own_limit.unwrap_or(permits.limit.per_target);
        if permits.limit.of_kind == 0 && (per_target == 0 || target.is_none()) {
            return Admission::Granted(None);
        }
        let target = target.unwrap_or_default();
        let known = permits.targets.get_key_value(target).map(|(target, _)| Arc::clone(target));
        let target = known.unwrap_or_else(|| Arc::from(target));
        if own_limit.is_some() || permits.targets.get(&target).is_some_and(|state| state.own_limit.is_some())
        {
            permits.targets.entry(Arc::clone(&target)).or_default().own_limit = own_limit;
        }
        let has_target_room =
            permits.limit.has_room_at(&target, permits.targets.get(&target), is_batch_worker);
        let has_kind_room = permits.in_use.has_room(permits.limit.of_kind, is_batch_worker);
        if has_target_room && has_kind_room {
            permits.grant(&target, is_batch_worker);
            drop(permits);
            return Admission::Granted(Some(Permit::new(kind, Some((target, is_batch_worker)))));
        }
        let ticket = permits.next_ticket;
        permits.next_ticket += 1;
        let (granted_tx, granted_rx) = oneshot::channel();
        let waiter = Waiter { is_batch_worker, granted_tx };
        permits.targets.entry(Arc::clone(&target)).or_default().waiting.insert(ticket, waiter);
        drop(permits);
        let (kind, since) = (Arc::clone(kind), Instant::now());
        let reason = if has_kind_room { QueueReason::Target } else { QueueReason::Kind };
        Admission::Queued(PermitWait {
            kind,
            target,
            is_batch_worker,
            ticket,
            since,
            reason,
            granted_rx,
            is_granted: false,
        })
    }

    /// Counts an effect in flight to which no limit applies.
    pub(crate) fn count_in_flight(&self, kind: &str) -> Option<Permit> {
        Some(Permit::new(self.kind(kind)?, None))
    }

    fn kind(&self, name: &str) -> Option<&Arc<KindState>> {
        self.kinds().iter().find(|kind| kind.name == name)
    }

    /// Returns the counters of each kind.
    #[cfg(feature = "metrics")]
    pub(crate) fn metrics(&self) -> Vec<EffectMetrics> {
        let of_kind = |kind: &Arc<KindState>| EffectMetrics {
            kind: kind.name.to_owned(),
            in_flight: kind.in_flight.load(Ordering::Relaxed),
            waiting: kind.lock().targets.values().map(|target| target.waiting.len() as u64).sum(),
            waits: kind.waits.load(Ordering::Relaxed),
            waited_ns: kind.waited_ns.load(Ordering::Relaxed),
            left: kind.left.load(Ordering::Relaxed),
        };
        self.kinds().iter().map(of_kind).collect()
    }
}

impl KindState {
    fn lock(&self) -> MutexGuard<'_, PermitTable> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    const fn has_room(self, limit: usize, is_batch_worker: bool) -> bool {
        limit == 0 || (self.all < limit && (!is_batch_worker || self.batch < limit.div_ceil(2)))
    }
}

impl KindLimit {
    fn has_room_at(self, target: &str, state: Option<&TargetState>, is_batch_worker: bool) -> bool {
        target.is_empty()
            || state.is_none_or(|state| {
                state.in_use.has_room(state.own_limit.unwrap_or(self.per_target), is_batch_worker)
            })
    }
}

impl PermitTable {
    /// Counts an effect that starts, or whose wait ends.
    fn grant(&mut self, target: &Arc<str>, is_batch_worker: bool) {
        let state = self.targets.entry(Arc::clone(target)).or_default();
        for in_use in [&mut self.in_use, &mut state.in_use] {
            in_use.all += 1;
            in_use.batch += usize::from(is_batch_worker);
        }
    }

    /// Takes back the permit of an effect that has ended or never started.
    fn release(&mut self, target: &Arc<str>, is_batch_worker: bool) {
        let Some(state) = self.targets.get_mut(target) else { return };
        for in_use in [&mut self.in_use, &mut state.in_use] {
            in_use.all -= 1;
            in_use.batch -= usize::from(is_batch_worker);
        }
    }

    /// Grants permits to waiting effects after a change at the target `changed`, or anywhere if it is `None`. The oldest
    /// wait goes first. Removes the changed target if no effect uses it any more.
    fn admit_waiters(&mut self, changed: Option<&Arc<str>>) {
        while let Some((ticket, target)) = self.next_waiter(changed) {
            let waiter = self.targets.get_mut(&target).and_then(|state| state.waiting.remove(&ticket));
            let Some(waiter) = waiter else { break };
            self.grant(&target, waiter.is_batch_worker);
            // A wait that is being dropped finds its ticket gone, and then releases the permit.
            let _ = waiter.granted_tx.send(());
        }
        let is_unused = |state: &TargetState| state.in_use.all == 0 && state.waiting.is_empty();
        if let Some(target) = changed.filter(|target| self.targets.get(*target).is_some_and(is_unused)) {
            self.targets.remove(target);
        }
    }

    /// Returns the ticket and the target of the wait that is granted a permit next.
    fn next_waiter(&self, changed: Option<&Arc<str>>) -> Option<(u64, Arc<str>)> {
        let first_of_target = |(target, state): (&Arc<str>, &TargetState)| {
            let has_room = |waiter: &Waiter| {
                self.in_use.has_room(self.limit.of_kind, waiter.is_batch_worker)
                    && self.limit.has_room_at(target, Some(state), waiter.is_batch_worker)
            };
            let (ticket, _) = state.waiting.iter().find(|(_, waiter)| has_room(waiter))?;
            Some((*ticket, Arc::clone(target)))
        };
        match changed {
            // Without a limit per kind, a change at one target gives no room at another.
            Some(target) if self.limit.of_kind == 0 => {
                self.targets.get_key_value(target).and_then(first_of_target)
            }
            _ if !self.in_use.has_room(self.limit.of_kind, false) => None,
            _ => self.targets.iter().filter_map(first_of_target).min(),
        }
    }
}

impl Permit {
    fn new(kind: &Arc<KindState>, target: Option<(Arc<str>, bool)>) -> Self {
        kind.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { kind: Arc::clone(kind), target }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.kind.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some((target, is_batch_worker)) = &self.target {
            let mut permits = self.kind.lock();
            permits.release(target, *is_batch_worker);
            permits.admit_waiters(Some(target));
        }
    }
}

impl PermitWait {
    /// Returns the limit that the effect would exceed.
    pub(crate) const fn queue_reason(&self) -> QueueReason {
        self.reason
    }
}

impl Future for PermitWait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        // The sender is dropped only after it has sent, so an error is a grant too.
        let Poll::Ready(_) = Pin::new(&mut self.granted_rx).poll(cx) else { return Poll::Pending };
        self.is_granted = true;
        self.kind.waits.fetch_add(1, Ordering::Relaxed);
        self.kind.waited_ns.fetch_add(nanos(self.since.elapsed()), Ordering::Relaxed);
        Poll::Ready(Permit::new(&self.kind, Some((Arc::clone(&self.target), self.is_batch_worker))))
    }
}

impl Drop for PermitWait {
    fn drop(&mut self) {
        if self.is_granted {
            return;
        }
        self.kind.left.fetch_add(1, Ordering::Relaxed);
        let (ticket, is_batch_worker) = (self.ticket, self.is_batch_worker);
        let mut permits = self.kind.lock();
        let state = permits.targets.get_mut(&self.target);
        if state.and_then(|state| state.waiting.remove(&ticket)).is_none() {
            // The permit was granted, but this wait was never polled again.
            permits.release(&self.target, is_batch_worker);
        }
        permits.admit_waiters(Some(&self.target));
    }
}

// The tests read the metrics of requests to other services.
#[cfg(all(test, feature = "http-client", feature = "metrics"))]
mod tests;
