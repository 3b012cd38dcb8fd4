//! What the policy promises, tried on random queues.

use proptest::collection::vec;
use proptest::prelude::*;
use zerver_trace::Class;

use super::*;

const US: u64 = 1_000;
const MS: u64 = 1_000 * US;

fn ready(change: impl FnOnce(&mut Scheduling)) -> Ready {
    let mut settings = Scheduling::default();
    change(&mut settings);
    settings.check().unwrap();
    Ready::new(settings)
}

/// Gives everybody who waits a turn of so long; in which order they had it, as (class, flow).
fn drain(ready: &mut Ready, mut now_ns: u64, each_ns: u64) -> Vec<(Class, u16)> {
    let mut order = Vec::new();
    while let Some(turn) = ready.next(now_ns) {
        assert_eq!(turn.goes, Ok(()));
        let Ticket { class, flow, .. } = turn.ticket;
        now_ns += each_ns;
        ready.ran(class, flow, each_ns);
        order.push((class, flow));
    }
    order
}

#[test]
fn a_class_that_is_passed_over_gets_its_share() {
    let mut ready = ready(|_| ());
    for _ in 0..1000 {
        ready.enter_again(Class::Interactive, 0, 0);
    }
    for class in [Class::Default, Class::Batch] {
        for _ in 0..10 {
            ready.enter_again(class, 1, 0);
        }
    }
    let order = drain(&mut ready, 0, MS);
    let share = |class| order[..800].iter().filter(|(ran, _)| *ran == class).count();
    // A turn is a millisecond here: of eight hundred, ten in a hundred would be more than the ten there are.
    assert_eq!(share(Class::Default), 10);
    assert_eq!(share(Class::Batch), 10);
    // The first has to be earned: ten milliseconds at a tenth, twenty at a twentieth.
    let first = |class| order.iter().position(|(ran, _)| *ran == class).unwrap();
    assert_eq!((first(Class::Interactive), first(Class::Default)), (0, 100));
    assert!((390..=410).contains(&first(Class::Batch)), "{}", first(Class::Batch));
    assert!(ready.counts(Class::Batch).aged > 0);
}

#[test]
fn a_class_that_is_passed_over_gets_its_share_and_no_more_while_others_wait() {
    let mut ready = ready(|_| ());
    for class in CLASSES {
        ready.enter_again(class, 0, 0);
        ready.enter_again(class, 0, 0);
    }
    let (turns, mut ran) = (20_000, [0; 3]);
    for now_ms in 0..turns {
        let class = ready.next(now_ms * MS).unwrap().ticket.class;
        ran[class as usize] += 1;
        ready.ran(class, 0, MS);
        ready.enter_again(class, 0, now_ms * MS);
    }
    // A tenth and a twentieth of what the others ran; a quantum that has been earned is run as a whole.
    for class in [Class::Default, Class::Batch] {
        let set = *Scheduling::default().class(class);
        let (ran, share) = (ran[class as usize], u64::from(set.share));
        let earned = (turns - ran) * share / 1000;
        assert!(ran <= earned && earned - ran <= 4 * set.quantum_ns / MS, "{class}: {ran}, earned {earned}");
    }
}

#[test]
fn flows_of_a_class_take_turns_by_time_and_not_by_number() {
    let mut ready = ready(|_| ());
    // The first flow has many more waiting, and each takes ten times as long.
    let mut ran_ns = [0; 2];
    for _ in 0..500 {
        ready.enter_again(Class::Default, 0, 0);
    }
    for _ in 0..500 {
        ready.enter_again(Class::Default, 1, 0);
    }
    for now in 0..400 {
        let Some(turn) = ready.next(now) else { break };
        let flow = turn.ticket.flow;
        let ns = if flow == 0 { 10 * MS } else { MS };
        ready.ran(Class::Default, flow, ns);
        ran_ns[usize::from(flow)] += ns;
    }
    let [slow, quick] = ran_ns;
    assert!(slow.abs_diff(quick) <= 20 * MS, "{slow} and {quick}");
}

#[test]
fn a_flow_whose_requests_leave_keeps_its_debts() {
    let mut ready = ready(|_| ());
    ready.enter_again(Class::Default, 0, 0);
    let leaves = ready.enter_again(Class::Default, 0, 0);
    for _ in 0..200 {
        ready.enter_again(Class::Default, 1, 0);
    }
    // A turn as long as ten quanta: the other flow has nine, then, before it goes again.
    assert_eq!(ready.next(0).unwrap().ticket.flow, 0);
    ready.ran(Class::Default, 0, 100 * MS);
    assert!(ready.leave(leaves, 100 * MS));
    ready.enter_again(Class::Default, 0, 100 * MS);
    let order = drain(&mut ready, 100 * MS, MS);
    let before = order.iter().position(|(_, flow)| *flow == 0).unwrap();
    assert!((80..=100).contains(&before), "{before}");
}

#[test]
fn a_flow_is_not_forgotten_for_one_long_step() {
    let mut ready = ready(|_| ());
    ready.enter_again(Class::Default, 0, 0);
    for _ in 0..400 {
        ready.enter_again(Class::Default, 1, 0);
    }
    assert_eq!(ready.next(0).unwrap().ticket.flow, 0);
    ready.ran(Class::Default, 0, 10_000 * MS);
    ready.enter_again(Class::Default, 0, 0);
    // It owes no more than sixteen quanta of ten milliseconds, and the other has one before and after.
    let order = drain(&mut ready, 0, MS);
    let before = order.iter().position(|(_, flow)| *flow == 0).unwrap();
    assert!((160..=180).contains(&before), "{before}");
}

#[test]
fn only_what_has_run_no_step_goes_to_another_worker() {
    let mut ready = ready(|_| ());
    for flow in [0, 1] {
        ready.enter_again(Class::Interactive, flow, 0);
    }
    assert!(!ready.has_new() && ready.steal(0).is_none());
    let new = ready.enter(Class::Default, 1, 0).unwrap();
    let urgent = ready.enter(Class::Interactive, 1, 0).unwrap();
    assert!(ready.has_new());
    assert_eq!([(); 3].map(|()| ready.steal(0)), [Some(urgent), Some(new), None]);
    assert_eq!((ready.len(Class::Interactive), ready.has_new()), (2, false));
}

#[test]
fn a_burst_is_let_through_and_a_standing_queue_is_cut() {
    let mut ready = ready(|_| ());
    let class = Class::Interactive;
    // A burst: within the interval all may wait for so long.
    for _ in 0..3 {
        ready.enter(class, 0, 0).unwrap();
    }
    assert_eq!(ready.next(36 * MS).unwrap().goes, Ok(()));
    assert_eq!(ready.next(41 * MS).unwrap().goes, Err(Refused { class, why: Why::Late }));
    // The queue has stood for an interval: now only the target counts.
    assert!(ready.next(42 * MS).unwrap().goes.is_err(), "the last of the burst");
    ready.enter(class, 0, 40 * MS).unwrap();
    assert_eq!(ready.next(51 * MS).unwrap().goes, Err(Refused { class, why: Why::Late }));
    // Empty once, it is still the same overload,
    ready.enter(class, 0, 50 * MS).unwrap();
    assert_eq!(ready.next(61 * MS).unwrap().goes, Err(Refused { class, why: Why::Late }));
    // until nobody had to be sent away for an interval. One that has run before is never sent away.
    ready.enter(class, 0, 200 * MS).unwrap();
    assert_eq!(ready.next(236 * MS).unwrap().goes, Ok(()));
    ready.enter_again(class, 0, 236 * MS);
    assert_eq!(ready.next(900 * MS).unwrap().goes, Ok(()));
    assert_eq!(ready.counts(class).late, 4);
}

#[test]
fn a_full_queue_refuses_and_says_where_to_go() {
    let mut ready = ready(|settings| {
        for class in CLASSES {
            settings.class_mut(class).queue = 1;
        }
    });
    for (class, instead) in
        [(Class::Interactive, None), (Class::Default, Some(Class::Batch)), (Class::Batch, None)]
    {
        let ticket = ready.enter(class, 0, 0).unwrap();
        let refused = ready.enter(class, 0, 0).unwrap_err();
        assert_eq!((refused.why, refused.instead()), (Why::Full, instead));
        assert!(ready.leave(ticket, 1) && !ready.leave(ticket, 1));
        assert!(ready.enter(class, 0, 1).is_ok());
    }
}

#[test]
fn a_step_that_overruns_often_moves_its_flow() {
    let settings = Scheduling { overruns: Often { times: 3, of: 10 }, ..Scheduling::default() };
    let mut overruns = Overruns::new(&settings, 1);
    let mut run = |overran: bool| {
        overruns.begin(0);
        if overran { overruns.overran(0, 4, 7) } else { None }
    };
    // Each tenth request: that is not often.
    for at in 0..100 {
        assert_eq!(run(at % 10 == 0), None);
    }
    // Thrice among ten.
    assert_eq!((run(true), run(false), run(true)), (None, None, None));
    assert_eq!(run(true), Some(7 + settings.probation_ns));
    // It begins anew.
    assert_eq!((run(true), run(true)), (None, None));
    assert!(run(true).is_some());
    assert_eq!(overruns.overran(9, 0, 0), None, "a flow nobody knows");
}

#[test]
fn a_flow_is_suspect_for_as_many_requests_as_an_overrun_counts() {
    let settings = Scheduling { overruns: Often { times: 3, of: 10 }, ..Scheduling::default() };
    let mut overruns = Overruns::new(&settings, 2);
    overruns.begin(0);
    assert!(!overruns.is_suspect(0));
    overruns.overran(0, 4, 7);
    assert!(overruns.is_suspect(0) && !overruns.is_suspect(1) && !overruns.is_suspect(9));
    (0..9).for_each(|_| overruns.begin(0));
    assert!(overruns.is_suspect(0));
    overruns.begin(0);
    assert!(!overruns.is_suspect(0));
}

#[test]
fn the_newest_goes_first_once_somebody_has_waited_for_long() {
    let order = |class: Class, first_ms: u64| {
        let mut ready = ready(|_| ());
        let set = *Scheduling::default().class(class);
        let begun = ready.enter_again(class, 0, 0);
        let tickets: Vec<_> = (0..3).map(|_| ready.enter(class, 0, 0).unwrap()).collect();
        let mut order = Vec::new();
        while let Some(turn) = ready.next(set.target_ns / 3 * 2 + first_ms) {
            order.push(tickets.iter().position(|ticket| *ticket == turn.ticket));
            assert!(order.last() != Some(&None) || turn.ticket == begun);
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
fn a_wrong_setting_is_named() {
    let check = |change: fn(&mut Scheduling), message: &str| {
        let mut settings = Scheduling::default();
        change(&mut settings);
        assert_eq!(settings.check().map_err(|error| error.to_string()), Err(message.to_owned()));
    };
    assert_eq!(Scheduling::default().check(), Ok(()));
    check(|s| s.batch.queue = 0, "batch.queue is wrong; it is at least 1");
    check(|s| s.default.quantum_ns = 0, "default.quantum is wrong; it is longer than nothing");
    check(
        |s| s.interactive.target_ns = u64::MAX,
        "interactive.target is wrong; it is no longer than the interval of its class",
    );
    check(|s| s.batch.share = 901, "share is wrong; it is at most 1000 thousandths for all classes together");
    let times = "overruns.times is wrong; it is at least 1, at most 10000, and no more than overruns.of";
    check(|s| s.overruns.times = 33, times);
    check(|s| s.overruns = Often { times: u32::MAX, of: u64::MAX }, times);
}

proptest! {
    #[test]
    fn who_waits_is_served_within_a_bound(
        others in vec((0..3usize, 0..4u16, 1..20 * MS), 1..300),
        class in 1..3usize,
    ) {
        let mut ready = ready(|_| ());
        let class = CLASSES[class];
        for &(class, flow, _) in &others {
            ready.enter_again(CLASSES[class], flow, 0);
        }
        let mine = ready.enter_again(class, 9, 0);
        // A quantum has to be earned at the share of the class, besides the turns of the flows of its own class.
        let set = *Scheduling::default().class(class);
        let longest_ns = 20 * MS;
        let earned_ns = set.quantum_ns * 1000 / u64::from(set.share);
        let bound_ns = 6 * (earned_ns + 40 * set.quantum_ns) + 40 * longest_ns;
        let mut now_ns = 0;
        let mut at = 0;
        loop {
            prop_assert!(now_ns <= bound_ns, "waits {} ms, and {} were allowed", now_ns / MS, bound_ns / MS);
            let turn = ready.next(now_ns).expect("mine waits");
            if turn.ticket == mine {
                break;
            }
            // Whoever had a turn wants the next one too: there is no end of others.
            let (_, _, ns) = others[at % others.len()];
            at += 1;
            now_ns += ns;
            ready.ran(turn.ticket.class, turn.ticket.flow, ns);
            ready.enter_again(turn.ticket.class, turn.ticket.flow, now_ns);
        }
    }

    #[test]
    fn flows_of_a_class_that_have_something_waiting_run_for_as_long_as_each_other(
        class in 0..3usize,
        longest in vec(1..20 * MS, 2..6),
        turns in vec((0..=1000_u64, proptest::option::weighted(0.02, 0..6usize)), 1..600),
    ) {
        let mut ready = ready(|_| ());
        let class = CLASSES[class];
        let quantum_ns = Scheduling::default().class(class).quantum_ns;
        // Each flow has been granted as often as the others, but for one time; what it has left over, or owes, is between
        // a quantum and its longest turn, at the beginning and at the end.
        let bound_ns = 3 * quantum_ns + 2 * longest.iter().max().unwrap();
        let mut is_there = vec![true; longest.len()];
        // Two, so that one waits while the other runs.
        for flow in (0..longest.len()).chain(0..longest.len()) {
            ready.enter_again(class, flow as u16, 0);
        }
        let (mut now_ns, mut ran_ns) = (0, vec![0_u64; longest.len()]);
        for (thousandths, changes) in turns {
            // One that comes or goes: from then on it is another competition.
            if let Some(flow) = changes.filter(|flow| *flow < longest.len()) {
                is_there[flow] = !is_there[flow];
                if is_there[flow] {
                    ready.enter_again(class, flow as u16, now_ns);
                    ready.enter_again(class, flow as u16, now_ns);
                }
                ran_ns.fill(0);
            }
            let Some(turn) = ready.next(now_ns) else { continue };
            let flow = usize::from(turn.ticket.flow);
            let ns = longest[flow] * thousandths / 1000;
            now_ns += ns;
            ready.ran(class, turn.ticket.flow, ns);
            if is_there[flow] {
                ready.enter_again(class, turn.ticket.flow, now_ns);
                ran_ns[flow] += ns;
            }
            let compete = || std::iter::zip(&ran_ns, &is_there).filter(|(_, is_there)| **is_there).map(|(ns, _)| *ns);
            let (least, most) = (compete().min().unwrap_or(0), compete().max().unwrap_or(0));
            prop_assert!(most - least <= bound_ns, "{ran_ns:?} of {is_there:?}: more than {bound_ns} apart");
        }
    }

    #[test]
    fn queues_keep_their_bounds_and_their_order(
        steps in vec((0..4u8, 0..3usize, 0..3u16, 0..20 * MS), 0..400),
        queue in 1..6usize,
    ) {
        let mut ready = ready(|settings| {
            for class in CLASSES {
                settings.class_mut(class).queue = queue;
            }
        });
        let (mut now_ns, mut waiting, mut done) = (0, Vec::new(), 0_usize);
        let mut entered = 0;
        for (what, class, flow, ns) in steps {
            now_ns += ns;
            let class = CLASSES[class];
            match what {
                0 | 1 => match ready.enter(class, flow, now_ns) {
                    Ok(ticket) => {
                        entered += 1;
                        waiting.push((ticket, now_ns));
                    }
                    Err(_) => prop_assert_eq!(ready.len(class), queue),
                },
                2 => if let Some(turn) = ready.next(now_ns) {
                    let Ticket { class, flow, .. } = turn.ticket;
                    let of_class = || waiting.iter().filter(|(ticket, _)| ticket.class == class);
                    let oldest_ns = of_class().map(|(_, since_ns)| now_ns - since_ns).max().unwrap_or(0);
                    let is_slow = oldest_ns > Scheduling::default().class(class).target_ns / 3 * 2;
                    let mut of_flow = of_class().map(|(ticket, _)| *ticket).filter(|other| other.flow == flow);
                    let first = match turn.goes.is_ok() && is_slow && class != Class::Batch {
                        true => of_flow.next_back(),
                        false => of_flow.next(),
                    };
                    prop_assert_eq!(first, Some(turn.ticket));
                    waiting.retain(|(ticket, _)| *ticket != turn.ticket);
                    done += 1;
                    ready.ran(turn.ticket.class, turn.ticket.flow, ns);
                },
                _ => if !waiting.is_empty() {
                    let (ticket, _) = waiting.remove(ns as usize % waiting.len());
                    prop_assert!(ready.leave(ticket, now_ns));
                    done += 1;
                },
            }
            prop_assert!(CLASSES.iter().all(|class| ready.len(*class) <= queue));
        }
        prop_assert_eq!(entered, done + waiting.len());
        prop_assert_eq!(ready.is_empty(), waiting.is_empty());
        let counts: u64 = CLASSES.iter().map(|&class| {
            let counts = ready.counts(class);
            counts.queued - counts.ran - counts.late - counts.left
        }).sum();
        prop_assert_eq!(counts, waiting.len() as u64);
    }
}

