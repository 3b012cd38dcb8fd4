//! Tests of the order in which permits are granted, and of the limits.

use std::task::Waker;

use proptest::prelude::*;

use super::*;
use crate::effects::http;

fn limiter_with(limit: usize) -> EffectLimiter {
    limiter_of(&limits(limit, 0))
}

fn limiter_of(limits: &EffectLimits) -> EffectLimiter {
    let limiter = EffectLimiter::new(limits);
    limiter.set_kinds(["http", "sleep"].into_iter(), limits);
    limiter
}

/// Limits per target, and for all effects of the kind `http`.
fn limits(per_target: usize, http: usize) -> EffectLimits {
    EffectLimits { per_target, per_kind: BTreeMap::from([("http".to_owned(), http)]) }
}

fn call(host: &str) -> Call {
    let mut effect = zerver_engine::StandaloneEffect::new(
        http::get(format!("http://{host}/")).send(),
        zerver_engine::Random { seed: 0 },
    );
    effect.advance(None, 0);
    effect.take_requested_calls().remove(0).call
}

fn granted(admission: Admission) -> Permit {
    match admission {
        Admission::Granted(permit) => permit.unwrap(),
        Admission::Queued(_) => panic!("the effect is queued"),
    }
}

fn queued(admission: Admission) -> PermitWait {
    match admission {
        Admission::Granted(_) => panic!("the effect is not queued"),
        Admission::Queued(waiting) => waiting,
    }
}

/// Returns the permit if the wait is over.
fn poll(waiting: &mut PermitWait) -> Option<Permit> {
    match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

fn acquire(limiter: &EffectLimiter, call: &Call, is_batch_worker: bool) -> Admission {
    limiter.acquire(call, call.target().as_deref().map(|target| (target, None)), is_batch_worker)
}

fn http(limiter: &EffectLimiter) -> EffectMetrics {
    let metrics = limiter.metrics().remove(0);
    EffectMetrics { waited_ns: 0, ..metrics }
}

#[test]
fn permits_are_granted_in_order_and_per_target() {
    let (limiter, a) = (limiter_with(2), call("a.internal"));
    let acquire_a = || acquire(&limiter, &a, false);
    let (one, two) = (granted(acquire_a()), granted(acquire_a()));
    let (mut three, mut four) = (queued(acquire_a()), queued(acquire_a()));
    drop(granted(acquire(&limiter, &call("b.internal"), false)));
    assert!(poll(&mut four).is_none() && poll(&mut three).is_none());
    drop(two);
    assert!(poll(&mut four).is_none(), "the third effect goes first");
    let three = poll(&mut three).unwrap();
    drop(one);
    let four = poll(&mut four).unwrap();
    let expected = EffectMetrics { in_flight: 2, waits: 2, kind: "http".to_owned(), ..Default::default() };
    assert_eq!(http(&limiter), expected);
    drop((three, four));
    assert!(limiter.kinds().iter().all(|kind| kind.lock().targets.is_empty()), "no target is kept");
}

#[test]
fn a_dropped_wait_blocks_no_other_whether_or_not_it_was_granted() {
    let (limiter, a) = (limiter_with(1), call("a.internal"));
    let one = granted(acquire(&limiter, &a, false));
    let dropped = queued(acquire(&limiter, &a, false));
    let dropped_when_granted = queued(acquire(&limiter, &a, false));
    let mut last = queued(acquire(&limiter, &a, false));
    drop(dropped);
    drop(one);
    assert!(poll(&mut last).is_none(), "an older wait was granted the permit");
    drop(dropped_when_granted);
    drop(poll(&mut last).unwrap());
    assert_eq!((http(&limiter).waiting, http(&limiter).left), (0, 2));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn a_limit_can_change_and_be_removed() {
    let (limiter, a) = (limiter_with(1), call("a.internal"));
    let one = granted(acquire(&limiter, &a, false));
    let (mut two, mut three) = (queued(acquire(&limiter, &a, false)), queued(acquire(&limiter, &a, false)));
    limiter.retune(&limits(2, 0));
    let two = poll(&mut two).unwrap();
    limiter.retune(&limits(1, 0));
    drop(one);
    assert!(poll(&mut three).is_none(), "one effect is still in flight");
    limiter.retune(&limits(0, 0));
    let three = poll(&mut three).unwrap();
    assert!(matches!(acquire(&limiter, &a, false), Admission::Granted(None)));
    drop((two, three));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn batch_workers_get_at_most_half_of_the_permits() {
    let (limiter, a) = (limiter_with(3), call("a.internal"));
    let batch = [granted(acquire(&limiter, &a, true)), granted(acquire(&limiter, &a, true))];
    let mut third = queued(acquire(&limiter, &a, true));
    let other = granted(acquire(&limiter, &a, false));
    let mut waits = queued(acquire(&limiter, &a, false));
    drop(other);
    assert!(poll(&mut third).is_none());
    let other = poll(&mut waits).unwrap();
    drop(batch);
    assert!(poll(&mut third).is_some());
    drop((other, third));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn the_limit_of_a_kind_applies_to_all_its_targets_in_order_of_arrival() {
    let limiter = limiter_of(&limits(2, 3));
    let (a, b) = (call("a.internal"), call("b.internal"));
    let (one, two) = (granted(acquire(&limiter, &a, false)), granted(acquire(&limiter, &a, false)));
    let mut third_of_a = queued(acquire(&limiter, &a, false));
    assert_eq!(third_of_a.queue_reason(), QueueReason::Target);
    let three = granted(acquire(&limiter, &b, false));
    let mut second_of_b = queued(acquire(&limiter, &b, false));
    assert_eq!(second_of_b.queue_reason(), QueueReason::Kind);
    drop(three);
    assert!(poll(&mut third_of_a).is_none(), "its own target is full; the permit goes to the other target");
    let three = poll(&mut second_of_b).unwrap();
    let mut last = queued(acquire(&limiter, &b, false));
    drop(one);
    assert!(poll(&mut last).is_none(), "a wait for the other target is older");
    let one = poll(&mut third_of_a).unwrap();
    limiter.retune(&limits(2, 4));
    let four = poll(&mut last).unwrap();
    drop((one, two, three, four));
    assert!(limiter.kinds()[0].lock().targets.is_empty());
}

#[test]
fn effects_without_a_target_are_limited_by_their_kind() {
    let kinds = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("sleep".to_owned(), 2)]) };
    let limiter = limiter_of(&kinds);
    let mut effect = zerver_engine::StandaloneEffect::new(
        crate::effects::sleep(std::time::Duration::ZERO),
        zerver_engine::Random { seed: 0 },
    );
    effect.advance(None, 0);
    let sleep = effect.take_requested_calls().remove(0).call;
    let (one, two) = (granted(acquire(&limiter, &sleep, false)), granted(acquire(&limiter, &sleep, true)));
    let mut third = queued(acquire(&limiter, &sleep, false));
    drop(one);
    drop((poll(&mut third).unwrap(), two));
    assert!(limiter.kinds()[1].lock().targets.is_empty());
    // A kind without a limit may have any number of effects in flight.
    let unlimited = EffectLimits { per_target: 1, per_kind: BTreeMap::from([("http".to_owned(), 1)]) };
    limiter.retune(&unlimited);
    assert!((0..9).all(|_| matches!(acquire(&limiter, &sleep, false), Admission::Granted(None))));
}

#[derive(Debug, Clone)]
enum Action {
    Acquire { is_batch_worker: bool, is_other_target: bool },
    Poll(usize),
    Release(usize),
    Cancel(usize),
    Retune(usize, usize),
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(is_batch_worker, is_other_target)| Action::Acquire { is_batch_worker, is_other_target }),
        3 => (0..8_usize).prop_map(Action::Poll),
        3 => (0..8_usize).prop_map(Action::Release),
        1 => (0..8_usize).prop_map(Action::Cancel),
        1 => (0..4_usize, 0..5_usize).prop_map(|(target, kind)| Action::Retune(target, kind)),
    ]
}

proptest! {
    /// After any actions, no limit is exceeded, no effect waits while there is room, and no state is left over.
    #[test]
    fn permits_are_conserved(limit in 1..4_usize, kind in 0..5_usize, actions in prop::collection::vec(action(), 0..60)) {
        let limiter = limiter_of(&limits(limit, kind));
        let (a, b) = (call("a.internal"), call("b.internal"));
        let (mut permits, mut waiting): (Vec<Permit>, Vec<PermitWait>) = Default::default();
        let effective = |limit: usize| if limit == 0 { usize::MAX } else { limit };
        let mut highest = (effective(limit), effective(kind));
        for action in actions {
            match action {
                Action::Acquire { is_batch_worker, is_other_target } => match acquire(&limiter, if is_other_target { &b } else { &a }, is_batch_worker) {
                    Admission::Granted(permit) => permits.extend(permit),
                    Admission::Queued(wait) => waiting.push(wait),
                },
                Action::Poll(at) if at < waiting.len() => if let Some(permit) = poll(&mut waiting[at]) {
                    waiting.remove(at);
                    permits.push(permit);
                },
                Action::Release(at) if at < permits.len() => drop(permits.remove(at)),
                Action::Cancel(at) if at < waiting.len() => drop(waiting.remove(at)),
                Action::Retune(limit, kind) => {
                    highest = (highest.0.max(effective(limit)), highest.1.max(effective(kind)));
                    limiter.retune(&limits(limit, kind));
                }
                _ => {}
            }
            let permits = limiter.kinds()[0].lock();
            prop_assert!(permits.in_use.all <= highest.1);
            prop_assert!(permits.targets.values().all(|target| target.in_use.all <= highest.0));
            let in_use: usize = permits.targets.values().map(|target| target.in_use.all).sum();
            prop_assert_eq!(permits.in_use.all, in_use);
            prop_assert!(permits.next_waiter(None).is_none(), "an effect waits although there is room");
        }
        drop(waiting);
        drop(permits);
        prop_assert!(limiter.kinds()[0].lock().targets.is_empty());
        prop_assert_eq!((http(&limiter).in_flight, http(&limiter).waiting), (0, 0));
    }
}
