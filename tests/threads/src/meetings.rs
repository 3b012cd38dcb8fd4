//! Properties that hold in every order of the threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use loom::future::block_on;
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::in_every_order;
use crate::intake::inbox::Inbox;
use crate::ring::{Receiver, Sender, bounded};
use crate::scheduler::current_step::CurrentStep;
use crate::scheduler::park_state::ParkState;
use crate::scheduler::producer_latch::{ProducerLatch, ProducerPass};
use crate::scheduler::steal_queue::{StealQueue, StealableCount};
use crate::scheduler::take_once::TakeOnce;

/// A counter of the standard library, which loom does not need to track.
#[derive(Clone, Default)]
struct Count(std::sync::Arc<AtomicUsize>);

impl Count {
    /// Increments the counter, and returns its previous value.
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
        let other = thread::spawn(move || other.push(1));
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
        let (held, got) = (Arc::new(TakeOnce::new(())), Count::default());
        let (low, taken) = (Arc::clone(&held), got.clone());
        let thread = thread::spawn(move || {
            if low.is_available() && low.take().is_some() {
                taken.add();
            }
        });
        if held.take_back().is_some() {
            got.add();
            assert!(!held.is_available());
        }
        thread.join().unwrap();
        assert_eq!(got.get(), 1, "one of the two gets it");
    });
}

/// Requests that workers hand over through a latch.
#[derive(Clone)]
struct Handed {
    latch: Arc<ProducerLatch>,
    sender: Arc<Sender<()>>,
    receiver: Arc<Mutex<Receiver<()>>>,
    ran: Count,
}

impl Handed {
    fn new() -> Self {
        let (sender, receiver) = bounded(2);
        let (sender, receiver) = (Arc::new(sender), Arc::new(Mutex::new(receiver)));
        Self { latch: Arc::new(ProducerLatch::new()), sender, receiver, ran: Count::default() }
    }

    fn put(&self) {
        self.sender.try_send(()).unwrap();
        self.latch.notify();
    }

    /// Runs requests, as a thread of low priority does.
    fn work(&self) {
        let look = || {
            let receiver = self.receiver.lock().unwrap();
            receiver.try_recv().map(|()| ((), !receiver.is_empty()))
        };
        while block_on(self.latch.next(look)).is_some() {
            self.ran.add();
        }
    }
}

/// `threads` threads take the requests that a worker hands over before it leaves.
fn hand_over(threads: usize, items: usize) {
    in_every_order(move || {
        let handed = Handed::new();
        let low = || {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        let threads: Vec<_> = (0..threads).map(|_| low()).collect();
        let pass = ProducerPass::default();
        handed.latch.register(&pass);
        handed.latch.close();
        (0..items).for_each(|_| handed.put());
        handed.latch.release(&pass);
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
        let (handed, pass) = (Handed::new(), Arc::new(ProducerPass::default()));
        handed.latch.register(&pass);
        let low = {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        let watchdog = {
            let (handed, pass) = (handed.clone(), Arc::clone(&pass));
            thread::spawn(move || {
                handed.latch.suspend(&pass);
                handed.latch.resume(&pass);
            })
        };
        handed.latch.close();
        handed.latch.release(&pass);
        watchdog.join().unwrap();
        low.join().unwrap();
    });
}

#[test]
fn while_all_workers_hang_the_threads_stay_for_those_that_replace_them() {
    in_every_order(|| {
        let (handed, hangs, other) = (Handed::new(), ProducerPass::default(), ProducerPass::default());
        let low = {
            let handed = handed.clone();
            thread::spawn(move || handed.work())
        };
        handed.latch.register(&hangs);
        handed.latch.suspend(&hangs);
        handed.latch.register(&other);
        handed.put();
        handed.latch.close();
        handed.latch.release(&other);
        low.join().unwrap();
        assert_eq!(handed.ran.get(), 1);
    });
}

#[test]
fn a_worker_that_sleeps_is_given_one_request() {
    in_every_order(|| {
        let (park_state, claimed) = (Arc::new(ParkState::default()), Count::default());
        // Number of workers that looked, and number of requests.
        let inbox = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        let givers = [(); 2].map(|()| {
            let (park_state, claimed, inbox) = (Arc::clone(&park_state), claimed.clone(), Arc::clone(&inbox));
            thread::spawn(move || {
                let has_claimed = park_state.claim();
                if has_claimed {
                    assert_eq!(claimed.add(), 0, "one of them gets it");
                }
                let mut state = inbox.0.lock().unwrap();
                *state = (state.0 + 1, state.1 + usize::from(has_claimed));
                inbox.1.notify_one();
            })
        });
        park_state.park();
        let mut state = inbox.0.lock().unwrap();
        while state.1 == 0 && state.0 < 2 {
            state = inbox.1.wait(state).unwrap();
        }
        drop(state);
        park_state.unpark();
        assert!(!park_state.claim(), "it is awake");
        givers.into_iter().for_each(|giver| giver.join().unwrap());
        assert_eq!(inbox.0.lock().unwrap().1, claimed.get());
    });
}

#[test]
fn who_gives_up_a_worker_that_has_woken_does_not_make_it_idle() {
    in_every_order(|| {
        let park_state = Arc::new(ParkState::default());
        park_state.park();
        let giver = {
            let park_state = Arc::clone(&park_state);
            thread::spawn(move || {
                if park_state.claim() {
                    park_state.release();
                }
            })
        };
        park_state.unpark();
        giver.join().unwrap();
        assert!(!park_state.claim());
        park_state.park();
        assert!(park_state.claim());
        park_state.release();
        assert!(park_state.claim(), "another may have it");
    });
}

#[test]
fn who_waits_goes_to_one_worker() {
    in_every_order(|| {
        let stealable = std::sync::Arc::<StealableCount>::default();
        let (steal_queue, got) =
            (Arc::new(StealQueue::new(std::sync::Arc::clone(&stealable))), Count::default());
        steal_queue.push(1, ());
        let others = [(); 2].map(|()| {
            let (steal_queue, got) = (Arc::clone(&steal_queue), got.clone());
            thread::spawn(move || {
                if steal_queue.steal().is_some() {
                    got.add();
                }
            })
        });
        let is_back = steal_queue.take_back(1).is_some();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(got.get() + usize::from(is_back), 1, "one of them gets it");
        assert_eq!(steal_queue.drain_stolen(), if is_back { vec![] } else { vec![1] });
        assert_eq!(stealable.park(&ParkState::default(), || Some(())), None, "nothing is left");
    });
}

/// Requests that one of several workers offers for stealing.
#[derive(Clone)]
struct Offering {
    stealable: std::sync::Arc<StealableCount>,
    steal_queue: Arc<StealQueue<usize, ()>>,
    got: Count,
}

impl Offering {
    fn new() -> Self {
        let stealable = std::sync::Arc::<StealableCount>::default();
        let steal_queue = Arc::new(StealQueue::new(std::sync::Arc::clone(&stealable)));
        Self { stealable, steal_queue, got: Count::default() }
    }

    /// Queues a request. The other worker gets it if that worker is parked.
    fn put(&self, park_state: &ParkState) {
        self.steal_queue.push(1, ());
        if park_state.claim() {
            let given = self.steal_queue.take_back(1);
            if given.or_else(|| self.stealable.release(park_state, || self.steal_queue.steal())).is_some() {
                self.got.add();
            }
        }
    }

    fn park(&self, park_state: &ParkState) {
        if self.stealable.park(park_state, || self.steal_queue.steal()).is_some() {
            self.got.add();
        }
    }
}

#[test]
fn nobody_waits_while_a_worker_falls_asleep() {
    in_every_order(|| {
        let (worker, park_state) = (Offering::new(), Arc::new(ParkState::default()));
        let other = {
            let (worker, park_state) = (worker.clone(), Arc::clone(&park_state));
            thread::spawn(move || worker.park(&park_state))
        };
        worker.put(&park_state);
        other.join().unwrap();
        assert_eq!(worker.got.get(), 1, "it is given away, or found");
    });
}

#[test]
fn nobody_waits_while_a_worker_sleeps_for_which_another_has_nothing() {
    in_every_order(|| {
        let (worker, park_state) = (Offering::new(), Arc::new(ParkState::default()));
        worker.park(&park_state);
        let other = {
            let (worker, park_state) = (worker.clone(), Arc::clone(&park_state));
            thread::spawn(move || {
                if park_state.claim()
                    && worker.stealable.release(&park_state, || worker.steal_queue.steal()).is_some()
                {
                    worker.got.add();
                }
            })
        };
        worker.put(&park_state);
        other.join().unwrap();
        assert_eq!(worker.got.get(), 1, "it is given away, or found");
    });
}

#[test]
fn a_step_that_stays_is_seen_with_its_own_request() {
    in_every_order(|| {
        let current = Arc::new(CurrentStep::default());
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
