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
    /// So many were told to go to an idle worker, and have not left yet.
    leaving: Cell<usize>,
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
            leaving: Cell::new(0),
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
        match self.with(|ready| ready.enter(class, flow, now_ns)) {
            Ok(ticket) => self.turn(ticket).await,
            // Nobody is sent away while a worker has nothing to do.
            Err(refused) => Err(self.peers.claim().map_or(NotHere::Refused(refused), NotHere::Stolen)),
        }
    }

    /// The same for one that has run before. It is never sent away.
    pub(super) async fn enter_again(&self, class: Class, flow: u16, now_ns: u64) -> bool {
        if self.is_calm(now_ns) {
            return false;
        }
        let ticket = self.with(|ready| ready.enter_again(class, flow, now_ns));
        self.turn(ticket).await.unwrap_or(false)
    }

    /// Whether others wait for a turn, or one has just been given it.
    pub(super) const fn others_wait(&self) -> bool {
        !self.is_empty.get() || self.is_given.get()
    }

    /// One that could run on lets others go first: whether there are any, also of those that sockets bring now.
    pub(super) async fn others_come(&self) -> bool {
        if !self.others_wait() {
            tokio::task::yield_now().await;
        }
        self.others_wait()
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
        let mut waiter = Waiter { turns: self, ticket, receiver, told: None, is_done: false };
        if !self.is_given.get() && !self.is_looking.get() {
            // Whoever has arrived by now is to be there when the turn is given, or the first would always be the next.
            tokio::task::yield_now().await;
        }
        self.give();
        // The sender is never dropped unsent while its waiter lives.
        let verdict = (&mut waiter.receiver).await.unwrap_or(Ok(()));
        waiter.told = Some(verdict);
        if verdict.is_ok() && self.leaving.get() > 0 {
            // Those who go elsewhere leave from this thread, and this turn may be long. They have been woken, and all who
            // have been woken run before one that yields.
            tokio::task::yield_now().await;
        }
        waiter.goes();
        verdict.map(|()| true)
    }

    /// Gives a turn to whoever comes next, unless one is given out, or the sockets come first. Those who wait then may go
    /// to workers that are idle, the most urgent first: who has the turn is answered sooner than from there.
    fn give(&self) {
        while !self.is_given.get() && !self.is_looking.get() {
            let now_ns = self.zero.elapsed_ns();
            let Some(turn) = self.with(|ready| ready.next(now_ns)) else { break };
            let sender = self.waiting.borrow_mut().remove(&turn.ticket);
            self.is_given.set(turn.goes.is_ok());
            if sender.is_none_or(|sender| sender.send(turn.goes.map_err(NotHere::Refused)).is_err()) {
                self.is_given.set(false);
            }
        }
        if self.is_given.get() {
            self.give_away();
        }
    }

    /// Gives those who wait to workers that are idle.
    fn give_away(&self) {
        while !self.is_empty.get() && self.ready.borrow().has_new() {
            let Some(peer) = self.peers.claim() else { break };
            let now_ns = self.zero.elapsed_ns();
            let ticket = self.with(|ready| ready.steal(now_ns));
            // Who waits takes itself out when it leaves, so that it is there.
            let sender = ticket.and_then(|ticket| self.waiting.borrow_mut().remove(&ticket));
            if sender.is_some_and(|sender| sender.send(Err(NotHere::Stolen(peer))).is_ok()) {
                self.leaving.update(|leaving| leaving + 1);
            }
        }
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
    /// As far as it knows.
    told: Option<Result<(), NotHere>>,
    is_done: bool,
}

impl Waiter<'_> {
    /// It does what it was told.
    fn goes(&mut self) {
        self.is_done = true;
        if let Some(Err(NotHere::Stolen(_))) = self.told {
            self.turns.leaving.update(|leaving| leaving - 1);
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let Self { turns, ticket, .. } = *self;
        if self.is_done {
            return;
        }
        let now_ns = turns.zero.elapsed_ns();
        if turns.with(|ready| ready.leave(ticket, now_ns)) {
            turns.waiting.borrow_mut().remove(&ticket);
            return;
        }
        self.told = self.told.or_else(|| self.receiver.try_recv().ok());
        self.goes();
        match self.told {
            // It had just been given the turn.
            Some(Ok(())) => turns.is_given.set(false),
            // It was to go to a worker that is idle: another may.
            Some(Err(NotHere::Stolen(peer))) => turns.peers.give_up(peer),
            Some(Err(NotHere::Refused(_))) | None => return,
        }
        turns.give();
    }
}

#[cfg(test)]
mod tests;
