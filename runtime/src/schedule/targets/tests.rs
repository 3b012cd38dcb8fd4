//! Who gets a place, and when.

use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::http;

fn targets(most: usize) -> Targets {
    of_kinds(&limits(most, 0))
}

fn of_kinds(limits: &EffectLimits) -> Targets {
    let targets = Targets::new(limits);
    targets.know(["http", "sleep"].into_iter(), limits);
    targets
}

/// So many for each target, and so many of kind http.
fn limits(per_target: usize, http: usize) -> EffectLimits {
    EffectLimits { per_target, per_kind: BTreeMap::from([("http".to_owned(), http)]) }
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

fn http(targets: &Targets) -> EffectMetrics {
    let measures = targets.measure().remove(0);
    EffectMetrics { waited_ns: 0, ..measures }
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
    let expected = EffectMetrics { in_flight: 2, waits: 2, kind: "http".to_owned(), ..Default::default() };
    assert_eq!(http(&targets), expected);
    drop((three, four));
    assert!(targets.kinds().iter().all(|of| of.lock().targets.is_empty()), "nobody is remembered");
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
    assert!(targets.kinds()[0].lock().targets.is_empty());
}

#[test]
fn the_limit_can_change_and_be_none() {
    let (targets, a) = (targets(1), call("a.internal"));
    let one = now(targets.enter(&a, false));
    let (mut two, mut three) = (later(targets.enter(&a, false)), later(targets.enter(&a, false)));
    targets.retune(&limits(2, 0));
    let two = poll(&mut two).unwrap();
    targets.retune(&limits(1, 0));
    drop(one);
    assert!(poll(&mut three).is_none(), "one is in flight");
    targets.retune(&limits(0, 0));
    let three = poll(&mut three).unwrap();
    assert!(matches!(targets.enter(&a, false), Entered::Now(None)));
    drop((two, three));
    assert!(targets.kinds()[0].lock().targets.is_empty());
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
    assert!(targets.kinds()[0].lock().targets.is_empty());
}

#[test]
fn a_kind_as_a_whole_is_limited_too_and_who_came_first_goes_first() {
    let places = of_kinds(&limits(2, 3));
    let (a, b) = (call("a.internal"), call("b.internal"));
    let (one, two) = (now(places.enter(&a, false)), now(places.enter(&a, false)));
    let mut third_of_a = later(places.enter(&a, false));
    assert_eq!(third_of_a.held_by(), QueueReason::Target);
    let three = now(places.enter(&b, false));
    let mut second_of_b = later(places.enter(&b, false));
    assert_eq!(second_of_b.held_by(), QueueReason::Kind);
    drop(three);
    assert!(poll(&mut third_of_a).is_none(), "its target has no room, and the other has");
    let three = poll(&mut second_of_b).unwrap();
    let mut last = later(places.enter(&b, false));
    drop(one);
    assert!(poll(&mut last).is_none(), "it came later");
    let one = poll(&mut third_of_a).unwrap();
    places.retune(&limits(2, 4));
    let four = poll(&mut last).unwrap();
    drop((one, two, three, four));
    assert!(places.kinds()[0].lock().targets.is_empty());
}

#[test]
fn effects_without_a_target_are_limited_by_their_kind() {
    let kinds = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("sleep".to_owned(), 2)]) };
    let places = of_kinds(&kinds);
    let mut alone =
        zerver_engine::Alone::new(crate::sleep(std::time::Duration::ZERO), zerver_engine::Random { seed: 0 });
    alone.advance(None, 0);
    let sleep = alone.take_starts().remove(0).call;
    let (one, two) = (now(places.enter(&sleep, false)), now(places.enter(&sleep, true)));
    let mut third = later(places.enter(&sleep, false));
    drop(one);
    drop((poll(&mut third).unwrap(), two));
    assert!(places.kinds()[1].lock().targets.is_empty());
    // Of a kind without a limit there may be any number.
    let all = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("http".to_owned(), 1)]) };
    places.retune(&all);
    assert!((0..9).all(|_| matches!(places.enter(&sleep, false), Entered::Now(None))));
}

#[derive(Debug, Clone)]
enum Do {
    Enter { is_low: bool, is_other: bool },
    Poll(usize),
    Leave(usize),
    GoAway(usize),
    Retune(usize, usize),
}

fn anything() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(is_low, is_other)| Do::Enter { is_low, is_other }),
        3 => (0..8_usize).prop_map(Do::Poll),
        3 => (0..8_usize).prop_map(Do::Leave),
        1 => (0..8_usize).prop_map(Do::GoAway),
        1 => (0..4_usize, 0..5_usize).prop_map(|(target, kind)| Do::Retune(target, kind)),
    ]
}

proptest! {
    /// Whatever happens: never more than there is room for, nobody waits where there is room, nothing is left over.
    #[test]
    fn places_are_conserved(most in 1..4_usize, kind in 0..5_usize, all in prop::collection::vec(anything(), 0..60)) {
        let targets = of_kinds(&limits(most, kind));
        let (a, b) = (call("a.internal"), call("b.internal"));
        let (mut places, mut waiting): (Vec<Place>, Vec<Waiting>) = Default::default();
        let any = |most: usize| if most == 0 { usize::MAX } else { most };
        let mut greatest = (any(most), any(kind));
        for one in all {
            match one {
                Do::Enter { is_low, is_other } => match targets.enter(if is_other { &b } else { &a }, is_low) {
                    Entered::Now(place) => places.extend(place),
                    Entered::Later(later) => waiting.push(later),
                },
                Do::Poll(at) if at < waiting.len() => if let Some(place) = poll(&mut waiting[at]) {
                    waiting.remove(at);
                    places.push(place);
                },
                Do::Leave(at) if at < places.len() => drop(places.remove(at)),
                Do::GoAway(at) if at < waiting.len() => drop(waiting.remove(at)),
                Do::Retune(most, kind) => {
                    greatest = (greatest.0.max(any(most)), greatest.1.max(any(kind)));
                    targets.retune(&limits(most, kind));
                }
                _ => {}
            }
            let places = targets.kinds()[0].lock();
            prop_assert!(places.taken.all <= greatest.1);
            prop_assert!(places.targets.values().all(|target| target.taken.all <= greatest.0));
            let taken: usize = places.targets.values().map(|target| target.taken.all).sum();
            prop_assert_eq!(places.taken.all, taken);
            prop_assert!(places.next(None).is_none(), "somebody waits, and there is room");
        }
        drop(waiting);
        drop(places);
        prop_assert!(targets.kinds()[0].lock().targets.is_empty());
        prop_assert_eq!((http(&targets).in_flight, http(&targets).waiting), (0, 0));
    }
}
