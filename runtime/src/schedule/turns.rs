//! Whose turn it is on one worker. Only that worker's thread comes here: no lock, and nothing is allocated until somebody
//! has to wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, oneshot};
use zerver_engine::{Class, FairQueue, OverrunTracker, SchedulingSettings, Shed, Ticket};

use super::offers::Offers;
use super::peers::Peers;
use super::pulse::Pulse;
use super::{Board, Guest};
use crate::time::Zero;

pub(crate) struct Turns<G = Box<Guest>> {
    ready: RefCell<FairQueue>,
    overruns: RefCell<OverrunTracker>,
    waiting: RefCell<BTreeMap<Ticket, Waiting<G>>>,
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
    peers: Arc<Peers<G>>,
    /// What they can take: those that wait and are new.
    offers: Arc<Offers<Ticket, G>>,
}

/// How one that waits is told that it does no longer.
enum Waiting<G> {
    /// It is offered, and gets itself back unless another worker has it: then nobody tells it anything.
    New(oneshot::Sender<Result<G, NotHere<G>>>),
    /// It has the turn.
    Begun(oneshot::Sender<()>),
}

/// Why a request does not run here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotHere<G> {
    /// It may not wait.
    Refused(Shed, G),
    /// Another worker has it.
    Given,
}

impl<G> Turns<G> {
    /// `slept` is set whenever the worker goes to sleep.
    pub(crate) fn new(
        settings: &SchedulingSettings,
        flows: usize,
        zero: Arc<Zero>,
        slept: Arc<AtomicBool>,
        board: Arc<Board>,
        peers: Arc<Peers<G>>,
        offers: Arc<Offers<Ticket, G>>,
    ) -> Self {
        Self {
            ready: RefCell::new(FairQueue::new(settings.clone())),
            overruns: RefCell::new(OverrunTracker::new(settings, flows)),
            waiting: RefCell::default(),
            is_empty: Cell::new(true),
            is_given: Cell::new(false),
            pulse: Pulse::new(Arc::clone(&zero), slept),
            is_looking: Cell::new(false),
            look: Notify::new(),
            zero,
            board,
            peers,
            offers,
        }
    }

    /// Gives turns in another way from now on.
    pub(crate) fn retune(&self, settings: &SchedulingSettings) {
        self.ready.borrow_mut().set_settings(settings.clone());
        self.overruns.borrow_mut().set_settings(settings);
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

    /// A new request begins: whether it may run at once, without a turn.
    pub(super) fn begin(&self, flow: u16, now_ns: u64) -> bool {
        self.pulse.begin();
        self.overruns.borrow_mut().request_started(flow);
        self.is_calm(now_ns)
    }

    /// A new request waits. When it is back it has a turn, which it must [give back](Self::give_back).
    ///
    /// # Errors
    /// When it is to be sent away, or another worker has it.
    pub(super) async fn wait(&self, new: G, class: Class, flow: u16, now_ns: u64) -> Result<G, NotHere<G>> {
        let ticket = match self.with(|ready| ready.admit(class, flow, now_ns)) {
            Ok(ticket) => ticket,
            // Nobody is sent away while a worker has nothing to do.
            Err(refused) => {
                let Some(peer) = self.peers.claim() else { return Err(NotHere::Refused(refused, new)) };
                self.peers.give(peer, new);
                return Err(NotHere::Given);
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.offers.put(ticket, new);
        self.waiting.borrow_mut().insert(ticket, Waiting::New(sender));
        let mut waiter = Waiter { turns: self, ticket, receiver, has_turn: |told| told.is_ok() };
        self.come().await;
        (&mut waiter.receiver).await.unwrap_or(Err(NotHere::Given))
    }

    /// One that has run before waits if it has to: whether it has a turn then. It is never sent away.
    pub(super) async fn enter_again(&self, class: Class, flow: u16, now_ns: u64) -> bool {
        if self.is_calm(now_ns) {
            return false;
        }
        let ticket = self.with(|ready| ready.requeue(class, flow, now_ns));
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, Waiting::Begun(sender));
        let mut waiter = Waiter { turns: self, ticket, receiver, has_turn: |()| true };
        self.come().await;
        // The sender is never dropped unsent while its waiter lives.
        let _ = (&mut waiter.receiver).await;
        true
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
            self.with(|ready| ready.charge(class, flow, ran_ns));
            if !self.is_empty.get() && self.pulse.is_unseen() {
                self.is_looking.set(true);
                self.look.notify_one();
            }
            self.give();
        }
    }

    /// Until when all that came to this worker has been read, as far as is known.
    pub(super) fn read_until_ns(&self) -> u64 {
        self.pulse.read_until_ns()
    }

    /// Whether a step of this flow has overrun lately.
    pub(super) fn is_suspect(&self, flow: u16) -> bool {
        self.overruns.borrow().is_suspect(flow)
    }

    /// A step has overrun. Until when its flow is to run at low priority, if it does so often.
    pub(super) fn overran(&self, flow: u16, step: u16, now_ns: u64) -> Option<u64> {
        self.overruns.borrow_mut().record_overrun(flow, step, now_ns)
    }

    /// Whether a request can run at once, as if there were no turns.
    fn is_calm(&self, now_ns: u64) -> bool {
        let is_behind = self.pulse.is_behind(now_ns);
        // Who has just been given a turn, and has not begun, is not to be overtaken.
        !is_behind && self.is_empty.get() && !self.is_given.get()
    }

    /// One has come to wait.
    async fn come(&self) {
        if !self.is_given.get() && !self.is_looking.get() {
            // Whoever has arrived by now is to be there when the turn is given, or the first would always be the next.
            tokio::task::yield_now().await;
        }
        self.give();
        if self.pulse.is_over(self.zero.elapsed_ns()) {
            // All may have been given one by now: who is more urgent has been told before, and goes first.
            tokio::task::yield_now().await;
        }
    }

    /// Gives a turn to whoever comes next, unless one is given out, or the sockets come first. Those who wait then go to
    /// workers that are idle, the most urgent first: who has the turn is answered sooner than from there. Where turns are
    /// no longer needed, all get one.
    fn give(&self) {
        self.forget_taken();
        let mut are_over = false;
        while (are_over || !self.is_given.get()) && !self.is_looking.get() {
            let now_ns = self.zero.elapsed_ns();
            self.pulse.waits(self.ready.borrow().longest_wait_ns(now_ns));
            are_over |= self.pulse.is_over(now_ns);
            let Some(turn) = self.with(|ready| ready.pop(now_ns)) else { break };
            self.pulse.waits(turn.waited_ns);
            let waiting = self.waiting.borrow_mut().remove(&turn.ticket);
            let is_told = match waiting {
                Some(Waiting::New(sender)) => self.offers.take_back(turn.ticket).is_some_and(|new| {
                    let told = match turn.verdict {
                        Ok(()) => Ok(new),
                        Err(refused) => Err(NotHere::Refused(refused, new)),
                    };
                    sender.send(told).is_ok()
                }),
                Some(Waiting::Begun(sender)) => sender.send(()).is_ok(),
                // Who waits takes itself out when it leaves.
                None => false,
            };
            self.is_given.set(is_told && turn.verdict.is_ok());
        }
        if self.is_given.get() {
            self.give_away();
        }
    }

    /// Gives those who wait to workers that are idle: from here, before the turn begins, for it may be long.
    fn give_away(&self) {
        while !self.is_empty.get() && self.ready.borrow().has_stealable() {
            let Some(peer) = self.peers.claim() else { break };
            let now_ns = self.zero.elapsed_ns();
            let ticket = self.with(|ready| ready.steal(now_ns));
            match ticket.and_then(|ticket| self.take_out(ticket)) {
                Some(new) => self.peers.give(peer, new),
                // Another has taken it meanwhile.
                None => self.peers.give_up(peer),
            }
        }
    }

    /// Those that others have taken wait no longer.
    fn forget_taken(&self) {
        for ticket in self.offers.taken() {
            self.with(|ready| ready.remove_stolen(ticket, self.zero.elapsed_ns()));
            self.waiting.borrow_mut().remove(&ticket);
        }
    }

    /// One that waits here no longer; none if another worker has it.
    fn take_out(&self, ticket: Ticket) -> Option<G> {
        self.waiting.borrow_mut().remove(&ticket);
        self.offers.take_back(ticket)
    }

    fn with<R>(&self, change: impl FnOnce(&mut FairQueue) -> R) -> R {
        let mut ready = self.ready.borrow_mut();
        let result = change(&mut ready);
        self.is_empty.set(ready.is_empty());
        self.board.tally.queues.publish(&ready);
        result
    }
}

/// Somebody who waits, and may be dropped while it does.
struct Waiter<'t, G, T> {
    turns: &'t Turns<G>,
    ticket: Ticket,
    /// Closed once it has been told, or another worker has it.
    receiver: oneshot::Receiver<T>,
    has_turn: fn(&T) -> bool,
}

impl<G, T> Drop for Waiter<'_, G, T> {
    fn drop(&mut self) {
        let Self { turns, ticket, .. } = *self;
        if self.receiver.is_terminated() {
            return;
        }
        let now_ns = turns.zero.elapsed_ns();
        if turns.with(|ready| ready.remove(ticket, now_ns)) {
            drop(turns.take_out(ticket));
        } else if self.receiver.try_recv().is_ok_and(|told| (self.has_turn)(&told)) {
            // It had just been given the turn.
            turns.is_given.set(false);
            turns.give();
        }
    }
}

#[cfg(test)]
mod tests;
