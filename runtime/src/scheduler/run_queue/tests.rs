//! Who goes first on one worker, and who leaves it.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;

use super::*;
use crate::scheduler::ParkState;
use crate::scheduler::work_stealing::WorkerSlot;

/// Requests are names here.
type Named = RunQueue<&'static str>;

fn run_queue(change: impl FnOnce(&mut SchedulingSettings)) -> Rc<Named> {
    let mut settings = SchedulingSettings::default();
    change(&mut settings);
    let (steal_group, service_clock) =
        (Arc::<StealGroup<_>>::default(), Arc::new(ServiceClock::still_after_an_hour()));
    // It is awake.
    let WorkerSlot { steal_queue, .. } = steal_group.add(Arc::default());
    let run_queue =
        RunQueue::new(&settings, 2, service_clock, Arc::default(), Arc::default(), steal_group, steal_queue);
    let run_queue = Rc::new(run_queue);
    let polling = Rc::clone(&run_queue);
    tokio::task::spawn_local(async move { polling.poll_between_turns().await });
    run_queue
}

impl Named {
    /// A new request: whether it has a turn when it may run.
    async fn enter(&self, class: Class, flow: u16) -> Result<bool, NotRunHere<&'static str>> {
        let now_ns = self.service_clock.elapsed_ns();
        if self.admit(flow, now_ns) {
            return Ok(false);
        }
        self.enqueue("", class, flow, now_ns).await.map(|_| true)
    }
}

/// As a worker runs: what its runtime does first decides who comes first.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_io().build_local(Default::default()).unwrap().block_on(test);
}

async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// Waits for a turn, says so, and gives it back when told to.
fn contend(
    run_queue: &Rc<Named>,
    class: Class,
    said: &Rc<RefCell<Vec<Class>>>,
    go_on: &Rc<Notify>,
) -> JoinHandle<()> {
    let (run_queue, said, go_on) = (Rc::clone(run_queue), Rc::clone(said), Rc::clone(go_on));
    tokio::task::spawn_local(async move {
        let has_turn = run_queue.enter(class, 0).await.unwrap();
        said.borrow_mut().push(class);
        go_on.notified().await;
        run_queue.release(class, 0, 10, has_turn);
    })
}

#[test]
fn a_calm_worker_lets_everybody_run_at_once() {
    run(async {
        let run_queue = run_queue(|_| ());
        assert_eq!(run_queue.enter(Class::Batch, 0).await, Ok(false));
        assert_eq!(run_queue.enter(Class::Interactive, 0).await, Ok(false));
        assert!(!run_queue.has_waiters());
    });
}

#[test]
fn turns_go_one_by_one_to_the_most_urgent() {
    run(async {
        let (run_queue, said, go_on) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        for class in [Class::Default, Class::Batch, Class::Default, Class::Interactive] {
            contend(&run_queue, class, &said, &go_on);
        }
        for expected in [
            &[Class::Interactive][..],
            &[Class::Interactive, Class::Default],
            &[Class::Interactive, Class::Default, Class::Default],
            &[Class::Interactive, Class::Default, Class::Default, Class::Batch],
        ] {
            settle().await;
            assert_eq!(*said.borrow(), expected);
            go_on.notify_one();
        }
        settle().await;
        assert!(
            !run_queue.has_waiters()
                && !run_queue.is_turn_granted.get()
                && run_queue.waiting.borrow().is_empty()
        );
    });
}

#[test]
fn where_nobody_waits_long_all_go() {
    run(async {
        let run_queue = run_queue(|_| ());
        let (said, go_on) = (Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let enter = |class| contend(&run_queue, class, &said, &go_on);
        let all = [Class::Default, Class::Interactive, Class::Default, Class::Batch].map(enter);
        settle().await;
        assert_eq!(*said.borrow(), [Class::Interactive], "one by one");
        run_queue.loop_lag.reset();
        go_on.notify_one();
        settle().await;
        assert_eq!(said.borrow()[1..], [Class::Default, Class::Default, Class::Batch], "all the others");
        go_on.notify_waiters();
        for one in all {
            one.await.unwrap();
        }
        assert_eq!(run_queue.enter(Class::Batch, 0).await, Ok(false), "it is calm again");
    });
}

#[test]
fn where_all_go_the_urgent_go_first() {
    run(async {
        let (run_queue, said, go_on) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        for class in [Class::Interactive, Class::Default, Class::Batch] {
            contend(&run_queue, class, &said, &go_on);
        }
        // They have come, and none has a turn.
        tokio::task::yield_now().await;
        assert!(run_queue.has_waiters() && !run_queue.is_turn_granted.get());
        run_queue.loop_lag.reset();
        settle().await;
        assert_eq!(*said.borrow(), [Class::Interactive, Class::Default, Class::Batch]);
    });
}

#[test]
fn who_gives_its_turn_to_another_waits_for_it() {
    run(async {
        let (run_queue, said, go_on) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        contend(&run_queue, Class::Default, &said, &go_on);
        settle().await;
        run_queue.loop_lag.set_behind(false);
        run_queue.release(Class::Default, 0, 10, has_turn);
        go_on.notify_one();
        let has_turn = run_queue.reenter(Class::Default, 0, run_queue.service_clock.elapsed_ns()).await;
        assert_eq!(*said.borrow(), [Class::Default], "the other has gone first");
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert!(!run_queue.has_waiters() && !run_queue.is_turn_granted.get());
    });
}

#[test]
fn who_leaves_takes_no_turn_along() {
    run(async {
        let (run_queue, said, go_on) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        let waiting = contend(&run_queue, Class::Interactive, &said, &go_on);
        let given = contend(&run_queue, Class::Default, &said, &go_on);
        contend(&run_queue, Class::Batch, &said, &go_on);
        settle().await;
        // One leaves while it waits; one when it has been given the turn and does not know yet.
        waiting.abort();
        settle().await;
        run_queue.release(Class::Default, 0, 10, has_turn);
        given.abort();
        settle().await;
        assert_eq!(*said.borrow(), [Class::Batch]);
        go_on.notify_one();
        settle().await;
        assert!(!run_queue.has_waiters() && !run_queue.is_turn_granted.get());
    });
}

#[test]
fn who_leaves_goes_to_no_other_worker() {
    run(async {
        let run_queue = run_queue(|_| ());
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        let wait = |class| {
            let run_queue = Rc::clone(&run_queue);
            tokio::task::spawn_local(async move { run_queue.enter(class, 0).await })
        };
        let (leaves, other) = (wait(Class::Interactive), wait(Class::Default));
        settle().await;
        leaves.abort();
        settle().await;
        assert!(peer.park(&run_queue).is_some(), "the other goes, although the turn is not over");
        assert_eq!(peer.park(&run_queue), None);
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert_eq!(other.await.unwrap(), Err(NotRunHere::Stolen));
        let counts = run_queue.ready.borrow().counts(Class::Default);
        assert_eq!((counts.ran, counts.stolen), (1, 1), "it had no turn here");
        assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
    });
}

#[test]
fn who_is_sent_away_is_told_and_the_next_goes() {
    run(async {
        let run_queue = run_queue(|settings| settings.interactive.queue = 1);
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        assert!(has_turn);
        let other = Rc::clone(&run_queue);
        let waits = tokio::task::spawn_local(async move { other.enter(Class::Interactive, 0).await });
        settle().await;
        assert!(run_queue.enter(Class::Interactive, 0).await.is_err(), "the queue is full");
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert_eq!(waits.await.unwrap(), Ok(true));
    });
}

#[test]
fn who_would_wait_goes_to_a_worker_that_is_idle() {
    run(async {
        let run_queue = run_queue(|_| ());
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        assert_eq!(peer.park(&run_queue), None);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        assert!(has_turn, "nobody is before it");
        assert_eq!(run_queue.enter(Class::Default, 0).await, Err(NotRunHere::Stolen));
        assert_eq!(peer.given(), Some(""));
        // Of those who wait until it has nothing to do again, the most urgent goes.
        let wait = |class| {
            let run_queue = Rc::clone(&run_queue);
            tokio::task::spawn_local(async move { run_queue.enter(class, 0).await })
        };
        let (default, interactive) = (wait(Class::Default), wait(Class::Interactive));
        settle().await;
        let has_run = tokio::task::spawn_local({
            let run_queue = Rc::clone(&run_queue);
            async move { run_queue.reenter(Class::Default, 0, run_queue.service_clock.elapsed_ns()).await }
        });
        settle().await;
        assert!(peer.park(&run_queue).is_some(), "it need not wait for the turn to end");
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert_eq!(interactive.await.unwrap(), Err(NotRunHere::Stolen));
        assert_eq!(default.await.unwrap(), Ok(true));
        assert_eq!(peer.park(&run_queue), None, "what has begun stays");
        run_queue.release(Class::Default, 0, 10, true);
        assert!(has_run.await.unwrap());
        run_queue.release(Class::Default, 0, 10, true);
        assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
    });
}

#[test]
fn who_finds_no_room_is_not_sent_away_while_a_worker_is_idle() {
    run(async {
        let run_queue = run_queue(|settings| settings.default.queue = 1);
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        let other = Rc::clone(&run_queue);
        let waits = tokio::task::spawn_local(async move { other.enter(Class::Default, 0).await });
        tokio::task::yield_now().await;
        assert_eq!(run_queue.ready.borrow().len(Class::Default), 1);
        assert!(matches!(run_queue.enter(Class::Default, 0).await, Err(NotRunHere::Shed(..))));
        assert_eq!(peer.park(&run_queue), Some(""), "the one that waits");
        assert_eq!(waits.await.unwrap(), Err(NotRunHere::Stolen));
        assert_eq!(peer.park(&run_queue), None);
        let other = Rc::clone(&run_queue);
        let waits = tokio::task::spawn_local(async move { other.enter(Class::Default, 0).await });
        tokio::task::yield_now().await;
        assert_eq!(run_queue.enter(Class::Default, 0).await, Err(NotRunHere::Stolen));
        assert_eq!((peer.given(), waits.await.unwrap()), (Some(""), Ok(true)));
        run_queue.release(Class::Default, 0, 10, true);
    });
}

/// Another worker.
struct Peer {
    park_state: Arc<ParkState>,
    slot: WorkerSlot<&'static str>,
}

impl Peer {
    fn new(run_queue: &Named) -> Self {
        let park_state = Arc::<ParkState>::default();
        Self { slot: run_queue.steal_group.add(Arc::clone(&park_state)), park_state }
    }

    /// It has nothing to do; what it finds then.
    fn park(&mut self, run_queue: &Named) -> Option<&'static str> {
        run_queue.steal_group.park(self.slot.number, &self.park_state);
        self.given()
    }

    /// What it has been given, for which it wakes up.
    fn given(&mut self) -> Option<&'static str> {
        self.slot.stealable_requests.try_recv().ok().inspect(|_| self.park_state.unpark())
    }
}

/// A worker with requests that yield after each step, and others that come while such a step runs.
struct Scene {
    run_queue: Rc<Named>,
    steal_group: RefCell<Vec<Peer>>,
    said: RefCell<Vec<String>>,
}

/// A step, and what happens while it runs.
#[derive(Debug, Clone, Default)]
struct Step {
    /// These come, to be read once it has ended.
    arrive: Vec<Class>,
    /// So many other workers fall asleep.
    asleep: usize,
}

const MS: u64 = 1_000_000;
/// What requests are called.
const NAMES: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Scene {
    /// What happens on a worker with such requests; those that come are called `a`, `b` and so on.
    fn play(steal_group: usize, busy: Vec<Vec<Step>>) -> String {
        let said = Rc::new(RefCell::new(String::new()));
        run(async {
            let run_queue = run_queue(|_| ());
            let steal_group = RefCell::new((0..steal_group).map(|_| Peer::new(&run_queue)).collect());
            let scene = Rc::new(Self { run_queue, steal_group, said: RefCell::default() });
            let mut names = (0..).map(|at| &NAMES[at..=at]);
            let mut tasks = Vec::new();
            for steps in busy {
                let mut open = |arrive: &Class| {
                    let (client, serves) = Rc::clone(&scene).connection(names.next().unwrap(), *arrive);
                    tasks.push(serves);
                    client
                };
                let steps =
                    steps.into_iter().map(|step| (step.arrive.iter().map(&mut open).collect(), step.asleep));
                let busy = Rc::clone(&scene).is_busy(steps.collect());
                tasks.push(tokio::task::spawn_local(busy));
            }
            for task in tasks {
                task.await.unwrap();
            }
            scene.note_given();
            let run_queue = &scene.run_queue;
            assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
            *said.borrow_mut() = scene.said.borrow().join(", ");
        });
        said.take()
    }

    fn say(&self, what: String) {
        self.said.borrow_mut().push(what);
    }

    fn note_given(&self) {
        for peer in self.steal_group.borrow_mut().iter_mut() {
            let number = peer.slot.number;
            peer.given().into_iter().for_each(|name| self.say(format!("{name} to {number}")));
        }
    }

    /// What must hold whenever a step begins or runs.
    fn check(&self) {
        self.note_given();
        let free = self.run_queue.steal_group.claim();
        if let Some(free) = free {
            self.run_queue.steal_group.release(free);
            if self.run_queue.steal_group.stealable.has_any() {
                self.say(format!("SOMEBODY WAITS while {free} sleeps"));
            }
        }
    }

    /// A connection, which has a request once a byte is in its socket.
    fn connection(self: Rc<Self>, name: &'static str, class: Class) -> (UnixStream, JoinHandle<()>) {
        let (client, socket) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let serves = tokio::task::spawn_local(async move {
            socket.read_u8().await.unwrap();
            let (run_queue, now_ns) = (&self.run_queue, self.run_queue.service_clock.elapsed_ns());
            let has_turn = match run_queue.admit(1, now_ns) {
                true => Ok(false),
                false => run_queue.enqueue(name, class, 1, now_ns).await.map(|own| own == name),
            };
            match has_turn {
                Ok(has_turn) => {
                    self.check();
                    self.say(format!("{name} runs"));
                    run_queue.release(class, 1, MS / 100, has_turn);
                }
                Err(NotRunHere::Stolen) => self.note_given(),
                Err(NotRunHere::Shed(..)) => self.say(format!("{name} is sent away")),
            }
        });
        (client, serves)
    }

    /// Runs so many long steps, and yields after each.
    async fn is_busy(self: Rc<Self>, steps: Vec<(Vec<UnixStream>, usize)>) {
        // The connections wait for their sockets first.
        settle().await;
        let (run_queue, class) = (&self.run_queue, Class::Default);
        let (mut has_turn, mut open) = (false, Vec::new());
        for (arrive, asleep) in steps {
            self.check();
            self.say("step".to_owned());
            for mut client in arrive {
                client.write_all(b"?").unwrap();
                open.push(client);
            }
            for peer in self.steal_group.borrow_mut().iter_mut().take(asleep) {
                let found = peer.park(run_queue);
                found.into_iter().for_each(|name| self.say(format!("{name} by {}", peer.slot.number)));
            }
            run_queue.release(class, 0, 2 * MS, has_turn);
            has_turn = run_queue.yield_to_waiters().await
                && run_queue.reenter(class, 0, run_queue.service_clock.elapsed_ns()).await;
        }
        run_queue.release(class, 0, 0, has_turn);
    }
}

#[test]
fn who_has_come_while_a_step_ran_does_not_wait_for_the_next() {
    use Class::{Default, Interactive};
    let check = |steal_group, arrive: &[Class], expected| {
        let step = |arrive: &[Class], asleep| Step { arrive: arrive.to_vec(), asleep };
        assert_eq!(
            Scene::play(steal_group, vec![vec![step(arrive, steal_group), step(&[], 0), step(&[], 0)]]),
            expected
        );
    };
    check(0, &[Default], "step, a runs, step, step");
    check(0, &[Default, Interactive], "step, b runs, a runs, step, step");
    check(1, &[Default], "step, a runs, step, step");
    check(1, &[Default, Default], "step, b to 1, a runs, step, step");
    check(1, &[Default, Interactive], "step, a to 1, b runs, step, step");
    check(1, &[Default, Default, Default], "step, b to 1, a runs, c runs, step, step");
    check(2, &[Default, Default, Default], "step, b to 1, c to 2, a runs, step, step");
    check(1, &[Class::Batch], "step, a to 1, step, step");
}

#[test]
fn a_worker_that_has_nothing_to_do_any_more_takes_one_that_waits_for_the_end_of_a_step() {
    let step = |arrive: &[Class], asleep| Step { arrive: arrive.to_vec(), asleep };
    let steps = vec![step(&[Class::Batch], 0), step(&[], 1), step(&[], 0)];
    assert_eq!(Scene::play(1, vec![steps]), "step, step, a by 1, step");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop::sample::select(vec![Class::Interactive, Class::Default, Class::Batch]);
    let step = (vec(class, 0..4), 0..4usize).prop_map(|(arrive, asleep)| Step { arrive, asleep });
    vec(step, 1..6)
}

proptest! {
    #[test]
    fn while_a_worker_is_idle_nobody_waits_who_could_run_there(
        steal_group in 0..4usize, busy in vec(steps(), 1..4),
    ) {
        let arrive: usize = busy.iter().flatten().map(|step| step.arrive.len()).sum();
        let ran: usize = busy.iter().map(Vec::len).sum();
        let said = Scene::play(steal_group, busy);
        prop_assert!(!said.contains("SOMEBODY"), "{}", said);
        prop_assert_eq!(said.split(", ").count(), arrive + ran, "each ends once: {}", said);
    }
}
