//! What must hold in every order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::in_every_order;
use crate::intake::inbox::Inbox;
use crate::ring::{Receiver, Sender, bounded};
use crate::schedule::current::Current;
use crate::schedule::door::{Door, Pass};
use crate::schedule::held::Held;
use crate::schedule::idle::Idle;
use crate::schedule::offers::{Offered, Offers};

/// A count of the standard library's: loom need not look at it.
#[derive(Clone, Default)]
struct Count(std::sync::Arc<AtomicUsize>);

impl Count {
    /// How many there were before.
    fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn the_writer_wakes_for_what_is_put_in_and_gets_each_once() {
    in_every_order(|| {
        let (inbox, receiver) = Inbox::new(2);
        let inbox = Arc::new(inbox);
        let own = Arc::clone(&inbox);
        let writer = thread::spawn(move || {
            own.attach();
            let mut taken = Vec::new();
            while taken.len() < 2 {
                match receiver.try_recv() {
                    Some(item) => taken.push(item),
                    None => own.sleep(&receiver, Duration::MAX),
                }
            }
            taken.iter().sum()
        });
        let other = Arc::clone(&inbox);
        let other = thread::spawn(move || other.put(1));
        assert_eq!((inbox.push(2), other.join().unwrap()), (Ok(()), Ok(())));
        assert_eq!((writer.join().unwrap(), inbox.waiting()), (3, 0));
    });
}

#[test]
fn what_finds_no_room_comes_back_and_is_counted() {
    in_every_order(|| {
        let (inbox, receiver) = Inbox::new(1);
        let inbox = Arc::new(inbox);
        let other = {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || inbox.push(1))
        };
        let mine = inbox.push(2);
        let mut taken: Vec<_> = receiver.try_recv().into_iter().collect();
        let theirs = other.join().unwrap();
        taken.extend(receiver.try_recv());
        let back: Vec<_> = [mine, theirs].into_iter().filter_map(Result::err).collect();
        assert_eq!((back.len() as u64, taken.len() + back.len()), (inbox.dropped(), 2));
        assert_eq!(taken.iter().chain(&back).sum::<i32>(), 3);
    });
}

#[test]
fn who_waits_for_low_priority_is_taken_once_or_taken_back() {
    in_every_order(|| {
        let (held, got) = (Arc::new(Held::new(())), Count::default());
        let (low, taken) = (Arc::clone(&held), got.clone());
        let thread = thread::spawn(move || {
            if low.is_there() && low.take().is_some() {
                taken.add();
            }
        });
        if held.take_back().is_some() {
            got.add();
            assert!(!held.is_there());
        }
        thread.join().unwrap();
        assert_eq!(got.get(), 1, "one of the two gets it");
    });
}

/// What workers hand over at a door.
#[derive(Clone)]
struct Handed {
    door: Arc<Door>,
    sender: Arc<Sender<()>>,
    receiver: Arc<Mutex<Receiver<()>>>,
    ran: Count,
}

impl Handed {
    fn new() -> Self {
        let (sender, receiver) = bounded(2);
        let (sender, receiver) = (Arc::new(sender), Arc::new(Mutex::new(receiver)));
        Self { door: Arc::new(Door::new()), sender, receiver, ran: Count::default() }
    }

    fn put(&self) {
        self.sender.try_send(()).unwrap();
        self.door.ring();
    }

    /// What a thread of low priority does.
    fn work(&self) {
        let look = || {
            let receiver = self.receiver.lock().unwrap();
            receiver.try_recv().map(|()| ((), !receiver.is_empty()))
        };
        while block_on(self.door.next(look)).is_some() {
            self.ran.add();
        }
    }
}

/// `threads` take what a worker hands over before it leaves.
fn hand_over(threads: usize, items: usize) {
    in_every_order(move || {
        let handed = Handed::new();
        let low = || {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        let threads: Vec<_> = (0..threads).map(|_| low()).collect();
        let pass = Pass::default();
        handed.door.comes(&pass);
        handed.door.closes();
        (0..items).for_each(|_| handed.put());
        handed.door.leaves(&pass);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(handed.ran.get(), items);
    });
}

#[test]
fn all_that_is_handed_over_runs_and_then_the_thread_ends() {
    hand_over(1, 2);
}

#[test]
fn all_threads_end() {
    hand_over(2, 0);
}

#[test]
fn one_of_two_threads_takes_it() {
    hand_over(2, 1);
}

#[test]
fn a_worker_that_hung_and_leaves_keeps_no_thread_from_its_end() {
    in_every_order(|| {
        let (handed, pass) = (Handed::new(), Arc::new(Pass::default()));
        handed.door.comes(&pass);
        let low = {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        let watchdog = {
            let (handed, pass) = (handed.clone(), Arc::clone(&pass));
            thread::spawn(move || {
                handed.door.rests(&pass);
                handed.door.goes_on(&pass);
            })
        };
        handed.door.closes();
        handed.door.leaves(&pass);
        watchdog.join().unwrap();
        low.join().unwrap();
    });
}

#[test]
fn while_all_workers_hang_the_threads_stay_for_those_that_replace_them() {
    in_every_order(|| {
        let (handed, hangs, other) = (Handed::new(), Pass::default(), Pass::default());
        let low = {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        handed.door.comes(&hangs);
        handed.door.rests(&hangs);
        handed.door.comes(&other);
        handed.put();
        handed.door.closes();
        handed.door.leaves(&other);
        low.join().unwrap();
        assert_eq!(handed.ran.get(), 1);
    });
}

#[test]
fn a_worker_that_sleeps_is_given_one_request() {
    in_every_order(|| {
        let (idle, claimed) = (Arc::new(Idle::default()), Count::default());
        // How many looked, and how many requests there are.
        let inbox = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let givers = [(); 2].map(|()| {
            let (idle, claimed, inbox) = (Arc::clone(&idle), claimed.clone(), Arc::clone(&inbox));
            thread::spawn(move || {
                let has_claimed = idle.claim();
                if has_claimed {
                    assert_eq!(claimed.add(), 0, "one of them gets it");
                }
                let mut state = inbox.0.lock().unwrap();
                *state = (state.0 + 1, state.1 + usize::from(has_claimed));
                inbox.1.notify_one();
            })
        });
        idle.sleeps();
        let mut state = inbox.0.lock().unwrap();
        while state.1 == 0 && state.0 < 2 {
            state = inbox.1.wait(state).unwrap();
        }
        drop(state);
        idle.wakes();
        assert!(!idle.claim(), "it is awake");
        givers.into_iter().for_each(|giver| giver.join().unwrap());
        assert_eq!(inbox.0.lock().unwrap().1, claimed.get());
    });
}

#[test]
fn who_gives_up_a_worker_that_has_woken_does_not_make_it_idle() {
    in_every_order(|| {
        let idle = Arc::new(Idle::default());
        idle.sleeps();
        let giver = {
            let idle = Arc::clone(&idle);
            thread::spawn(move || {
                if idle.claim() {
                    idle.give_up();
                }
            })
        };
        idle.wakes();
        giver.join().unwrap();
        assert!(!idle.claim());
        idle.sleeps();
        assert!(idle.claim());
        idle.give_up();
        assert!(idle.claim(), "another may have it");
    });
}

#[test]
fn who_waits_goes_to_one_worker() {
    in_every_order(|| {
        let offered = std::sync::Arc::<Offered>::default();
        let (offers, got) = (Arc::new(Offers::new(std::sync::Arc::clone(&offered))), Count::default());
        offers.put(1, ());
        let others = [(); 2].map(|()| {
            let (offers, got) = (Arc::clone(&offers), got.clone());
            thread::spawn(move || {
                if offers.take().is_some() {
                    got.add();
                }
            })
        });
        let is_back = offers.take_back(1).is_some();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(got.get() + usize::from(is_back), 1, "one of them gets it");
        assert_eq!(offers.taken(), if is_back { vec![] } else { vec![1] });
        assert_eq!(offered.falls_asleep(&Idle::default(), || Some(())), None, "nothing is left");
    });
}

/// What one of several workers offers.
#[derive(Clone)]
struct Offering {
    offered: std::sync::Arc<Offered>,
    offers: Arc<Offers<usize, ()>>,
    got: Count,
}

impl Offering {
    fn new() -> Self {
        let offered = std::sync::Arc::<Offered>::default();
        let offers = Arc::new(Offers::new(std::sync::Arc::clone(&offered)));
        Self { offered, offers, got: Count::default() }
    }

    /// Somebody waits; the other worker gets it, if it sleeps.
    fn put(&self, idle: &Idle) {
        self.offers.put(1, ());
        if idle.claim() {
            let given = self.offers.take_back(1);
            if given.or_else(|| self.offered.give_up(idle, || self.offers.take())).is_some() {
                self.got.add();
            }
        }
    }

    fn falls_asleep(&self, idle: &Idle) {
        if self.offered.falls_asleep(idle, || self.offers.take()).is_some() {
            self.got.add();
        }
    }
}

#[test]
fn nobody_waits_while_a_worker_falls_asleep() {
    in_every_order(|| {
        let (worker, idle) = (Offering::new(), Arc::new(Idle::default()));
        let other = {
            let (worker, idle) = (worker.clone(), Arc::clone(&idle));
            thread::spawn(move || worker.falls_asleep(&idle))
        };
        worker.put(&idle);
        other.join().unwrap();
        assert_eq!(worker.got.get(), 1, "it is given away, or found");
    });
}

#[test]
fn nobody_waits_while_a_worker_sleeps_for_which_another_has_nothing() {
    in_every_order(|| {
        let (worker, idle) = (Offering::new(), Arc::new(Idle::default()));
        worker.falls_asleep(&idle);
        let other = {
            let (worker, idle) = (worker.clone(), Arc::clone(&idle));
            thread::spawn(move || {
                if idle.claim() && worker.offered.give_up(&idle, || worker.offers.take()).is_some() {
                    worker.got.add();
                }
            })
        };
        worker.put(&idle);
        other.join().unwrap();
        assert_eq!(worker.got.get(), 1, "it is given away, or found");
    });
}

#[test]
fn a_step_that_stays_is_seen_with_its_own_request() {
    in_every_order(|| {
        let current = Arc::new(Current::default());
        let worker = {
            let current = Arc::clone(&current);
            thread::spawn(move || {
                current.begin(1 << 64 | 1, 1, 1, 10);
                current.end();
                current.begin(2 << 64 | 2, 2, 2, 20);
            })
        };
        if let Some(seen) = current.running().filter(|seen| seen.since_ns == 20) {
            assert_eq!((seen.id, seen.flow, seen.step), (2 << 64 | 2, 2, 2));
        }
        worker.join().unwrap();
        assert!(current.running().is_some());
    });
}
