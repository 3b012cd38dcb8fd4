//! Tests of the order of turns on one worker, and of requests that leave it.

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

/// In these tests a request is only a name.
type Named = RunQueue<&'static str>;

fn run_queue(change: impl FnOnce(&mut SchedulingSettings)) -> Rc<Named> {
    let mut settings = SchedulingSettings::default();
    change(&mut settings);
    let (steal_group, service_clock) =
        (Arc::<StealGroup<_>>::default(), Arc::new(ServiceClock::stopped_after_an_hour()));
    // This worker is awake, so it gets no requests from others.
    let WorkerSlot { steal_queue, .. } = steal_group.add(Arc::default());
    let run_queue =
        RunQueue::new(&settings, 2, service_clock, Arc::default(), Arc::default(), steal_group, steal_queue);
    let run_queue = Rc::new(run_queue);
    let polled = Rc::clone(&run_queue);
    tokio::task::spawn_local(async move { polled.poll_between_turns().await });
    run_queue
}

impl Named {
    /// Waits until a new request may run. Returns true if it has a turn.
    async fn enter(&self, class: Class, flow: u16) -> Result<bool, NotRunHere<&'static str>> {
        let now_ns = self.service_clock.elapsed_ns();
        if self.admit(flow, now_ns) {
            return Ok(false);
        }
        self.enqueue("", class, flow, now_ns).await.map(|_| true)
    }
}

/// Runs a test on the same kind of runtime as a worker, because the order of its tasks decides the order of turns.
fn run(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_io().build_local(Default::default()).unwrap().block_on(test);
}

/// Lets all tasks run until each of them waits.
async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

/// Spawns a request that waits for a turn, adds its class to `order`, and gives the turn back once `resume` is notified.
fn contend(
    run_queue: &Rc<Named>,
    class: Class,
    order: &Rc<RefCell<Vec<Class>>>,
    resume: &Rc<Notify>,
) -> JoinHandle<()> {
    let (run_queue, order, resume) = (Rc::clone(run_queue), Rc::clone(order), Rc::clone(resume));
    tokio::task::spawn_local(async move {
        let has_turn = run_queue.enter(class, 0).await.unwrap();
        order.borrow_mut().push(class);
        resume.notified().await;
        run_queue.release(class, 0, 10, has_turn);
    })
}

#[test]
fn requests_run_at_once_on_a_worker_that_keeps_up() {
    run(async {
        let run_queue = run_queue(|_| ());
        assert_eq!(run_queue.enter(Class::Batch, 0).await, Ok(false));
        assert_eq!(run_queue.enter(Class::Interactive, 0).await, Ok(false));
        assert!(!run_queue.has_waiters());
    });
}

#[test]
fn turns_are_granted_one_at_a_time_to_the_most_urgent_request() {
    run(async {
        let (run_queue, order, resume) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        for class in [Class::Default, Class::Batch, Class::Default, Class::Interactive] {
            contend(&run_queue, class, &order, &resume);
        }
        for expected in [
            &[Class::Interactive][..],
            &[Class::Interactive, Class::Default],
            &[Class::Interactive, Class::Default, Class::Default],
            &[Class::Interactive, Class::Default, Class::Default, Class::Batch],
        ] {
            settle().await;
            assert_eq!(*order.borrow(), expected);
            resume.notify_one();
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
fn all_queued_requests_run_once_the_worker_has_recovered() {
    run(async {
        let run_queue = run_queue(|_| ());
        let (order, resume) = (Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let spawn = |class| contend(&run_queue, class, &order, &resume);
        let tasks = [Class::Default, Class::Interactive, Class::Default, Class::Batch].map(spawn);
        settle().await;
        assert_eq!(*order.borrow(), [Class::Interactive], "one turn at a time");
        run_queue.loop_lag.reset();
        resume.notify_one();
        settle().await;
        assert_eq!(
            order.borrow()[1..],
            [Class::Default, Class::Default, Class::Batch],
            "all the others at once"
        );
        resume.notify_waiters();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(run_queue.enter(Class::Batch, 0).await, Ok(false), "no turn is needed any more");
    });
}

#[test]
fn urgent_requests_run_first_when_the_worker_recovers() {
    run(async {
        let (run_queue, order, resume) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        for class in [Class::Interactive, Class::Default, Class::Batch] {
            contend(&run_queue, class, &order, &resume);
        }
        // All are queued, and none has a turn.
        tokio::task::yield_now().await;
        assert!(run_queue.has_waiters() && !run_queue.is_turn_granted.get());
        run_queue.loop_lag.reset();
        settle().await;
        assert_eq!(*order.borrow(), [Class::Interactive, Class::Default, Class::Batch]);
    });
}

#[test]
fn a_request_that_yields_its_turn_runs_after_the_other_request() {
    run(async {
        let (run_queue, order, resume) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        contend(&run_queue, Class::Default, &order, &resume);
        settle().await;
        run_queue.loop_lag.set_behind(false);
        run_queue.release(Class::Default, 0, 10, has_turn);
        resume.notify_one();
        let has_turn = run_queue.reenter(Class::Default, 0, run_queue.service_clock.elapsed_ns()).await;
        assert_eq!(*order.borrow(), [Class::Default], "the other request went first");
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert!(!run_queue.has_waiters() && !run_queue.is_turn_granted.get());
    });
}

#[test]
fn a_canceled_request_keeps_no_turn() {
    run(async {
        let (run_queue, order, resume) = (run_queue(|_| ()), Rc::default(), Rc::new(Notify::new()));
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        let waiting = contend(&run_queue, Class::Interactive, &order, &resume);
        let given = contend(&run_queue, Class::Default, &order, &resume);
        contend(&run_queue, Class::Batch, &order, &resume);
        settle().await;
        // One request is canceled while it waits, the other when it has been granted the turn but not run yet.
        waiting.abort();
        settle().await;
        run_queue.release(Class::Default, 0, 10, has_turn);
        given.abort();
        settle().await;
        assert_eq!(*order.borrow(), [Class::Batch]);
        resume.notify_one();
        settle().await;
        assert!(!run_queue.has_waiters() && !run_queue.is_turn_granted.get());
    });
}

#[test]
fn a_canceled_request_is_not_stolen() {
    run(async {
        let run_queue = run_queue(|_| ());
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        let wait = |class| {
            let run_queue = Rc::clone(&run_queue);
            tokio::task::spawn_local(async move { run_queue.enter(class, 0).await })
        };
        let (canceled, other) = (wait(Class::Interactive), wait(Class::Default));
        settle().await;
        canceled.abort();
        settle().await;
        assert!(peer.park(&run_queue).is_some(), "the other request is stolen although the turn is not over");
        assert_eq!(peer.park(&run_queue), None);
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert_eq!(other.await.unwrap(), Err(NotRunHere::Stolen));
        let counts = run_queue.ready.borrow().counts(Class::Default);
        assert_eq!((counts.ran, counts.stolen), (1, 1), "the stolen request had no turn here");
        assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
    });
}

#[test]
fn a_shed_request_returns_at_once_and_the_next_gets_its_turn() {
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
fn a_request_that_would_wait_goes_to_an_idle_worker() {
    run(async {
        let run_queue = run_queue(|_| ());
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        assert_eq!(peer.park(&run_queue), None);
        let has_turn = run_queue.enter(Class::Default, 0).await.unwrap();
        assert!(has_turn, "no request is ahead of it");
        assert_eq!(run_queue.enter(Class::Default, 0).await, Err(NotRunHere::Stolen));
        assert_eq!(peer.given(), Some(""));
        // When the other worker is idle again, the most urgent of the waiting requests goes there.
        let wait = |class| {
            let run_queue = Rc::clone(&run_queue);
            tokio::task::spawn_local(async move { run_queue.enter(class, 0).await })
        };
        let (default, interactive) = (wait(Class::Default), wait(Class::Interactive));
        settle().await;
        let started = tokio::task::spawn_local({
            let run_queue = Rc::clone(&run_queue);
            async move { run_queue.reenter(Class::Default, 0, run_queue.service_clock.elapsed_ns()).await }
        });
        settle().await;
        assert!(peer.park(&run_queue).is_some(), "the steal does not wait for the end of the turn");
        run_queue.release(Class::Default, 0, 10, has_turn);
        assert_eq!(interactive.await.unwrap(), Err(NotRunHere::Stolen));
        assert_eq!(default.await.unwrap(), Ok(true));
        assert_eq!(peer.park(&run_queue), None, "a request that has started stays");
        run_queue.release(Class::Default, 0, 10, true);
        assert!(started.await.unwrap());
        run_queue.release(Class::Default, 0, 10, true);
        assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
    });
}

#[test]
fn no_request_is_shed_while_another_worker_is_idle() {
    run(async {
        let run_queue = run_queue(|settings| settings.default.queue = 1);
        let mut peer = Peer::new(&run_queue);
        run_queue.loop_lag.set_behind(true);
        let other = Rc::clone(&run_queue);
        let waits = tokio::task::spawn_local(async move { other.enter(Class::Default, 0).await });
        tokio::task::yield_now().await;
        assert_eq!(run_queue.ready.borrow().len(Class::Default), 1);
        assert!(matches!(run_queue.enter(Class::Default, 0).await, Err(NotRunHere::Shed(..))));
        assert_eq!(peer.park(&run_queue), Some(""), "the waiting request is stolen");
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

/// Another worker of the steal group.
struct Peer {
    park_state: Arc<ParkState>,
    slot: WorkerSlot<&'static str>,
}

impl Peer {
    fn new(run_queue: &Named) -> Self {
        let park_state = Arc::<ParkState>::default();
        Self { slot: run_queue.steal_group.add(Arc::clone(&park_state)), park_state }
    }

    /// Parks the worker. Returns the request that it steals, if any.
    fn park(&mut self, run_queue: &Named) -> Option<&'static str> {
        run_queue.steal_group.park(self.slot.number, &self.park_state);
        self.given()
    }

    /// Returns the request that the worker was given, and wakes it up.
    fn given(&mut self) -> Option<&'static str> {
        self.slot.stealable_requests.try_recv().ok().inspect(|_| self.park_state.unpark())
    }
}

/// A worker with busy requests, which yield after each step, and other requests that arrive during such a step.
struct Scenario {
    run_queue: Rc<Named>,
    peers: RefCell<Vec<Peer>>,
    log: RefCell<Vec<String>>,
}

/// A step of a busy request, and the events while it runs.
#[derive(Debug, Clone, Default)]
struct Step {
    /// Classes of the requests that arrive. They are read once the step has ended.
    arriving: Vec<Class>,
    /// Number of other workers that park.
    parking: usize,
}

const MS: u64 = 1_000_000;
/// Names of requests, one letter each.
const NAMES: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

impl Scenario {
    /// Runs busy requests with these steps, and returns the log. The requests that arrive are named `a`, `b` and so on.
    fn play(peers: usize, busy: Vec<Vec<Step>>) -> String {
        let log = Rc::new(RefCell::new(String::new()));
        run(async {
            let run_queue = run_queue(|_| ());
            let peers = RefCell::new((0..peers).map(|_| Peer::new(&run_queue)).collect());
            let scenario = Rc::new(Self { run_queue, peers, log: RefCell::default() });
            let mut names = (0..).map(|at| &NAMES[at..=at]);
            let mut tasks = Vec::new();
            for steps in busy {
                let mut connect = |class: &Class| {
                    let (client, task) = Rc::clone(&scenario).connect(names.next().unwrap(), *class);
                    tasks.push(task);
                    client
                };
                let steps = steps
                    .into_iter()
                    .map(|step| (step.arriving.iter().map(&mut connect).collect(), step.parking));
                let run = Rc::clone(&scenario).run_steps(steps.collect());
                tasks.push(tokio::task::spawn_local(run));
            }
            for task in tasks {
                task.await.unwrap();
            }
            scenario.log_given();
            let run_queue = &scenario.run_queue;
            assert!(!run_queue.has_waiters() && run_queue.waiting.borrow().is_empty());
            *log.borrow_mut() = scenario.log.borrow().join(", ");
        });
        log.take()
    }

    fn log(&self, entry: String) {
        self.log.borrow_mut().push(entry);
    }

    /// Logs the requests that this worker has given to others.
    fn log_given(&self) {
        for peer in self.peers.borrow_mut().iter_mut() {
            let number = peer.slot.number;
            peer.given().into_iter().for_each(|name| self.log(format!("{name} to {number}")));
        }
    }

    /// Checks that no request waits while a worker is parked. This holds whenever a step begins.
    fn check(&self) {
        self.log_given();
        if let Some(parked) = self.run_queue.steal_group.claim() {
            self.run_queue.steal_group.release(parked);
            if self.run_queue.steal_group.stealable.has_any() {
                self.log(format!("WAITING while {parked} is parked"));
            }
        }
    }

    /// Opens a connection, whose request arrives once a byte is written to the returned socket.
    fn connect(self: Rc<Self>, name: &'static str, class: Class) -> (UnixStream, JoinHandle<()>) {
        let (client, socket) = UnixStream::pair().unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut socket = tokio::net::UnixStream::from_std(socket).unwrap();
        let task = tokio::task::spawn_local(async move {
            socket.read_u8().await.unwrap();
            let (run_queue, now_ns) = (&self.run_queue, self.run_queue.service_clock.elapsed_ns());
            let has_turn = match run_queue.admit(1, now_ns) {
                true => Ok(false),
                false => run_queue.enqueue(name, class, 1, now_ns).await.map(|returned| returned == name),
            };
            match has_turn {
                Ok(has_turn) => {
                    self.check();
                    self.log(format!("{name} runs"));
                    run_queue.release(class, 1, MS / 100, has_turn);
                }
                Err(NotRunHere::Stolen) => self.log_given(),
                Err(NotRunHere::Shed(..)) => self.log(format!("{name} is shed")),
            }
        });
        (client, task)
    }

    /// Runs a request with these steps, each of them long, and yields after each. A step comes with the sockets to which
    /// requests are written, and with the number of workers that park.
    async fn run_steps(self: Rc<Self>, steps: Vec<(Vec<UnixStream>, usize)>) {
        // Lets every connection wait for its socket.
        settle().await;
        let (run_queue, class) = (&self.run_queue, Class::Default);
        let (mut has_turn, mut open) = (false, Vec::new());
        for (clients, parking) in steps {
            self.check();
            self.log("step".to_owned());
            for mut client in clients {
                client.write_all(b"?").unwrap();
                open.push(client);
            }
            for peer in self.peers.borrow_mut().iter_mut().take(parking) {
                let stolen = peer.park(run_queue);
                stolen.into_iter().for_each(|name| self.log(format!("{name} by {}", peer.slot.number)));
            }
            run_queue.release(class, 0, 2 * MS, has_turn);
            has_turn = run_queue.yield_to_waiters().await
                && run_queue.reenter(class, 0, run_queue.service_clock.elapsed_ns()).await;
        }
        run_queue.release(class, 0, 0, has_turn);
    }
}

#[test]
fn a_request_that_arrives_during_a_step_does_not_wait_for_the_next_step() {
    use Class::{Default, Interactive};
    let check = |peers, arriving: &[Class], expected| {
        let step = |arriving: &[Class], parking| Step { arriving: arriving.to_vec(), parking };
        let steps = vec![step(arriving, peers), step(&[], 0), step(&[], 0)];
        assert_eq!(Scenario::play(peers, vec![steps]), expected);
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
fn a_worker_that_parks_steals_a_request_that_waits_for_the_end_of_a_step() {
    let step = |arriving: &[Class], parking| Step { arriving: arriving.to_vec(), parking };
    let steps = vec![step(&[Class::Batch], 0), step(&[], 1), step(&[], 0)];
    assert_eq!(Scenario::play(1, vec![steps]), "step, step, a by 1, step");
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop::sample::select(vec![Class::Interactive, Class::Default, Class::Batch]);
    let step = (vec(class, 0..4), 0..4usize).prop_map(|(arriving, parking)| Step { arriving, parking });
    vec(step, 1..6)
}

proptest! {
    #[test]
    fn no_stealable_request_waits_while_a_worker_is_idle(
        peers in 0..4usize, busy in vec(steps(), 1..4),
    ) {
        let arrived: usize = busy.iter().flatten().map(|step| step.arriving.len()).sum();
        let steps: usize = busy.iter().map(Vec::len).sum();
        let log = Scenario::play(peers, busy);
        prop_assert!(!log.contains("WAITING"), "{}", log);
        prop_assert_eq!(log.split(", ").count(), arrived + steps, "each request ends once: {}", log);
    }
}
