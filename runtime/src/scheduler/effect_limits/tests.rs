//! Who gets a place, and when.

use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::effects::http;

fn limiter_with(limit: usize) -> EffectLimiter {
    of_kinds(&limits(limit, 0))
}

fn of_kinds(limits: &EffectLimits) -> EffectLimiter {
    let limiter = EffectLimiter::new(limits);
    limiter.set_kinds(["http", "sleep"].into_iter(), limits);
    limiter
}

/// So many for each target, and so many of kind http.
fn limits(per_target: usize, http: usize) -> EffectLimits {
    EffectLimits { per_target, per_kind: BTreeMap::from([("http".to_owned(), http)]) }
}

fn call(host: &str) -> Call {
    let mut alone = zerver_engine::StandaloneEffect::new(
        http::get(format!("http://{host}/")).send(),
        zerver_engine::Random { seed: 0 },
    );
    alone.advance(None, 0);
    alone.take_requested_calls().remove(0).call
}

fn now(entered: Admission) -> Permit {
    match entered {
        Admission::Granted(permit) => permit.unwrap(),
        Admission::Queued(_) => panic!("it has to wait"),
    }
}

fn later(entered: Admission) -> PermitWait {
    match entered {
        Admission::Granted(_) => panic!("it need not wait"),
        Admission::Queued(waiting) => waiting,
    }
}

/// The place, if it has one now.
fn poll(waiting: &mut PermitWait) -> Option<Permit> {
    match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

fn http(limiter: &EffectLimiter) -> EffectMetrics {
    let measures = limiter.measure().remove(0);
    EffectMetrics { waited_ns: 0, ..measures }
}

#[test]
fn who_came_first_goes_first_and_other_targets_are_free() {
    let (limiter, a) = (limiter_with(2), call("a.internal"));
    let enter = || limiter.acquire(&a, false);
    let (one, two) = (now(enter()), now(enter()));
    let (mut three, mut four) = (later(enter()), later(enter()));
    drop(now(limiter.acquire(&call("b.internal"), false)));
    assert!(poll(&mut four).is_none() && poll(&mut three).is_none());
    drop(two);
    assert!(poll(&mut four).is_none(), "not before the third");
    let three = poll(&mut three).unwrap();
    drop(one);
    let four = poll(&mut four).unwrap();
    let expected = EffectMetrics { in_flight: 2, waits: 2, kind: "http".to_owned(), ..Default::default() };
    assert_eq!(http(&limiter), expected);
    drop((three, four));
    assert!(limiter.kinds().iter().all(|of| of.lock().targets.is_empty()), "nobody is remembered");
}

#[test]
fn who_goes_away_frees_its_place_at_any_time() {
    let (limiter, a) = (limiter_with(1), call("a.internal"));
    let one = now(limiter.acquire(&a, false));
    let gone = later(limiter.acquire(&a, false));
    let admitted_and_gone = later(limiter.acquire(&a, false));
    let mut last = later(limiter.acquire(&a, false));
    drop(gone);
    drop(one);
    assert!(poll(&mut last).is_none(), "it is another's turn");
    drop(admitted_and_gone);
    drop(poll(&mut last).unwrap());
    assert_eq!((http(&limiter).waiting, http(&limiter).left), (0, 2));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn the_limit_can_change_and_be_none() {
    let (limiter, a) = (limiter_with(1), call("a.internal"));
    let one = now(limiter.acquire(&a, false));
    let (mut two, mut three) = (later(limiter.acquire(&a, false)), later(limiter.acquire(&a, false)));
    limiter.retune(&limits(2, 0));
    let two = poll(&mut two).unwrap();
    limiter.retune(&limits(1, 0));
    drop(one);
    assert!(poll(&mut three).is_none(), "one is in flight");
    limiter.retune(&limits(0, 0));
    let three = poll(&mut three).unwrap();
    assert!(matches!(limiter.acquire(&a, false), Admission::Granted(None)));
    drop((two, three));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn threads_of_low_priority_have_at_most_half_of_the_places() {
    let (limiter, a) = (limiter_with(3), call("a.internal"));
    let low = [now(limiter.acquire(&a, true)), now(limiter.acquire(&a, true))];
    let mut third = later(limiter.acquire(&a, true));
    let other = now(limiter.acquire(&a, false));
    let mut waits = later(limiter.acquire(&a, false));
    drop(other);
    assert!(poll(&mut third).is_none());
    let other = poll(&mut waits).unwrap();
    drop(low);
    assert!(poll(&mut third).is_some());
    drop((other, third));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn a_kind_as_a_whole_is_limited_too_and_who_came_first_goes_first() {
    let permits = of_kinds(&limits(2, 3));
    let (a, b) = (call("a.internal"), call("b.internal"));
    let (one, two) = (now(permits.acquire(&a, false)), now(permits.acquire(&a, false)));
    let mut third_of_a = later(permits.acquire(&a, false));
    assert_eq!(third_of_a.queue_reason(), QueueReason::Target);
    let three = now(permits.acquire(&b, false));
    let mut second_of_b = later(permits.acquire(&b, false));
    assert_eq!(second_of_b.queue_reason(), QueueReason::Kind);
    drop(three);
    assert!(poll(&mut third_of_a).is_none(), "its target has no room, and the other has");
    let three = poll(&mut second_of_b).unwrap();
    let mut last = later(permits.acquire(&b, false));
    drop(one);
    assert!(poll(&mut last).is_none(), "it came later");
    let one = poll(&mut third_of_a).unwrap();
    permits.retune(&limits(2, 4));
    let four = poll(&mut last).unwrap();
    drop((one, two, three, four));
    assert!(permits.kinds()[0].lock().targets.is_empty());
}

#[test]
fn effects_without_a_target_are_limited_by_their_kind() {
    let kinds = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("sleep".to_owned(), 2)]) };
    let permits = of_kinds(&kinds);
    let mut alone = zerver_engine::StandaloneEffect::new(
        crate::effects::sleep(std::time::Duration::ZERO),
        zerver_engine::Random { seed: 0 },
    );
    alone.advance(None, 0);
    let sleep = alone.take_requested_calls().remove(0).call;
    let (one, two) = (now(permits.acquire(&sleep, false)), now(permits.acquire(&sleep, true)));
    let mut third = later(permits.acquire(&sleep, false));
    drop(one);
    drop((poll(&mut third).unwrap(), two));
    assert!(permits.kinds()[1].lock().targets.is_empty());
    // Of a kind without a limit there may be any number.
    let all = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("http".to_owned(), 1)]) };
    permits.retune(&all);
    assert!((0..9).all(|_| matches!(permits.acquire(&sleep, false), Admission::Granted(None))));
}

#[derive(Debug, Clone)]
enum Do {
    Enter { is_batch_worker: bool, is_other: bool },
    Poll(usize),
    ExitBarrier(usize),
    GoAway(usize),
    Retune(usize, usize),
}

fn anything() -> impl Strategy<Value = Do> {
    prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(is_batch_worker, is_other)| Do::Enter { is_batch_worker, is_other }),
        3 => (0..8_usize).prop_map(Do::Poll),
        3 => (0..8_usize).prop_map(Do::ExitBarrier),
        1 => (0..8_usize).prop_map(Do::GoAway),
        1 => (0..4_usize, 0..5_usize).prop_map(|(target, kind)| Do::Retune(target, kind)),
    ]
}

proptest! {
    /// Whatever happens: never more than there is room for, nobody waits where there is room, nothing is left over.
    #[test]
    fn places_are_conserved(limit in 1..4_usize, kind in 0..5_usize, all in prop::collection::vec(anything(), 0..60)) {
        let limiter = of_kinds(&limits(limit, kind));
        let (a, b) = (call("a.internal"), call("b.internal"));
        let (mut permits, mut waiting): (Vec<Permit>, Vec<PermitWait>) = Default::default();
        let any = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let mut greatest = (any(limit), any(kind));
        for one in all {
            match one {
                Do::Enter { is_batch_worker, is_other } => match limiter.acquire(if is_other { &b } else { &a }, is_batch_worker) {
                    Admission::Granted(permit) => permits.extend(permit),
                    Admission::Queued(later) => waiting.push(later),
                },
                Do::Poll(at) if at < waiting.len() => if let Some(permit) = poll(&mut waiting[at]) {
                    waiting.remove(at);
                    permits.push(permit);
                },
                Do::ExitBarrier(at) if at < permits.len() => drop(permits.remove(at)),
                Do::GoAway(at) if at < waiting.len() => drop(waiting.remove(at)),
                Do::Retune(limit, kind) => {
                    greatest = (greatest.0.max(any(limit)), greatest.1.max(any(kind)));
                    limiter.retune(&limits(limit, kind));
                }
                _ => {}
            }
            let permits = limiter.kinds()[0].lock();
            prop_assert!(permits.in_use.all <= greatest.1);
            prop_assert!(permits.targets.values().all(|target| target.in_use.all <= greatest.0));
            let in_use: usize = permits.targets.values().map(|target| target.in_use.all).sum();
            prop_assert_eq!(permits.in_use.all, in_use);
            prop_assert!(permits.next(None).is_none(), "somebody waits, and there is room");
        }
        drop(waiting);
        drop(permits);
        prop_assert!(limiter.kinds()[0].lock().targets.is_empty());
        prop_assert_eq!((http(&limiter).in_flight, http(&limiter).waiting), (0, 0));
    }
}
