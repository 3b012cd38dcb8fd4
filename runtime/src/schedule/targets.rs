//! Effects in flight: how many there are of each kind, and how many may ask the same target at the same time. Who is over
//! that limit waits for a place; who came first goes first, whichever request it is of.
//!
//! A lock is held for a few instructions, and never while anything is waited for. An effect that asks no target and is
//! answered at once comes by no lock and no counter.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::sync::oneshot;
use zerver_engine::Call;
use zerver_replay::EffectMeasures;

use crate::time::nanos;

/// The places of a service.
pub(crate) struct Targets {
    /// As in each kind, for a look without a lock.
    most: AtomicUsize,
    kinds: Vec<Arc<OfKind>>,
}

struct OfKind {
    name: &'static str,
    /// So many effects may ask one target at the same time; 0: any number.
    most: AtomicUsize,
    in_flight: AtomicU64,
    waits: AtomicU64,
    waited_ns: AtomicU64,
    left: AtomicU64,
    /// Those that are asked, or waited for, now.
    targets: Mutex<BTreeMap<Arc<str>, Target>>,
}

#[derive(Default)]
struct Target {
    in_flight: usize,
    /// How many of these are of threads of low priority.
    low: usize,
    /// By the order in which they came. None of them has room.
    waiting: BTreeMap<u64, Waiter>,
    next: u64,
}

struct Waiter {
    is_low: bool,
    admitted: oneshot::Sender<()>,
}

/// An effect in flight, counted until this is dropped.
pub(crate) struct Place {
    of: Arc<OfKind>,
    /// Whom it asks, where that is limited; and whether a thread of low priority does.
    target: Option<(Arc<str>, bool)>,
}

/// Whether an effect can begin.
pub(crate) enum Entered {
    /// It can, and has this place; none where nobody is asked, or as often as one likes.
    Now(Option<Place>),
    /// It has to wait for a place.
    Later(Waiting),
}

/// Waits for a place. Dropped, it waits no longer.
pub(crate) struct Waiting {
    of: Arc<OfKind>,
    target: Arc<str>,
    is_low: bool,
    ticket: u64,
    since: Instant,
    admitted: oneshot::Receiver<()>,
    is_over: bool,
}

impl Targets {
    pub(crate) fn new(kinds: impl Iterator<Item = &'static str>, most: usize) -> Self {
        let kind = |name| {
            Arc::new(OfKind {
                name,
                most: AtomicUsize::new(most),
                in_flight: AtomicU64::default(),
                waits: AtomicU64::default(),
                waited_ns: AtomicU64::default(),
                left: AtomicU64::default(),
                targets: Mutex::default(),
            })
        };
        Self { most: AtomicUsize::new(most), kinds: kinds.map(kind).collect() }
    }

    /// From now on so many effects may ask one target. Those in flight stay.
    pub(crate) fn retune(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        for of in &self.kinds {
            let mut targets = of.lock();
            of.most.store(most, Ordering::Relaxed);
            targets.values_mut().for_each(|target| target.admit(most));
        }
    }

    /// Asks for a place. A thread of low priority may be without a core while it has one: such threads get at most half of
    /// them, so that nobody else waits for them alone.
    pub(crate) fn enter(&self, call: &Call, is_low: bool) -> Entered {
        if self.most.load(Ordering::Relaxed) == 0 {
            return Entered::Now(None);
        }
        let Some(name) = call.target() else { return Entered::Now(None) };
        let Some(of) = self.of(call.kind()) else { return Entered::Now(None) };
        let mut targets = of.lock();
        let most = of.most.load(Ordering::Relaxed);
        let known = targets.get_key_value(&*name).map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(&*name));
        let target = targets.entry(Arc::clone(&name)).or_default();
        if target.has_room(most, is_low) {
            target.take(is_low);
            drop(targets);
            return Entered::Now(Some(Place::new(of, Some((name, is_low)))));
        }
        let ticket = target.next;
        target.next += 1;
        let (sender, admitted) = oneshot::channel();
        target.waiting.insert(ticket, Waiter { is_low, admitted: sender });
        drop(targets);
        let (of, since) = (Arc::clone(of), Instant::now());
        Entered::Later(Waiting { of, target: name, is_low, ticket, since, admitted, is_over: false })
    }

    /// Counts an effect in flight that has no place.
    pub(crate) fn count(&self, kind: &str) -> Option<Place> {
        Some(Place::new(self.of(kind)?, None))
    }

    fn of(&self, kind: &str) -> Option<&Arc<OfKind>> {
        self.kinds.iter().find(|of| of.name == kind)
    }

    /// What has been counted.
    pub(crate) fn measure(&self) -> Vec<EffectMeasures> {
        let one = |of: &Arc<OfKind>| EffectMeasures {
            kind: of.name.to_owned(),
            in_flight: of.in_flight.load(Ordering::Relaxed),
            waiting: of.lock().values().map(|target| target.waiting.len() as u64).sum(),
            waits: of.waits.load(Ordering::Relaxed),
            waited_ns: of.waited_ns.load(Ordering::Relaxed),
            left: of.left.load(Ordering::Relaxed),
        };
        self.kinds.iter().map(one).collect()
    }
}

impl OfKind {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes a target, and lets in who has room then. One that nobody asks is forgotten.
    fn change(&self, name: &Arc<str>, change: impl FnOnce(&mut Target)) {
        let mut targets = self.lock();
        let Some(target) = targets.get_mut(name) else { return };
        change(target);
        target.admit(self.most.load(Ordering::Relaxed));
        if target.in_flight == 0 && target.waiting.is_empty() {
            targets.remove(name);
        }
    }
}

impl Target {
    const fn has_room(&self, most: usize, is_low: bool) -> bool {
        most == 0 || (self.in_flight < most && (!is_low || self.low < most.div_ceil(2)))
    }

    const fn take(&mut self, is_low: bool) {
        self.in_flight += 1;
        self.low += is_low as usize;
    }

    const fn leave(&mut self, is_low: bool) {
        self.in_flight -= 1;
        self.low -= is_low as usize;
    }

    fn admit(&mut self, most: usize) {
        while most == 0 || self.in_flight < most {
            let next = self.waiting.iter().find(|(_, waiter)| self.has_room(most, waiter.is_low));
            let Some(ticket) = next.map(|(ticket, _)| *ticket) else { return };
            let Some(waiter) = self.waiting.remove(&ticket) else { return };
            self.take(waiter.is_low);
            // If it is gone, it is about to say so: it finds that it has a place, and gives that back.
            let _ = waiter.admitted.send(());
        }
    }
}

impl Place {
    fn new(of: &Arc<OfKind>, target: Option<(Arc<str>, bool)>) -> Self {
        of.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { of: Arc::clone(of), target }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some((name, is_low)) = &self.target {
            self.of.change(name, |target| target.leave(*is_low));
        }
    }
}

impl Future for Waiting {
    type Output = Place;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Place> {
        // Only who lets it in drops the other end.
        let Poll::Ready(_) = Pin::new(&mut self.admitted).poll(cx) else { return Poll::Pending };
        self.is_over = true;
        self.of.waits.fetch_add(1, Ordering::Relaxed);
        self.of.waited_ns.fetch_add(nanos(self.since.elapsed()), Ordering::Relaxed);
        Poll::Ready(Place::new(&self.of, Some((Arc::clone(&self.target), self.is_low))))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.of.left.fetch_add(1, Ordering::Relaxed);
        let (ticket, is_low) = (self.ticket, self.is_low);
        self.of.change(&self.target, |target| {
            if target.waiting.remove(&ticket).is_none() {
                target.leave(is_low);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;
    use crate::http;

    fn targets(most: usize) -> Targets {
        Targets::new(["http", "sleep"].into_iter(), most)
    }

    fn call(host: &str) -> Call {
        let mut alone = zerver_engine::Alone::new(
            http::get(format!("http://{host}/")).send(),
            zerver_engine::Random { seed: 0 },
        );
        alone.advance(None, 0);
        alone.take_starts().remove(0).call
    }

    fn now(entered: Entered) -> Place {
        match entered {
            Entered::Now(place) => place.unwrap(),
            Entered::Later(_) => panic!("it has to wait"),
        }
    }

    fn later(entered: Entered) -> Waiting {
        match entered {
            Entered::Now(_) => panic!("it need not wait"),
            Entered::Later(waiting) => waiting,
        }
    }

    /// The place, if it has one now.
    fn poll(waiting: &mut Waiting) -> Option<Place> {
        match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    fn http(targets: &Targets) -> EffectMeasures {
        let measures = targets.measure().remove(0);
        EffectMeasures { waited_ns: 0, ..measures }
    }

    #[test]
    fn who_came_first_goes_first_and_other_targets_are_free() {
        let (targets, a) = (targets(2), call("a.internal"));
        let enter = || targets.enter(&a, false);
        let (one, two) = (now(enter()), now(enter()));
        let (mut three, mut four) = (later(enter()), later(enter()));
        drop(now(targets.enter(&call("b.internal"), false)));
        assert!(poll(&mut four).is_none() && poll(&mut three).is_none());
        drop(two);
        assert!(poll(&mut four).is_none(), "not before the third");
        let three = poll(&mut three).unwrap();
        drop(one);
        let four = poll(&mut four).unwrap();
        let expected =
            EffectMeasures { in_flight: 2, waits: 2, kind: "http".to_owned(), ..Default::default() };
        assert_eq!(http(&targets), expected);
        drop((three, four));
        assert!(targets.kinds.iter().all(|of| of.lock().is_empty()), "nobody is remembered");
    }

    #[test]
    fn who_goes_away_frees_its_place_at_any_time() {
        let (targets, a) = (targets(1), call("a.internal"));
        let one = now(targets.enter(&a, false));
        let gone = later(targets.enter(&a, false));
        let admitted_and_gone = later(targets.enter(&a, false));
        let mut last = later(targets.enter(&a, false));
        drop(gone);
        drop(one);
        assert!(poll(&mut last).is_none(), "it is another's turn");
        drop(admitted_and_gone);
        drop(poll(&mut last).unwrap());
        assert_eq!((http(&targets).waiting, http(&targets).left), (0, 2));
        assert!(targets.kinds[0].lock().is_empty());
    }

    #[test]
    fn the_limit_can_change_and_be_none() {
        let (targets, a) = (targets(1), call("a.internal"));
        let one = now(targets.enter(&a, false));
        let (mut two, mut three) = (later(targets.enter(&a, false)), later(targets.enter(&a, false)));
        targets.retune(2);
        let two = poll(&mut two).unwrap();
        targets.retune(1);
        drop(one);
        assert!(poll(&mut three).is_none(), "one is in flight");
        targets.retune(0);
        let three = poll(&mut three).unwrap();
        assert!(matches!(targets.enter(&a, false), Entered::Now(None)));
        drop((two, three));
        assert!(targets.kinds[0].lock().is_empty());
    }

    #[test]
    fn threads_of_low_priority_have_at_most_half_of_the_places() {
        let (targets, a) = (targets(3), call("a.internal"));
        let low = [now(targets.enter(&a, true)), now(targets.enter(&a, true))];
        let mut third = later(targets.enter(&a, true));
        let other = now(targets.enter(&a, false));
        let mut waits = later(targets.enter(&a, false));
        drop(other);
        assert!(poll(&mut third).is_none());
        let other = poll(&mut waits).unwrap();
        drop(low);
        assert!(poll(&mut third).is_some());
        drop((other, third));
        assert!(targets.kinds[0].lock().is_empty());
    }

    #[derive(Debug, Clone)]
    enum Do {
        Enter { is_low: bool },
        Poll(usize),
        Leave(usize),
        GoAway(usize),
        Retune(usize),
    }

    fn anything() -> impl Strategy<Value = Do> {
        prop_oneof![
            4 => any::<bool>().prop_map(|is_low| Do::Enter { is_low }),
            3 => (0..8_usize).prop_map(Do::Poll),
            3 => (0..8_usize).prop_map(Do::Leave),
            1 => (0..8_usize).prop_map(Do::GoAway),
            1 => (0..4_usize).prop_map(Do::Retune),
        ]
    }

    proptest! {
        /// Whatever happens: never more than there is room for, nobody waits where there is room, nothing is left over.
        #[test]
        fn places_are_conserved(most in 1..4_usize, all in prop::collection::vec(anything(), 0..60)) {
            let (targets, a) = (targets(most), call("a.internal"));
            let (mut places, mut waiting): (Vec<Place>, Vec<Waiting>) = Default::default();
            let mut greatest = most;
            for one in all {
                match one {
                    Do::Enter { is_low } => match targets.enter(&a, is_low) {
                        Entered::Now(place) => places.extend(place),
                        Entered::Later(later) => waiting.push(later),
                    },
                    Do::Poll(at) if at < waiting.len() => if let Some(place) = poll(&mut waiting[at]) {
                        waiting.remove(at);
                        places.push(place);
                    },
                    Do::Leave(at) if at < places.len() => drop(places.remove(at)),
                    Do::GoAway(at) if at < waiting.len() => drop(waiting.remove(at)),
                    Do::Retune(most) => {
                        greatest = if most == 0 { usize::MAX } else { greatest.max(most) };
                        targets.retune(most);
                    }
                    _ => {}
                }
                let most = targets.kinds[0].most.load(Ordering::Relaxed);
                let known = targets.kinds[0].lock();
                let target = known.values().next();
                prop_assert!(target.is_none_or(|target| target.in_flight <= greatest));
                let has_room = |target: &Target| target.waiting.values().any(|w| target.has_room(most, w.is_low));
                prop_assert!(!target.is_some_and(has_room), "somebody waits, and there is room");
            }
            drop(waiting);
            drop(places);
            prop_assert!(targets.kinds[0].lock().is_empty());
            prop_assert_eq!((http(&targets).in_flight, http(&targets).waiting), (0, 0));
        }
    }
}
