//! Guarantees of the policy, checked on single queues.

use proptest::collection::vec;
use proptest::prelude::*;
use zerver_trace::Class;

use super::*;

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

fn queue_with(change: impl FnOnce(&mut SchedulingSettings)) -> FairQueue {
    let mut settings = SchedulingSettings::default();
    change(&mut settings);
    settings.check().unwrap();
    FairQueue::new(settings)
}

/// Lets every queued request run for `each_ns` and returns their order, as (class, flow).
fn drain(queue: &mut FairQueue, mut now_ns: u64, each_ns: u64) -> Vec<(Class, u16)> {
    let mut order = Vec::new();
    while let Some(turn) = queue.pop(now_ns) {
        assert_eq!(turn.verdict, Ok(()));
        let Ticket { class, flow, .. } = turn.ticket;
        now_ns += each_ns;
        queue.charge(class, flow, each_ns);
        order.push((class, flow));
    }
    order
}

#[test]
fn a_class_that_is_passed_over_gets_its_share() {
    let mut queue = queue_with(|_| ());
    for _ in 0..1000 {
        queue.requeue(Class::Interactive, 0, 0);
    }
    for class in [Class::Default, Class::Batch] {
        for _ in 0..10 {
            queue.requeue(class, 1, 0);
        }
    }
    let order = drain(&mut queue, 0, MS);
    let share = |class| order[..800].iter().filter(|(ran, _)| *ran == class).count();
    // Each turn is a millisecond here. Of eight hundred turns, a tenth would be more than the ten requests there are.
    assert_eq!(share(Class::Default), 10);
    assert_eq!(share(Class::Batch), 10);
    // The first turn has to be earned: ten milliseconds at a tenth, twenty at a twentieth.
    let first = |class| order.iter().position(|(ran, _)| *ran == class).unwrap();
    assert_eq!((first(Class::Interactive), first(Class::Default)), (0, 100));
    assert!((390..=410).contains(&first(Class::Batch)), "{}", first(Class::Batch));
    assert!(queue.counts(Class::Batch).aged > 0);
}

#[test]
fn a_class_that_is_passed_over_gets_no_more_than_its_share_while_others_wait() {
    let mut queue = queue_with(|_| ());
    for class in CLASSES {
        queue.requeue(class, 0, 0);
        queue.requeue(class, 0, 0);
    }
    let (turns, mut ran) = (20_000, [0; 3]);
    for now_ms in 0..turns {
        let class = queue.pop(now_ms * MS).unwrap().ticket.class;
        ran[class as usize] += 1;
        queue.charge(class, 0, MS);
        queue.requeue(class, 0, now_ms * MS);
    }
    // A tenth and a twentieth of what the others ran. A quantum runs as a whole once it is earned.
    for class in [Class::Default, Class::Batch] {
        let set = *SchedulingSettings::default().class(class);
        let (ran, share) = (ran[class as usize], u64::from(set.share));
        let earned = (turns - ran) * share / 1000;
        assert!(ran <= earned && earned - ran <= 4 * set.quantum_ns / MS, "{class}: {ran}, earned {earned}");
    }
}

#[test]
fn flows_of_a_class_share_time_and_not_the_number_of_turns() {
    let mut queue = queue_with(|_| ());
    // Requests of the first flow take ten times as long.
    let mut ran_ns = [0; 2];
    for _ in 0..500 {
        queue.requeue(Class::Default, 0, 0);
    }
    for _ in 0..500 {
        queue.requeue(Class::Default, 1, 0);
    }
    for now in 0..400 {
        let Some(turn) = queue.pop(now) else { break };
        let flow = turn.ticket.flow;
        let ns = if flow == 0 { 10 * MS } else { MS };
        queue.charge(Class::Default, flow, ns);
        ran_ns[usize::from(flow)] += ns;
    }
    let [slow, quick] = ran_ns;
    assert!(slow.abs_diff(quick) <= 20 * MS, "{slow} and {quick}");
}

#[test]
fn a_flow_keeps_its_debt_when_its_requests_leave() {
    let mut queue = queue_with(|_| ());
    queue.requeue(Class::Default, 0, 0);
    let leaves = queue.requeue(Class::Default, 0, 0);
    for _ in 0..200 {
        queue.requeue(Class::Default, 1, 0);
    }
    // After a turn of ten quanta, the other flow gets about nine before this one goes again.
    assert_eq!(queue.pop(0).unwrap().ticket.flow, 0);
    queue.charge(Class::Default, 0, 100 * MS);
    assert!(queue.remove(leaves, 100 * MS));
    queue.requeue(Class::Default, 0, 100 * MS);
    let order = drain(&mut queue, 100 * MS, MS);
    let before = order.iter().position(|(_, flow)| *flow == 0).unwrap();
    assert!((80..=100).contains(&before), "{before}");
}

#[test]
fn one_long_step_does_not_block_its_flow_for_ever() {
    let mut queue = queue_with(|_| ());
    queue.requeue(Class::Default, 0, 0);
    for _ in 0..400 {
        queue.requeue(Class::Default, 1, 0);
    }
    assert_eq!(queue.pop(0).unwrap().ticket.flow, 0);
    queue.charge(Class::Default, 0, 10_000 * MS);
    queue.requeue(Class::Default, 0, 0);
    // The debt is limited to sixteen quanta of ten milliseconds; the other flow has one more before and after.
    let order = drain(&mut queue, 0, MS);
    let before = order.iter().position(|(_, flow)| *flow == 0).unwrap();
    assert!((160..=180).contains(&before), "{before}");
}

#[test]
fn only_requests_that_have_not_run_a_step_can_be_stolen() {
    let mut queue = queue_with(|_| ());
    for flow in [0, 1] {
        queue.requeue(Class::Interactive, flow, 0);
    }
    assert!(!queue.has_stealable() && queue.steal(0).is_none());
    let new = queue.admit(Class::Default, 1, 0).unwrap();
    let urgent = queue.admit(Class::Interactive, 1, 0).unwrap();
    assert!(queue.has_stealable());
    assert_eq!([(); 3].map(|()| queue.steal(0)), [Some(urgent), Some(new), None]);
    assert_eq!((queue.len(Class::Interactive), queue.has_stealable()), (2, false));
}

#[test]
fn a_burst_runs_and_a_standing_queue_is_shed() {
    let mut queue = queue_with(|_| ());
    let class = Class::Interactive;
    // A burst: requests may wait for up to the interval.
    for _ in 0..3 {
        queue.admit(class, 0, 0).unwrap();
    }
    assert_eq!(queue.pop(36 * MS).unwrap().verdict, Ok(()));
    assert_eq!(queue.pop(41 * MS).unwrap().verdict, Err(Shed { class, reason: ShedReason::WaitedTooLong }));
    // The queue has not been empty for an interval: from now on the target is the limit.
    assert!(queue.pop(42 * MS).unwrap().verdict.is_err(), "the last of the burst");
    queue.admit(class, 0, 40 * MS).unwrap();
    assert_eq!(queue.pop(51 * MS).unwrap().verdict, Err(Shed { class, reason: ShedReason::WaitedTooLong }));
    // The overload goes on although the queue was empty once,
    queue.admit(class, 0, 50 * MS).unwrap();
    assert_eq!(queue.pop(61 * MS).unwrap().verdict, Err(Shed { class, reason: ShedReason::WaitedTooLong }));
    // until nothing has been shed for an interval. A request that has run before is never shed.
    queue.admit(class, 0, 200 * MS).unwrap();
    assert_eq!(queue.pop(236 * MS).unwrap().verdict, Ok(()));
    queue.requeue(class, 0, 236 * MS);
    assert_eq!(queue.pop(900 * MS).unwrap().verdict, Ok(()));
    assert_eq!(queue.counts(class).shed_waited_too_long, 4);
}

#[test]
fn a_full_queue_sheds_and_names_the_class_to_fall_back_to() {
    let mut queue = queue_with(|settings| {
        for class in CLASSES {
            settings.class_mut(class).queue = 1;
        }
    });
    for (class, fallback) in
        [(Class::Interactive, None), (Class::Default, Some(Class::Batch)), (Class::Batch, None)]
    {
        let ticket = queue.admit(class, 0, 0).unwrap();
        let shed = queue.admit(class, 0, 0).unwrap_err();
        assert_eq!((shed.reason, shed.fallback_class()), (ShedReason::QueueFull, fallback));
        assert!(queue.remove(ticket, 1) && !queue.remove(ticket, 1));
        assert!(queue.admit(class, 0, 1).is_ok());
    }
}

#[test]
fn a_step_that_overruns_often_gets_its_flow_reclassified() {
    let settings =
        SchedulingSettings { overruns: OverrunLimit { times: 3, of: 10 }, ..SchedulingSettings::default() };
    let mut overruns = OverrunTracker::new(&settings, 1);
    let mut run = |overran: bool| {
        overruns.request_started(0);
        if overran { overruns.record_overrun(0, 4, 7) } else { None }
    };
    // Every tenth request is not often.
    for at in 0..100 {
        assert_eq!(run(at % 10 == 0), None);
    }
    // Three times among ten.
    assert_eq!((run(true), run(false), run(true)), (None, None, None));
    assert_eq!(run(true), Some(7 + settings.probation_ns));
    // The count starts from zero again.
    assert_eq!((run(true), run(true)), (None, None));
    assert!(run(true).is_some());
    assert_eq!(overruns.record_overrun(9, 0, 0), None, "there is no such flow");
}

#[test]
fn a_flow_is_suspect_while_its_last_overrun_counts() {
    let settings =
        SchedulingSettings { overruns: OverrunLimit { times: 3, of: 10 }, ..SchedulingSettings::default() };
    let mut overruns = OverrunTracker::new(&settings, 2);
    overruns.request_started(0);
    assert!(!overruns.is_suspect(0));
    overruns.record_overrun(0, 4, 7);
    assert!(overruns.is_suspect(0) && !overruns.is_suspect(1) && !overruns.is_suspect(9));
    (0..9).for_each(|_| overruns.request_started(0));
    assert!(overruns.is_suspect(0));
    overruns.request_started(0);
    assert!(!overruns.is_suspect(0));
}

#[test]
fn the_newest_request_goes_first_once_one_has_waited_for_long() {
    let order = |class: Class, first_ms: u64| {
        let mut queue = queue_with(|_| ());
        let set = *SchedulingSettings::default().class(class);
        let started = queue.requeue(class, 0, 0);
        let tickets: Vec<_> = (0..3).map(|_| queue.admit(class, 0, 0).unwrap()).collect();
        let mut order = Vec::new();
        while let Some(turn) = queue.pop(set.target_ns / 3 * 2 + first_ms) {
            order.push(tickets.iter().position(|ticket| *ticket == turn.ticket));
            assert!(order.last() != Some(&None) || turn.ticket == started);
        }
        order
    };
    let (oldest, newest) = ([None, Some(0), Some(1), Some(2)], [None, Some(2), Some(1), Some(0)]);
    for class in [Class::Interactive, Class::Default] {
        assert_eq!((order(class, 0), order(class, 1)), (oldest.to_vec(), newest.to_vec()), "{class}");
    }
    assert_eq!(order(Class::Batch, 1), oldest);
}

#[test]
fn an_invalid_setting_is_named() {
    let check = |change: fn(&mut SchedulingSettings), message: &str| {
        let mut settings = SchedulingSettings::default();
        change(&mut settings);
        assert_eq!(settings.check().map_err(|error| error.to_string()), Err(message.to_owned()));
    };
    assert_eq!(SchedulingSettings::default().check(), Ok(()));
    check(|s| s.batch.queue = 0, "invalid batch.queue: must be at least 1");
    check(|s| s.default.quantum_ns = 0, "invalid default.quantum: must be longer than 0");
    check(
        |s| s.interactive.target_ns = u64::MAX,
        "invalid interactive.target: must be no longer than interactive.interval",
    );
    check(
        |s| s.batch.share = 901,
        "invalid share: must be at most 1000 thousandths for interactive, default and batch together",
    );
    let times = "invalid overruns.times: must be from 1 to 10000, and at most overruns.of";
    check(|s| s.overruns.times = 33, times);
    check(|s| s.overruns = OverrunLimit { times: u32::MAX, of: u64::MAX }, times);
}

proptest! {
    #[test]
    fn every_wait_is_bounded(
        others in vec((0..3usize, 0..4u16, 1..20 * MS), 1..300),
        class in 1..3usize,
    ) {
        let mut queue = queue_with(|_| ());
        let class = CLASSES[class];
        for &(class, flow, _) in &others {
            queue.requeue(CLASSES[class], flow, 0);
        }
        let mine = queue.requeue(class, 9, 0);
        // The class has to earn a quantum by its share, and the other flows of the class have their turns.
        let set = *SchedulingSettings::default().class(class);
        let longest_ns = 20 * MS;
        let earned_ns = set.quantum_ns * 1000 / u64::from(set.share);
        let bound_ns = 6 * (earned_ns + 40 * set.quantum_ns) + 40 * longest_ns;
        let mut now_ns = 0;
        let mut at = 0;
        loop {
            prop_assert!(now_ns <= bound_ns, "waited for {} ms, the bound is {} ms", now_ns / MS, bound_ns / MS);
            let turn = queue.pop(now_ns).expect("mine is still queued");
            if turn.ticket == mine {
                break;
            }
            // Every other request queues again after its turn, so the others never run out.
            let (_, _, ns) = others[at % others.len()];
            at += 1;
            now_ns += ns;
            queue.charge(turn.ticket.class, turn.ticket.flow, ns);
            queue.requeue(turn.ticket.class, turn.ticket.flow, now_ns);
        }
    }

    #[test]
    fn flows_with_queued_requests_get_the_same_run_time(
        class in 0..3usize,
        longest in vec(1..20 * MS, 2..6),
        turns in vec((0..=1000_u64, proptest::option::weighted(0.02, 0..6usize)), 1..600),
    ) {
        let mut queue = queue_with(|_| ());
        let class = CLASSES[class];
        let quantum_ns = SchedulingSettings::default().class(class).quantum_ns;
        // Each flow has been granted credit as often as the others, give or take once. At the start and at the end, its
        // credit is at most a quantum and its debt at most its longest turn.
        let bound_ns = 3 * quantum_ns + 2 * longest.iter().max().unwrap();
        let mut is_competing = vec![true; longest.len()];
        // Two per flow, so that one is queued while the other runs.
        for flow in (0..longest.len()).chain(0..longest.len()) {
            queue.requeue(class, flow as u16, 0);
        }
        let (mut now_ns, mut ran_ns) = (0, vec![0_u64; longest.len()]);
        for (thousandths, changes) in turns {
            // A flow joins or leaves: the comparison starts from zero.
            if let Some(flow) = changes.filter(|flow| *flow < longest.len()) {
                is_competing[flow] = !is_competing[flow];
                if is_competing[flow] {
                    queue.requeue(class, flow as u16, now_ns);
                    queue.requeue(class, flow as u16, now_ns);
                }
                ran_ns.fill(0);
            }
            let Some(turn) = queue.pop(now_ns) else { continue };
            let flow = usize::from(turn.ticket.flow);
            let ns = longest[flow] * thousandths / 1000;
            now_ns += ns;
            queue.charge(class, turn.ticket.flow, ns);
            if is_competing[flow] {
                queue.requeue(class, turn.ticket.flow, now_ns);
                ran_ns[flow] += ns;
            }
            let competing = || std::iter::zip(&ran_ns, &is_competing).filter(|(_, is)| **is).map(|(ns, _)| *ns);
            let (least, most) = (competing().min().unwrap_or(0), competing().max().unwrap_or(0));
            prop_assert!(most - least <= bound_ns, "{ran_ns:?} of {is_competing:?}: more than {bound_ns} apart");
        }
    }

    #[test]
    fn queues_keep_their_limits_and_their_order(
        steps in vec((0..4u8, 0..3usize, 0..3u16, 0..20 * MS), 0..400),
        max_len in 1..6usize,
    ) {
        let mut queue = queue_with(|settings| {
            for class in CLASSES {
                settings.class_mut(class).queue = max_len;
            }
        });
        let (mut now_ns, mut waiting, mut done) = (0, Vec::new(), 0_usize);
        let mut admitted = 0;
        for (what, class, flow, ns) in steps {
            now_ns += ns;
            let class = CLASSES[class];
            match what {
                0 | 1 => match queue.admit(class, flow, now_ns) {
                    Ok(ticket) => {
                        admitted += 1;
                        waiting.push((ticket, now_ns));
                    }
                    Err(_) => prop_assert_eq!(queue.len(class), max_len),
                },
                2 => if let Some(turn) = queue.pop(now_ns) {
                    let Ticket { class, flow, .. } = turn.ticket;
                    let of_class = || waiting.iter().filter(|(ticket, _)| ticket.class == class);
                    let oldest_ns = of_class().map(|(_, since_ns)| now_ns - since_ns).max().unwrap_or(0);
                    let is_slow = oldest_ns > SchedulingSettings::default().class(class).target_ns / 3 * 2;
                    let mut of_flow = of_class().map(|(ticket, _)| *ticket).filter(|other| other.flow == flow);
                    let first = match turn.verdict.is_ok() && is_slow && class != Class::Batch {
                        true => of_flow.next_back(),
                        false => of_flow.next(),
                    };
                    prop_assert_eq!(first, Some(turn.ticket));
                    waiting.retain(|(ticket, _)| *ticket != turn.ticket);
                    done += 1;
                    queue.charge(turn.ticket.class, turn.ticket.flow, ns);
                },
                _ => if !waiting.is_empty() {
                    let (ticket, _) = waiting.remove(ns as usize % waiting.len());
                    prop_assert!(queue.remove(ticket, now_ns));
                    done += 1;
                },
            }
            prop_assert!(CLASSES.iter().all(|class| queue.len(*class) <= max_len));
        }
        prop_assert_eq!(admitted, done + waiting.len());
        prop_assert_eq!(queue.is_empty(), waiting.is_empty());
        let counts: u64 = CLASSES.iter().map(|&class| {
            let counts = queue.counts(class);
            counts.queued - counts.ran - counts.shed_waited_too_long - counts.left
        }).sum();
        prop_assert_eq!(counts, waiting.len() as u64);
    }
}
