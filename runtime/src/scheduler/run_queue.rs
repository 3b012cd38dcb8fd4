//! Whose turn it is on one worker. Only that worker's thread comes here: no lock, and nothing is allocated until somebody
//! has to wait.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, oneshot};
use zerver_engine::{Class, FairQueue, OverrunTracker, SchedulingSettings, Shed, Ticket};

use super::dispatch::stealable_request::StealableRequest;
use super::loop_lag::LoopLag;
use super::sync::steal_queue::StealQueue;
use super::threads::thread_status::ThreadStatus;
use super::work_stealing::StealGroup;
use crate::time::ServiceClock;

pub(crate) struct RunQueue<G = Box<StealableRequest>> {
    ready: RefCell<FairQueue>,
    overruns: RefCell<OverrunTracker>,
    waiting: RefCell<BTreeMap<Ticket, WaitingRequest<G>>>,
    /// Whether nobody waits.
    is_empty: Cell<bool>,
    /// Whether a turn is given out. One at a time: then others have their say before the next.
    is_turn_granted: Cell<bool>,
    loop_lag: LoopLag,
    /// Whether the sockets are to be looked at before the next turn is given.
    is_poll_pending: Cell<bool>,
    poll_wakeup: Notify,
    service_clock: Arc<ServiceClock>,
    thread_status: Arc<ThreadStatus>,
    /// Other workers, which may be idle.
    steal_group: Arc<StealGroup<G>>,
    /// What they can take: those that wait and are new.
    steal_queue: Arc<StealQueue<Ticket, G>>,
}

/// How one that waits is told that it does no longer.
enum WaitingRequest<G> {
    /// It is offered, and gets itself back unless another worker has it: then nobody tells it anything.
    New(oneshot::Sender<Result<G, NotRunHere<G>>>),
    /// It has the turn.
    Started(oneshot::Sender<()>),
}

/// Why a request does not run here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRunHere<G> {
    /// It may not wait.
    Shed(Shed, G),
    /// Another worker has it.
    Stolen,
}

impl<G> RunQueue<G> {
    /// `slept` is set whenever the worker goes to sleep.
    pub(crate) fn new(
        settings: &SchedulingSettings,
        flows: usize,
        service_clock: Arc<ServiceClock>,
        slept: Arc<AtomicBool>,
        thread_status: Arc<ThreadStatus>,
        steal_group: Arc<StealGroup<G>>,
        steal_queue: Arc<StealQueue<Ticket, G>>,
    ) -> Self {
        Self {
            ready: RefCell::new(FairQueue::new(settings.clone())),
            overruns: RefCell::new(OverrunTracker::new(settings, flows)),
            waiting: RefCell::default(),
            is_empty: Cell::new(true),
            is_turn_granted: Cell::new(false),
            loop_lag: LoopLag::new(Arc::clone(&service_clock), slept),
            is_poll_pending: Cell::new(false),
            poll_wakeup: Notify::new(),
            service_clock,
            thread_status,
            steal_group,
            steal_queue,
        }
    }

    /// Gives turns in another way from now on.
    pub(crate) fn retune(&self, settings: &SchedulingSettings) {
        self.ready.borrow_mut().set_settings(settings.clone());
        self.overruns.borrow_mut().set_settings(settings);
    }

    /// Measures how long the worker takes to come round, while it is busy.
    pub(crate) async fn measure_loop_lag(&self) {
        self.loop_lag.measure(|| self.has_waiters()).await;
    }

    /// Looks at the sockets between turns. As long as tasks are ready the runtime looks at them only now and then, counted
    /// in tasks, and a turn may be long.
    pub(crate) async fn poll_between_turns(&self) {
        loop {
            self.poll_wakeup.notified().await;
            // Woken after the sockets, so that what they have brought is there.
            tokio::task::yield_now().await;
            self.loop_lag.note_poll();
            self.is_poll_pending.set(false);
            self.grant_turns();
        }
    }

    /// A new request begins: whether it may run at once, without a turn.
    pub(super) fn admit(&self, flow: u16, now_ns: u64) -> bool {
        self.loop_lag.note_start();
        self.overruns.borrow_mut().request_started(flow);
        self.can_run_inline(now_ns)
    }

    /// A new request waits. When it is back it has a turn, which it must [give back](Self::release).
    ///
    /// # Errors
    /// When it is to be sent away, or another worker has it.
    pub(super) async fn enqueue(
        &self,
        new: G,
        class: Class,
        flow: u16,
        now_ns: u64,
    ) -> Result<G, NotRunHere<G>> {
        let ticket = match self.update(|ready| ready.admit(class, flow, now_ns)) {
            Ok(ticket) => ticket,
            // Nobody is sent away while a worker has nothing to do.
            Err(refused) => {
                let Some(peer) = self.steal_group.claim() else { return Err(NotRunHere::Shed(refused, new)) };
                self.steal_group.give(peer, new);
                return Err(NotRunHere::Stolen);
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.steal_queue.push(ticket, new);
        self.waiting.borrow_mut().insert(ticket, WaitingRequest::New(sender));
        let mut waiter = Waiter { run_queue: self, ticket, receiver, has_turn: |told| told.is_ok() };
        self.arrive().await;
        (&mut waiter.receiver).await.unwrap_or(Err(NotRunHere::Stolen))
    }

    /// One that has run before waits if it has to: whether it has a turn then. It is never sent away.
    pub(super) async fn reenter(&self, class: Class, flow: u16, now_ns: u64) -> bool {
        if self.can_run_inline(now_ns) {
            return false;
        }
        let ticket = self.update(|ready| ready.requeue(class, flow, now_ns));
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, WaitingRequest::Started(sender));
        let mut waiter = Waiter { run_queue: self, ticket, receiver, has_turn: |()| true };
        self.arrive().await;
        // The sender is never dropped unsent while its waiter lives.
        let _ = (&mut waiter.receiver).await;
        true
    }

    /// Whether others wait for a turn, or one has just been given it.
    pub(super) const fn has_waiters(&self) -> bool {
        !self.is_empty.get() || self.is_turn_granted.get()
    }

    /// One that could run on lets others go first: whether there are any, also of those that sockets bring now.
    pub(super) async fn yield_to_waiters(&self) -> bool {
        if !self.has_waiters() {
            tokio::task::yield_now().await;
        }
        self.has_waiters()
    }

    /// A request has run for so long, with a turn or without one, and runs no more for now.
    pub(super) fn release(&self, class: Class, flow: u16, ran_ns: u64, has_turn: bool) {
        if has_turn {
            self.is_turn_granted.set(false);
        }
        self.loop_lag.note_run(ran_ns);
        if has_turn || !self.is_empty.get() {
            self.update(|ready| ready.charge(class, flow, ran_ns));
            if !self.is_empty.get() && self.loop_lag.is_poll_overdue() {
                self.is_poll_pending.set(true);
                self.poll_wakeup.notify_one();
            }
            self.grant_turns();
        }
    }

    /// Until when all that came to this worker has been read, as far as is known.
    pub(super) fn read_until_ns(&self) -> u64 {
        self.loop_lag.read_until_ns()
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
    fn can_run_inline(&self, now_ns: u64) -> bool {
        let is_behind = self.loop_lag.is_behind(now_ns);
        // Who has just been given a turn, and has not begun, is not to be overtaken.
        !is_behind && self.is_empty.get() && !self.is_turn_granted.get()
    }

    /// One has come to wait.
    async fn arrive(&self) {
        if !self.is_turn_granted.get() && !self.is_poll_pending.get() {
            // Whoever has arrived by now is to be there when the turn is given, or the first would always be the next.
            tokio::task::yield_now().await;
        }
        self.grant_turns();
        if self.loop_lag.is_recovered(self.service_clock.elapsed_ns()) {
            // All may have been given one by now: who is more urgent has been told before, and goes first.
            tokio::task::yield_now().await;
        }
    }

    /// Gives a turn to whoever comes next, unless one is given out, or the sockets come first. Those who wait then go to
    /// workers that are idle, the most urgent first: who has the turn is answered sooner than from there. Where turns are
    /// no longer needed, all get one.
    fn grant_turns(&self) {
        self.remove_stolen();
        let mut are_over = false;
        while (are_over || !self.is_turn_granted.get()) && !self.is_poll_pending.get() {
            let now_ns = self.service_clock.elapsed_ns();
            self.loop_lag.note_wait(self.ready.borrow().longest_wait_ns(now_ns));
            are_over |= self.loop_lag.is_recovered(now_ns);
            let Some(turn) = self.update(|ready| ready.pop(now_ns)) else { break };
            self.loop_lag.note_wait(turn.waited_ns);
            let waiting = self.waiting.borrow_mut().remove(&turn.ticket);
            let is_told = match waiting {
                Some(WaitingRequest::New(sender)) => {
                    self.steal_queue.take_back(turn.ticket).is_some_and(|new| {
                        let told = match turn.verdict {
                            Ok(()) => Ok(new),
                            Err(refused) => Err(NotRunHere::Shed(refused, new)),
                        };
                        sender.send(told).is_ok()
                    })
                }
                Some(WaitingRequest::Started(sender)) => sender.send(()).is_ok(),
                // Who waits takes itself out when it leaves.
                None => false,
            };
            self.is_turn_granted.set(is_told && turn.verdict.is_ok());
        }
        if self.is_turn_granted.get() {
            self.hand_to_parked_workers();
        }
    }

    /// Gives those who wait to workers that are idle: from here, before the turn begins, for it may be long.
    fn hand_to_parked_workers(&self) {
        while !self.is_empty.get() && self.ready.borrow().has_stealable() {
            let Some(peer) = self.steal_group.claim() else { break };
            let now_ns = self.service_clock.elapsed_ns();
            let ticket = self.update(|ready| ready.steal(now_ns));
            match ticket.and_then(|ticket| self.remove(ticket)) {
                Some(new) => self.steal_group.give(peer, new),
                // Another has taken it meanwhile.
                None => self.steal_group.release(peer),
            }
        }
    }

    /// Those that others have taken wait no longer.
    fn remove_stolen(&self) {
        for ticket in self.steal_queue.drain_stolen() {
            self.update(|ready| ready.remove_stolen(ticket, self.service_clock.elapsed_ns()));
            self.waiting.borrow_mut().remove(&ticket);
        }
    }

    /// One that waits here no longer; none if another worker has it.
    fn remove(&self, ticket: Ticket) -> Option<G> {
        self.waiting.borrow_mut().remove(&ticket);
        self.steal_queue.take_back(ticket)
    }

    fn update<R>(&self, change: impl FnOnce(&mut FairQueue) -> R) -> R {
        let mut ready = self.ready.borrow_mut();
        let result = change(&mut ready);
        self.is_empty.set(ready.is_empty());
        self.thread_status.counters.queues.publish(&ready);
        result
    }
}

/// Somebody who waits, and may be dropped while it does.
struct Waiter<'t, G, T> {
    run_queue: &'t RunQueue<G>,
    ticket: Ticket,
    /// Closed once it has been told, or another worker has it.
    receiver: oneshot::Receiver<T>,
    has_turn: fn(&T) -> bool,
}

impl<G, T> Drop for Waiter<'_, G, T> {
    fn drop(&mut self) {
        let Self { run_queue, ticket, .. } = *self;
        if self.receiver.is_terminated() {
            return;
        }
        let now_ns = run_queue.service_clock.elapsed_ns();
        if run_queue.update(|ready| ready.remove(ticket, now_ns)) {
            drop(run_queue.remove(ticket));
        } else if self.receiver.try_recv().is_ok_and(|told| (self.has_turn)(&told)) {
            // It had just been given the turn.
            run_queue.is_turn_granted.set(false);
            run_queue.grant_turns();
        }
    }
}

#[cfg(test)]
mod tests;
