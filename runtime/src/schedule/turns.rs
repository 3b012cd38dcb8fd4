//! Whose turn it is on one worker. Only that worker's thread comes here: no lock, and nothing is allocated until somebody
//! has to wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, oneshot};
use zerver_engine::{Class, Overruns, Ready, Scheduling, Ticket};

use super::Board;
use super::carry::NotHere;
use super::peers::Peers;
use super::pulse::Pulse;
use crate::time::Zero;

pub(crate) struct Turns {
    ready: RefCell<Ready>,
    overruns: RefCell<Overruns>,
    waiting: RefCell<BTreeMap<Ticket, oneshot::Sender<Result<(), NotHere>>>>,
    /// Whether nobody waits.
    is_empty: Cell<bool>,
    /// Whether a turn is given out. One at a time: then others have their say before the next.
    is_given: Cell<bool>,
    pulse: Pulse,
    /// Whether the sockets are to be looked at before the next turn is given.
    is_looking: Cell<bool>,
    look: Notify,
    zero: Arc<Zero>,
    board: Arc<Board>,
    /// Other workers, which may be idle.
    peers: Arc<Peers>,
}

impl Turns {
    /// `slept` is set whenever the worker goes to sleep.
    pub(crate) fn new(
        settings: &Scheduling,
        flows: usize,
        zero: Arc<Zero>,
        slept: Arc<AtomicBool>,
        board: Arc<Board>,
        peers: Arc<Peers>,
    ) -> Self {
        Self {
            ready: RefCell::new(Ready::new(settings.clone())),
            overruns: RefCell::new(Overruns::new(settings, flows)),
            waiting: RefCell::default(),
            is_empty: Cell::new(true),
            is_given: Cell::new(false),
            pulse: Pulse::new(Arc::clone(&zero), slept),
            is_looking: Cell::new(false),
            look: Notify::new(),
            zero,
            board,
            peers,
        }
    }

    /// Gives turns in another way from now on.
    pub(crate) fn retune(&self, settings: &Scheduling) {
        self.ready.borrow_mut().retune(settings.clone());
        self.overruns.borrow_mut().retune(settings);
    }

    /// Measures how long the worker takes to come round, while it is busy.
    pub(crate) async fn pulse(&self) {
        self.pulse.beat(|| self.others_wait()).await;
    }

    /// Looks at the sockets between turns. As long as tasks are ready the runtime looks at them only now and then, counted
    /// in tasks, and a turn may be long.
    pub(crate) async fn look(&self) {
        loop {
            self.look.notified().await;
            // Woken after the sockets, so that what they have brought is there.
            tokio::task::yield_now().await;
            self.pulse.looks();
            self.is_looking.set(false);
            self.give();
        }
    }

    /// A new request: when this returns it may run. Whether it has a turn, which it must [give back](Self::give_back).
    ///
    /// # Errors
    /// When it is to be sent away, or to another worker.
    pub(super) async fn enter(&self, class: Class, flow: u16, now_ns: u64) -> Result<bool, NotHere> {
        self.pulse.begin();
        self.overruns.borrow_mut().begin(flow);
        if self.is_calm(now_ns) {
            return Ok(false);
        }
        let would_wait = self.is_given.get() || !self.is_empty.get();
        if let Some(peer) = would_wait.then(|| self.peers.claim()).flatten() {
            return Err(NotHere::Stolen(peer));
        }
        let ticket = self.with(|ready| ready.enter(class, flow, now_ns)).map_err(NotHere::Refused)?;
        self.turn(ticket).await
    }

    /// The same for one that has run before. It is never sent away.
    pub(super) async fn enter_again(&self, class: Class, flow: u16, now_ns: u64) -> bool {
        if self.is_calm(now_ns) {
            return false;
        }
        let ticket = self.with(|ready| ready.enter_again(class, flow, now_ns));
        self.turn(ticket).await.unwrap_or(false)
    }

    /// Whether others wait for a turn.
    pub(super) const fn others_wait(&self) -> bool {
        !self.is_empty.get()
    }

    /// A request has run for so long, with a turn or without one, and runs no more for now.
    pub(super) fn give_back(&self, class: Class, flow: u16, ran_ns: u64, has_turn: bool) {
        if has_turn {
            self.is_given.set(false);
        }
        self.pulse.ran(ran_ns);
        if has_turn || !self.is_empty.get() {
            self.with(|ready| ready.ran(class, flow, ran_ns));
            if !self.is_empty.get() && self.pulse.is_unseen() {
                self.is_looking.set(true);
                self.look.notify_one();
            }
            self.give();
        }
    }

    /// Whether a step of this flow has overrun lately.
    pub(super) fn is_suspect(&self, flow: u16) -> bool {
        self.overruns.borrow().is_suspect(flow)
    }

    /// A step has overrun. Until when its flow is to run at low priority, if it does so often.
    pub(super) fn overran(&self, flow: u16, step: u16, now_ns: u64) -> Option<u64> {
        self.overruns.borrow_mut().overran(flow, step, now_ns)
    }

    /// Whether a request can run at once, as if there were no turns.
    fn is_calm(&self, now_ns: u64) -> bool {
        let is_behind = self.pulse.is_behind(now_ns);
        // Who has just been given a turn, and has not begun, is not to be overtaken.
        !is_behind && self.is_empty.get() && !self.is_given.get()
    }

    async fn turn(&self, ticket: Ticket) -> Result<bool, NotHere> {
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, sender);
        let mut waiter = Waiter { turns: self, ticket, receiver, is_done: false };
        if !self.is_given.get() && !self.is_looking.get() {
            // Whoever has arrived by now is to be there when the turn is given, or the first would always be the next.
            tokio::task::yield_now().await;
        }
        if self.give() == Some(ticket) {
            // Who goes elsewhere leaves from this thread: before the turn begins, for it may be long.
            tokio::task::yield_now().await;
        }
        let verdict = (&mut waiter.receiver).await;
        waiter.is_done = true;
        // The sender is never dropped unsent while its waiter lives.
        verdict.unwrap_or(Ok(())).map(|()| true)
    }

    /// Gives a turn to whoever comes next, unless one is given out, or the sockets come first; those who still wait then
    /// may go to workers that are idle. They are told first; who has the turn then, if there are any.
    fn give(&self) -> Option<Ticket> {
        let mut after_others = None;
        while !self.is_given.get() && !self.is_looking.get() {
            let now_ns = self.zero.elapsed_ns();
            let Some(turn) = self.with(|ready| ready.next(now_ns)) else { break };
            let sender = self.waiting.borrow_mut().remove(&turn.ticket);
            self.is_given.set(turn.goes.is_ok());
            after_others = self.give_away().then_some(turn.ticket);
            if sender.is_none_or(|sender| sender.send(turn.goes.map_err(NotHere::Refused)).is_err()) {
                self.is_given.set(false);
            }
        }
        self.give_away();
        after_others
    }

    /// Gives those who wait to workers that are idle; whether there were any.
    fn give_away(&self) -> bool {
        let mut some_leave = false;
        while !self.is_empty.get() && self.ready.borrow().has_new() {
            let Some(peer) = self.peers.claim() else { break };
            some_leave = true;
            let now_ns = self.zero.elapsed_ns();
            let sender = self.with(|ready| ready.steal(now_ns));
            let sender = sender.and_then(|ticket| self.waiting.borrow_mut().remove(&ticket));
            // Who waits takes itself out when it leaves, so that it is there.
            let _ = sender.map(|sender| sender.send(Err(NotHere::Stolen(peer))));
        }
        some_leave
    }

    fn with<R>(&self, change: impl FnOnce(&mut Ready) -> R) -> R {
        let mut ready = self.ready.borrow_mut();
        let result = change(&mut ready);
        self.is_empty.set(ready.is_empty());
        self.board.tally.queues.publish(&ready);
        result
    }
}

/// Somebody who waits, and may be dropped while it does.
struct Waiter<'t> {
    turns: &'t Turns,
    ticket: Ticket,
    receiver: oneshot::Receiver<Result<(), NotHere>>,
    is_done: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let now_ns = self.turns.zero.elapsed_ns();
        if self.turns.with(|ready| ready.leave(self.ticket, now_ns)) {
            self.turns.waiting.borrow_mut().remove(&self.ticket);
            return;
        }
        match self.receiver.try_recv() {
            // It had just been given the turn.
            Ok(Ok(())) => {
                self.turns.is_given.set(false);
                self.turns.give();
            }
            // It was to go to a worker that is idle: another may.
            Ok(Err(NotHere::Stolen(peer))) => {
                self.turns.peers.give_up(peer);
                self.turns.give_away();
            }
            Ok(Err(NotHere::Refused(_))) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

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

    fn run(test: impl Future<Output = ()>) {
        let local = tokio::task::LocalSet::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(local.run_until(test));
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
    ) -> tokio::task::JoinHandle<()> {
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
            let idle = Arc::new(super::super::Idle::default());
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
            let idle = Arc::new(super::super::Idle::default());
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
}
