//! Who goes first on one worker, and who leaves it.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::io::AsyncReadExt;
use tokio::task::JoinHandle;

use super::super::Idle;
use super::*;

fn turns(change: impl FnOnce(&mut Scheduling)) -> Rc<Turns> {
    let mut settings = Scheduling::default();
    change(&mut settings);
    let turns = Rc::new(Turns::new(
        &settings,
        2,
        Arc::new(Zero::now()),
        Arc::default(),
        Arc::default(),
        Arc::default(),
    ));
    let looking = Rc::clone(&turns);
    tokio::task::spawn_local(async move { looking.look().await });
    turns
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
    turns: &Rc<Turns>,
    class: Class,
    said: &Rc<RefCell<Vec<Class>>>,
    go_on: &Rc<Notify>,
) -> JoinHandle<()> {
    let (turns, said, go_on) = (Rc::clone(turns), Rc::clone(said), Rc::clone(go_on));
    tokio::task::spawn_local(async move {
        let has_turn = turns.enter(class, 0, turns.zero.elapsed_ns()).await.unwrap();
        said.borrow_mut().push(class);
        go_on.notified().await;
        turns.give_back(class, 0, 10, has_turn);
    })
}

#[test]
fn a_calm_worker_lets_everybody_run_at_once() {
    run(async {
        let turns = turns(|_| ());
        assert_eq!(turns.enter(Class::Batch, 0, 1).await, Ok(false));
        assert_eq!(turns.enter(Class::Interactive, 0, 2).await, Ok(false));
        assert!(!turns.others_wait());
    });
}

#[test]
fn turns_go_one_by_one_to_the_most_urgent() {
    run(async {
        let (turns, said, go_on) = (turns(|_| ()), Rc::default(), Rc::new(Notify::new()));
        turns.pulse.set_behind(true);
        for class in [Class::Default, Class::Batch, Class::Default, Class::Interactive] {
            contend(&turns, class, &said, &go_on);
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
        assert!(!turns.others_wait() && !turns.is_given.get() && turns.waiting.borrow().is_empty());
    });
}

#[test]
fn who_gives_its_turn_to_another_waits_for_it() {
    run(async {
        let (turns, said, go_on) = (turns(|_| ()), Rc::default(), Rc::new(Notify::new()));
        turns.pulse.set_behind(true);
        let has_turn = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await.unwrap();
        contend(&turns, Class::Default, &said, &go_on);
        settle().await;
        turns.pulse.set_behind(false);
        turns.give_back(Class::Default, 0, 10, has_turn);
        go_on.notify_one();
        let has_turn = turns.enter_again(Class::Default, 0, turns.zero.elapsed_ns()).await;
        assert_eq!(*said.borrow(), [Class::Default], "the other has gone first");
        turns.give_back(Class::Default, 0, 10, has_turn);
        assert!(!turns.others_wait() && !turns.is_given.get());
    });
}

#[test]
fn who_leaves_takes_no_turn_along() {
    run(async {
        let (turns, said, go_on) = (turns(|_| ()), Rc::default(), Rc::new(Notify::new()));
        turns.pulse.set_behind(true);
        let has_turn = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await.unwrap();
        let waiting = contend(&turns, Class::Interactive, &said, &go_on);
        let given = contend(&turns, Class::Default, &said, &go_on);
        contend(&turns, Class::Batch, &said, &go_on);
        settle().await;
        // One leaves while it waits; one when it has been given the turn and does not know yet.
        waiting.abort();
        settle().await;
        turns.give_back(Class::Default, 0, 10, has_turn);
        given.abort();
        settle().await;
        assert_eq!(*said.borrow(), [Class::Batch]);
        go_on.notify_one();
        settle().await;
        assert!(!turns.others_wait() && !turns.is_given.get());
    });
}

#[test]
fn who_leaves_on_its_way_to_an_idle_worker_lets_another_go() {
    run(async {
        let turns = turns(|_| ());
        let idle = Arc::new(Idle::default());
        let (_guests, number) = turns.peers.add(Arc::clone(&idle));
        turns.pulse.set_behind(true);
        let has_turn = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await.unwrap();
        let wait = |class| {
            let turns = Rc::clone(&turns);
            tokio::task::spawn_local(async move { turns.enter(class, 0, turns.zero.elapsed_ns()).await })
        };
        let (leaves, other) = (wait(Class::Interactive), wait(Class::Default));
        settle().await;
        idle.sleeps();
        turns.give_away();
        leaves.abort();
        assert_eq!(other.await.unwrap(), Err(NotHere::Stolen(number)));
        turns.give_back(Class::Default, 0, 10, has_turn);
        assert!(!turns.others_wait() && turns.waiting.borrow().is_empty());
    });
}

#[test]
fn who_is_sent_away_is_told_and_the_next_goes() {
    run(async {
        let turns = turns(|settings| settings.interactive.queue = 1);
        turns.pulse.set_behind(true);
        let has_turn = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await.unwrap();
        assert!(has_turn);
        let other = Rc::clone(&turns);
        let waits = tokio::task::spawn_local(async move { other.enter(Class::Interactive, 0, 0).await });
        settle().await;
        assert!(turns.enter(Class::Interactive, 0, 0).await.is_err(), "the queue is full");
        turns.give_back(Class::Default, 0, 10, has_turn);
        assert_eq!(waits.await.unwrap(), Ok(true));
    });
}

#[test]
fn who_would_wait_goes_to_a_worker_that_is_idle() {
    run(async {
        let turns = turns(|_| ());
        let idle = Arc::new(Idle::default());
        let (_guests, number) = turns.peers.add(Arc::clone(&idle));
        turns.pulse.set_behind(true);
        idle.sleeps();
        let has_turn = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await.unwrap();
        assert!(has_turn, "nobody is before it");
        let go = turns.enter(Class::Default, 0, turns.zero.elapsed_ns()).await;
        assert_eq!(go, Err(NotHere::Stolen(number)));
        // It has not been asleep since. Of those who wait then, the most urgent goes when it is.
        let wait = |class| {
            let turns = Rc::clone(&turns);
            tokio::task::spawn_local(async move { turns.enter(class, 0, turns.zero.elapsed_ns()).await })
        };
        let (default, interactive) = (wait(Class::Default), wait(Class::Interactive));
        settle().await;
        idle.sleeps();
        let has_run = tokio::task::spawn_local({
            let turns = Rc::clone(&turns);
            async move { turns.enter_again(Class::Default, 0, turns.zero.elapsed_ns()).await }
        });
        settle().await;
        assert_eq!(interactive.await.unwrap(), Err(NotHere::Stolen(number)));
        turns.give_back(Class::Default, 0, 10, has_turn);
        assert_eq!(default.await.unwrap(), Ok(true));
        idle.sleeps();
        turns.give_back(Class::Default, 0, 10, true);
        assert!(has_run.await.unwrap(), "what has begun stays");
        turns.give_back(Class::Default, 0, 10, true);
        assert!(!turns.others_wait() && turns.waiting.borrow().is_empty());
    });
}

/// A worker with requests that yield after each step, and others that come while such a step runs.
struct Scene {
    turns: Rc<Turns>,
    /// Other workers.
    idle: Vec<Arc<Idle>>,
    said: RefCell<Vec<String>>,
}

/// A step, and what happens while it runs.
#[derive(Debug, Clone, Default)]
struct Step {
    /// These come, to be read once it has ended.
    come: Vec<Class>,
    /// So many other workers fall asleep.
    asleep: usize,
}

const MS: u64 = 1_000_000;

impl Scene {
    /// What happens on a worker with such requests; those that come are called `a`, `b` and so on.
    fn play(peers: usize, busy: Vec<(Class, Vec<Step>)>) -> String {
        let said = Rc::new(RefCell::new(String::new()));
        run(async {
            let turns = turns(|_| ());
            // The first is this worker itself, which is awake.
            drop(turns.peers.add(Arc::default()));
            let idle: Vec<_> = (0..peers).map(|_| Arc::<Idle>::default()).collect();
            idle.iter().for_each(|idle| drop(turns.peers.add(Arc::clone(idle))));
            let scene = Rc::new(Self { turns, idle, said: RefCell::default() });
            let mut names = 'a'..;
            let mut tasks = Vec::new();
            for (class, steps) in busy {
                let mut open = |come: &Class| {
                    let (client, serves) = Rc::clone(&scene).connection(names.next().unwrap(), *come);
                    tasks.push(serves);
                    client
                };
                let steps =
                    steps.into_iter().map(|step| (step.come.iter().map(&mut open).collect(), step.asleep));
                let busy = Rc::clone(&scene).is_busy(class, steps.collect());
                tasks.push(tokio::task::spawn_local(busy));
            }
            for task in tasks {
                task.await.unwrap();
            }
            let turns = &scene.turns;
            assert!(!turns.others_wait() && turns.waiting.borrow().is_empty() && turns.leaving.get() == 0);
            *said.borrow_mut() = scene.said.borrow().join(", ");
        });
        said.take()
    }

    fn say(&self, what: String) {
        self.said.borrow_mut().push(what);
    }

    /// A step begins: whoever could be on another worker is on its way.
    fn begins(&self) {
        let has_new = self.turns.ready.borrow().has_new();
        let free = self.turns.peers.claim();
        if self.turns.leaving.get() > 0 || has_new && free.is_some() {
            self.say("SOMEBODY WAITS".to_owned());
        }
        if let Some(free) = free {
            self.turns.peers.give_up(free);
        }
    }

    /// A connection, which has a request once a byte is in its socket.
    fn connection(self: Rc<Self>, name: char, class: Class) -> (UnixStream, JoinHandle<()>) {
        let (client, socket) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let serves = tokio::task::spawn_local(async move {
            socket.read_u8().await.unwrap();
            let turns = &self.turns;
            match turns.enter(class, 1, turns.zero.elapsed_ns()).await {
                Ok(has_turn) => {
                    self.begins();
                    self.say(format!("{name} runs"));
                    turns.give_back(class, 1, MS / 100, has_turn);
                }
                Err(NotHere::Stolen(peer)) => self.say(format!("{name} to {peer}")),
                Err(NotHere::Refused(_)) => self.say(format!("{name} is sent away")),
            }
        });
        (client, serves)
    }

    /// Runs so many long steps, and yields after each.
    async fn is_busy(self: Rc<Self>, class: Class, steps: Vec<(Vec<UnixStream>, usize)>) {
        // The connections wait for their sockets first.
        settle().await;
        let (turns, mut has_turn, mut open) = (&self.turns, false, Vec::new());
        for (come, asleep) in steps {
            self.begins();
            self.say("step".to_owned());
            for mut client in come {
                client.write_all(b"?").unwrap();
                open.push(client);
            }
            self.idle.iter().take(asleep).for_each(|idle| idle.sleeps());
            turns.give_back(class, 0, 2 * MS, has_turn);
            has_turn =
                turns.others_come().await && turns.enter_again(class, 0, turns.zero.elapsed_ns()).await;
        }
        turns.give_back(class, 0, 0, has_turn);
    }
}

#[test]
fn who_has_come_while_a_step_ran_does_not_wait_for_the_next() {
    use Class::{Default, Interactive};
    let check = |peers, come: &[Class], expected| {
        let step = |come: &[Class], asleep| Step { come: come.to_vec(), asleep };
        let steps = vec![step(come, peers), step(&[], 0), step(&[], 0)];
        assert_eq!(Scene::play(peers, vec![(Default, steps)]), expected);
    };
    check(0, &[Default], "step, a runs, step, step");
    check(0, &[Default, Interactive], "step, b runs, a runs, step, step");
    check(1, &[Default], "step, a runs, step, step");
    check(1, &[Default, Default], "step, b to 1, a runs, step, step");
    check(1, &[Default, Interactive], "step, a to 1, b runs, step, step");
    check(1, &[Default, Default, Default], "step, b to 1, a runs, c runs, step, step");
    check(2, &[Default, Default, Default], "step, c to 2, b to 1, a runs, step, step");
    check(1, &[Class::Batch], "step, a to 1, step, step");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop::sample::select(vec![Class::Interactive, Class::Default, Class::Batch]);
    let step = (vec(class, 0..4), 0..4usize).prop_map(|(come, asleep)| Step { come, asleep });
    vec(step, 1..6)
}

proptest! {
    #[test]
    fn while_a_worker_is_idle_no_step_begins_before_who_could_run_there(
        peers in 0..4usize, busy in vec(steps(), 1..4),
    ) {
        let come: usize = busy.iter().flatten().map(|step| step.come.len()).sum();
        let ran: usize = busy.iter().map(Vec::len).sum();
        let said = Scene::play(peers, busy.into_iter().map(|steps| (Class::Default, steps)).collect());
        prop_assert!(!said.contains("SOMEBODY"), "{}", said);
        prop_assert_eq!(said.split(", ").count(), come + ran, "each ends once: {}", said);
    }
}
