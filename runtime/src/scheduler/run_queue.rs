//! The run queue of one worker: the requests that wait for their turn. Only the worker's own thread uses it, so it has no
//! lock, and it allocates nothing until a request has to wait.

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
    /// True if no request waits.
    is_empty: Cell<bool>,
    /// True while a request holds the turn. Turns are granted one at a time, so that requests that arrive meanwhile can
    /// compete for the next.
    is_turn_granted: Cell<bool>,
    loop_lag: LoopLag,
    /// True if the sockets must be polled before the next turn is granted.
    is_poll_pending: Cell<bool>,
    poll_wakeup: Notify,
    service_clock: Arc<ServiceClock>,
    thread_status: Arc<ThreadStatus>,
    /// All workers, any of which may be idle.
    steal_group: Arc<StealGroup<G>>,
    /// Requests that other workers can take: those that wait and have not run a step.
    steal_queue: Arc<StealQueue<Ticket, G>>,
}

/// Channel on which a waiting request learns that its wait is over.
enum WaitingRequest<G> {
    /// A request that has not run. It is in the steal queue, and is sent back to its task unless another worker takes it;
    /// then the channel is closed.
    New(oneshot::Sender<Result<G, NotRunHere<G>>>),
    /// A request that has run before, and is notified of its turn.
    Started(oneshot::Sender<()>),
}

/// Reason why a request does not run on this worker.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRunHere<G> {
    /// The request was shed.
    Shed(Shed, G),
    /// Another worker has taken the request.
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

    /// Replaces the settings.
    pub(crate) fn retune(&self, settings: &SchedulingSettings) {
        self.ready.borrow_mut().set_settings(settings.clone());
        self.overruns.borrow_mut().set_settings(settings);
    }

    /// Measures the loop lag while the worker is busy. Never returns.
    pub(crate) async fn measure_loop_lag(&self) {
        self.loop_lag.measure(|| self.has_waiters()).await;
    }

    /// Polls the sockets between turns. Never returns. While tasks are ready, the runtime itself polls the sockets only
    /// after a fixed number of tasks, and each task may be a long turn.
    pub(crate) async fn poll_between_turns(&self) {
        loop {
            self.poll_wakeup.notified().await;
            // This task runs again after the sockets were polled and the tasks that they woke were queued.
            tokio::task::yield_now().await;
            self.loop_lag.note_poll();
            self.is_poll_pending.set(false);
            self.grant_turns();
        }
    }

    /// Counts a new request. Returns true if it may run at once, without a turn.
    pub(super) fn admit(&self, flow: u16, now_ns: u64) -> bool {
        self.loop_lag.note_start();
        self.overruns.borrow_mut().request_started(flow);
        self.can_run_inline(now_ns)
    }

    /// Queues a new request until its turn comes. The caller must [give the turn back](Self::release).
    ///
    /// # Errors
    /// If the request is shed, or if another worker takes it.
    pub(super) async fn enqueue(
        &self,
        new: G,
        class: Class,
        flow: u16,
        now_ns: u64,
    ) -> Result<G, NotRunHere<G>> {
        let ticket = match self.update(|ready| ready.admit(class, flow, now_ns)) {
            Ok(ticket) => ticket,
            // No request is shed while a worker is idle.
            Err(refused) => {
                let Some(peer) = self.steal_group.claim() else { return Err(NotRunHere::Shed(refused, new)) };
                self.steal_group.give(peer, new);
                return Err(NotRunHere::Stolen);
            }
        };
        let (sender, receiver) = oneshot::channel();
        self.steal_queue.push(ticket, new);
        self.waiting.borrow_mut().insert(ticket, WaitingRequest::New(sender));
        let mut waiter = Waiter { run_queue: self, ticket, receiver, has_turn: |result| result.is_ok() };
        self.after_enqueue().await;
        (&mut waiter.receiver).await.unwrap_or(Err(NotRunHere::Stolen))
    }

    /// Lets a request that has run before continue, after a wait if necessary. Returns true if it has a turn. Such a request
    /// is never shed.
    pub(super) async fn reenter(&self, class: Class, flow: u16, now_ns: u64) -> bool {
        if self.can_run_inline(now_ns) {
            return false;
        }
        let ticket = self.update(|ready| ready.requeue(class, flow, now_ns));
        let (sender, receiver) = oneshot::channel();
        self.waiting.borrow_mut().insert(ticket, WaitingRequest::Started(sender));
        let mut waiter = Waiter { run_queue: self, ticket, receiver, has_turn: |()| true };
        self.after_enqueue().await;
        // While the waiter lives, its sender is dropped only after it has sent.
        let _ = (&mut waiter.receiver).await;
        true
    }

    /// Returns true if requests wait for a turn, or if one holds it.
    pub(super) const fn has_waiters(&self) -> bool {
        !self.is_empty.get() || self.is_turn_granted.get()
    }

    /// Lets other requests go first. Returns true if any wait, including those that a poll of the sockets brings in now.
    pub(super) async fn yield_to_waiters(&self) -> bool {
        if !self.has_waiters() {
            tokio::task::yield_now().await;
        }
        self.has_waiters()
    }

    /// Records that a request has run for `ran_ns` and stops running for now. Takes back its turn if it has one.
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

    /// Returns the time before which everything that arrived at this worker is known to have been read.
    pub(super) fn read_until_ns(&self) -> u64 {
        self.loop_lag.read_until_ns()
    }

    /// Returns true if a step of the flow has overrun recently.
    pub(super) fn is_suspect(&self, flow: u16) -> bool {
        self.overruns.borrow().is_suspect(flow)
    }

    /// Records that a step has overrun. If it does so often, returns the time until which its flow runs in the batch pool.
    pub(super) fn record_overrun(&self, flow: u16, step: u16, now_ns: u64) -> Option<u64> {
        self.overruns.borrow_mut().record_overrun(flow, step, now_ns)
    }

    /// Returns true if a request may run at once, without a turn.
    fn can_run_inline(&self, now_ns: u64) -> bool {
        let is_behind = self.loop_lag.is_behind(now_ns);
        // A request that was granted a turn but has not started yet must not be overtaken.
        !is_behind && self.is_empty.get() && !self.is_turn_granted.get()
    }

    /// Grants turns after a request was queued.
    async fn after_enqueue(&self) {
        if !self.is_turn_granted.get() && !self.is_poll_pending.get() {
            // Requests that are ready now enter the queue first. Otherwise the first to arrive would always go next.
            tokio::task::yield_now().await;
        }
        self.grant_turns();
        if self.loop_lag.is_recovered(self.service_clock.elapsed_ns()) {
            // All requests may have been granted turns by now. The more urgent ones were notified first and run first.
            tokio::task::yield_now().await;
        }
    }

    /// Grants the turn to the next request, unless another holds it or the sockets must be polled first. Idle workers then
    /// get the remaining requests, the most urgent first; the next request itself stays, because it is served sooner here.
    /// If turns are no longer needed, every request is granted one.
    fn grant_turns(&self) {
        self.remove_stolen();
        let mut is_recovered = false;
        while (is_recovered || !self.is_turn_granted.get()) && !self.is_poll_pending.get() {
            let now_ns = self.service_clock.elapsed_ns();
            self.loop_lag.note_wait(self.ready.borrow().longest_wait_ns(now_ns));
            is_recovered |= self.loop_lag.is_recovered(now_ns);
            let Some(turn) = self.update(|ready| ready.pop(now_ns)) else { break };
            self.loop_lag.note_wait(turn.waited_ns);
            let waiting = self.waiting.borrow_mut().remove(&turn.ticket);
            let is_notified = match waiting {
                Some(WaitingRequest::New(sender)) => {
                    self.steal_queue.take_back(turn.ticket).is_some_and(|new| {
                        let result = match turn.verdict {
                            Ok(()) => Ok(new),
                            Err(refused) => Err(NotRunHere::Shed(refused, new)),
                        };
                        sender.send(result).is_ok()
                    })
                }
                Some(WaitingRequest::Started(sender)) => sender.send(()).is_ok(),
                // A waiter removes its own entry when it is dropped.
                None => false,
            };
            self.is_turn_granted.set(is_notified && turn.verdict.is_ok());
        }
        if self.is_turn_granted.get() {
            self.hand_to_parked_workers();
        }
    }

    /// Gives waiting requests to idle workers. This happens before the granted turn starts, because that may be long.
    fn hand_to_parked_workers(&self) {
        while !self.is_empty.get() && self.ready.borrow().has_stealable() {
            let Some(peer) = self.steal_group.claim() else { break };
            let now_ns = self.service_clock.elapsed_ns();
            let ticket = self.update(|ready| ready.steal(now_ns));
            match ticket.and_then(|ticket| self.remove(ticket)) {
                Some(new) => self.steal_group.give(peer, new),
                // Another worker has taken the request in the meantime.
                None => self.steal_group.release(peer),
            }
        }
    }

    /// Removes the requests that other workers have taken.
    fn remove_stolen(&self) {
        for ticket in self.steal_queue.drain_stolen() {
            self.update(|ready| ready.remove_stolen(ticket, self.service_clock.elapsed_ns()));
            self.waiting.borrow_mut().remove(&ticket);
        }
    }

    /// Removes a request that no longer waits here. Returns `None` if another worker has taken it.
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

/// The wait of one request. Dropping this removes the request from the queue, and passes its turn on if it was granted
/// one.
struct Waiter<'t, G, T> {
    run_queue: &'t RunQueue<G>,
    ticket: Ticket,
    /// Terminated once the request was notified, or was taken by another worker.
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
        } else if self.receiver.try_recv().is_ok_and(|result| (self.has_turn)(&result)) {
            // The request had just been granted the turn.
            run_queue.is_turn_granted.set(false);
            run_queue.grant_turns();
        }
    }
}

#[cfg(test)]
mod tests;
