//! Effects in flight: how many there are of each kind, how many there may be, and how many of them may ask the same target at
//! the same time. Who is over a limit waits for a place; who came first goes first, whichever request it is of.
//!
//! A lock is held for a few instructions, and never while anything is waited for. An effect of a kind
//! without a limit, that asks no target and is answered at once, comes by no lock and no counter.

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

/// How many effects may be in flight at the same time, for all requests together; 0: any number.
#[derive(Debug, Clone, Default)]
pub(crate) struct EffectLimits {
    per_target: usize,
    per_kind: BTreeMap<String, usize>,
}

impl EffectLimits {
    pub(crate) fn of(limits: &Limits) -> Self {
        Self { per_target: limits.effects_per_target, per_kind: limits.effects_per_kind.clone() }
    }

    fn limit(&self, kind: &str) -> KindLimit {
        KindLimit { per_target: self.per_target, of_kind: self.per_kind.get(kind).copied().unwrap_or(0) }
    }
}

/// The places of a service.
pub(crate) struct EffectLimiter {
    /// As in each kind, for a look without a lock.
    per_target: AtomicUsize,
    /// Whether any kind as a whole is limited.
    are_kinds_limited: AtomicBool,
    /// Known once the service is ready.
    kinds: OnceLock<Vec<Arc<KindState>>>,
}

struct KindState {
    name: &'static str,
    in_flight: AtomicU64,
    waits: AtomicU64,
    waited_ns: AtomicU64,
    left: AtomicU64,
    permits: Mutex<PermitTable>,
}

/// The places of one kind.
struct PermitTable {
    limit: KindLimit,
    in_use: InUse,
    /// Those that are asked, or waited for, now. All effects without a target have one without a name.
    targets: BTreeMap<Arc<str>, TargetState>,
    /// By the order in which they came.
    next_ticket: u64,
}

/// The limits of one kind; 0: any number.
#[derive(Debug, Clone, Copy)]
struct KindLimit {
    per_target: usize,
    of_kind: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct InUse {
    all: usize,
    /// How many of these are of threads of low priority.
    low: usize,
}

#[derive(Default)]
struct TargetState {
    in_use: InUse,
    /// None of them has room.
    waiting: BTreeMap<u64, Waiter>,
}

struct Waiter {
    is_batch_worker: bool,
    admitted: oneshot::Sender<()>,
}

/// An effect in flight, counted until this is dropped.
pub(crate) struct Permit {
    of: Arc<KindState>,
    /// Whom it asks, where that is limited; and whether a thread of low priority does.
    target: Option<(Arc<str>, bool)>,
}

/// Whether an effect can begin.
pub(crate) enum Admission {
    /// It can, and has this place; none where nobody is asked, or as often as one likes.
    Granted(Option<Permit>),
    /// It has to wait for a place.
    Queued(PermitWait),
}

/// Waits for a place. Dropped, it waits no longer.
pub(crate) struct PermitWait {
    of: Arc<KindState>,
    target: Arc<str>,
    is_batch_worker: bool,
    ticket: u64,
    since: Instant,
    /// Which limit it waits for.
    by: QueueReason,
    admitted: oneshot::Receiver<()>,
    is_over: bool,
}

impl EffectLimiter {
    /// Of no kinds, until they are [known](Self::set_kinds).
    pub(crate) fn new(limits: &EffectLimits) -> Self {
        let limiter = Self {
            per_target: AtomicUsize::default(),
            are_kinds_limited: AtomicBool::default(),
            kinds: OnceLock::new(),
        };
        limiter.retune(limits);
        limiter
    }

    /// There are effects of these kinds.
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

    /// From now on these limits hold. Effects in flight stay.
    pub(crate) fn retune(&self, limits: &EffectLimits) {
        self.per_target.store(limits.per_target, Ordering::Relaxed);
        let are_limited = limits.per_kind.values().any(|limit| *limit > 0);
        self.are_kinds_limited.store(are_limited, Ordering::Relaxed);
        for of in self.kinds() {
            let mut permits = of.lock();
            permits.limit = limits.limit(of.name);
            permits.admit(None);
        }
    }

    /// Asks for a place. A thread of low priority may be without a core while it has one: such threads get at most half of
    /// them, so that nobody else waits for them alone.
    pub(crate) fn acquire(&self, call: &Call, is_batch_worker: bool) -> Admission {
        let are_kinds_limited = self.are_kinds_limited.load(Ordering::Relaxed);
        if !are_kinds_limited && self.per_target.load(Ordering::Relaxed) == 0 {
            return Admission::Granted(None);
        }
        let name = call.target();
        if !are_kinds_limited && name.is_none() {
            return Admission::Granted(None);
        }
        let Some(of) = self.of(call.kind()) else { return Admission::Granted(None) };
        let mut permits = of.lock();
        if permits.limit.of_kind == 0 && (permits.limit.per_target == 0 || name.is_none()) {
            return Admission::Granted(None);
        }
        let name = name.unwrap_or_default();
        let known = permits.targets.get_key_value(&*name).map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(&*name));
        let has_room = permits.limit.has_room_at(&name, permits.targets.get(&name), is_batch_worker);
        let is_full = !permits.in_use.has_room(permits.limit.of_kind, is_batch_worker);
        if has_room && !is_full {
            permits.take(&name, is_batch_worker);
            drop(permits);
            return Admission::Granted(Some(Permit::new(of, Some((name, is_batch_worker)))));
        }
        let ticket = permits.next_ticket;
        permits.next_ticket += 1;
        let (sender, admitted) = oneshot::channel();
        let waiter = Waiter { is_batch_worker, admitted: sender };
        permits.targets.entry(Arc::clone(&name)).or_default().waiting.insert(ticket, waiter);
        drop(permits);
        let (of, since) = (Arc::clone(of), Instant::now());
        let by = if is_full { QueueReason::Kind } else { QueueReason::Target };
        Admission::Queued(PermitWait {
            of,
            target: name,
            is_batch_worker,
            ticket,
            since,
            by,
            admitted,
            is_over: false,
        })
    }

    /// Counts an effect in flight that has no place.
    pub(crate) fn count_in_flight(&self, kind: &str) -> Option<Permit> {
        Some(Permit::new(self.of(kind)?, None))
    }

    fn of(&self, kind: &str) -> Option<&Arc<KindState>> {
        self.kinds().iter().find(|of| of.name == kind)
    }

    /// What has been counted.
    #[cfg(feature = "metrics")]
    pub(crate) fn measure(&self) -> Vec<EffectMetrics> {
        let one = |of: &Arc<KindState>| EffectMetrics {
            kind: of.name.to_owned(),
            in_flight: of.in_flight.load(Ordering::Relaxed),
            waiting: of.lock().targets.values().map(|target| target.waiting.len() as u64).sum(),
            waits: of.waits.load(Ordering::Relaxed),
            waited_ns: of.waited_ns.load(Ordering::Relaxed),
            left: of.left.load(Ordering::Relaxed),
        };
        self.kinds().iter().map(one).collect()
    }
}

impl KindState {
    fn lock(&self) -> MutexGuard<'_, PermitTable> {
        self.permits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InUse {
    const fn has_room(self, limit: usize, is_batch_worker: bool) -> bool {
        limit == 0 || (self.all < limit && (!is_batch_worker || self.low < limit.div_ceil(2)))
    }
}

impl KindLimit {
    fn has_room_at(self, name: &str, target: Option<&TargetState>, is_batch_worker: bool) -> bool {
        name.is_empty()
            || target.is_none_or(|target| target.in_use.has_room(self.per_target, is_batch_worker))
    }
}

impl PermitTable {
    fn take(&mut self, name: &Arc<str>, is_batch_worker: bool) {
        let target = self.targets.entry(Arc::clone(name)).or_default();
        for in_use in [&mut self.in_use, &mut target.in_use] {
            in_use.all += 1;
            in_use.low += usize::from(is_batch_worker);
        }
    }

    /// An effect has ended, or did not come to use its place.
    fn leave(&mut self, name: &Arc<str>, is_batch_worker: bool) {
        let Some(target) = self.targets.get_mut(name) else { return };
        for in_use in [&mut self.in_use, &mut target.in_use] {
            in_use.all -= 1;
            in_use.low -= usize::from(is_batch_worker);
        }
    }

    /// Lets in who has room since something has changed at this target, or anywhere: who came first goes first. A target
    /// that nobody asks is forgotten.
    fn admit(&mut self, changed: Option<&Arc<str>>) {
        while let Some((ticket, name)) = self.next(changed) {
            let waiter = self.targets.get_mut(&name).and_then(|target| target.waiting.remove(&ticket));
            let Some(waiter) = waiter else { break };
            self.take(&name, waiter.is_batch_worker);
            // If it is gone, it is about to say so: it finds that it has a place, and gives that back.
            let _ = waiter.admitted.send(());
        }
        let is_idle = |target: &TargetState| target.in_use.all == 0 && target.waiting.is_empty();
        if let Some(name) = changed.filter(|name| self.targets.get(*name).is_some_and(is_idle)) {
            self.targets.remove(name);
        }
    }

    /// Who is let in next: the ticket and the target.
    fn next(&self, changed: Option<&Arc<str>>) -> Option<(u64, Arc<str>)> {
        let of_target = |(name, target): (&Arc<str>, &TargetState)| {
            let has_room = |waiter: &Waiter| {
                self.in_use.has_room(self.limit.of_kind, waiter.is_batch_worker)
                    && self.limit.has_room_at(name, Some(target), waiter.is_batch_worker)
            };
            let (ticket, _) = target.waiting.iter().find(|(_, waiter)| has_room(waiter))?;
            Some((*ticket, Arc::clone(name)))
        };
        match changed {
            // Others wait for their own targets only.
            Some(name) if self.limit.of_kind == 0 => self.targets.get_key_value(name).and_then(of_target),
            _ if !self.in_use.has_room(self.limit.of_kind, false) => None,
            _ => self.targets.iter().filter_map(of_target).min(),
        }
    }
}

impl Permit {
    fn new(of: &Arc<KindState>, target: Option<(Arc<str>, bool)>) -> Self {
        of.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { of: Arc::clone(of), target }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.of.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some((name, is_batch_worker)) = &self.target {
            let mut permits = self.of.lock();
            permits.leave(name, *is_batch_worker);
            permits.admit(Some(name));
        }
    }
}

impl PermitWait {
    /// Which limit it waits for.
    pub(crate) const fn queue_reason(&self) -> QueueReason {
        self.by
    }
}

impl Future for PermitWait {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit> {
        // Only who lets it in drops the other end.
        let Poll::Ready(_) = Pin::new(&mut self.admitted).poll(cx) else { return Poll::Pending };
        self.is_over = true;
        self.of.waits.fetch_add(1, Ordering::Relaxed);
        self.of.waited_ns.fetch_add(nanos(self.since.elapsed()), Ordering::Relaxed);
        Poll::Ready(Permit::new(&self.of, Some((Arc::clone(&self.target), self.is_batch_worker))))
    }
}

impl Drop for PermitWait {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.of.left.fetch_add(1, Ordering::Relaxed);
        let (ticket, is_batch_worker) = (self.ticket, self.is_batch_worker);
        let mut permits = self.of.lock();
        let target = permits.targets.get_mut(&self.target);
        if target.and_then(|target| target.waiting.remove(&ticket)).is_none() {
            permits.leave(&self.target, is_batch_worker);
        }
        permits.admit(Some(&self.target));
    }
}

// The tests read the metrics of requests to other services.
#[cfg(all(test, feature = "http-client", feature = "metrics"))]
mod tests;
