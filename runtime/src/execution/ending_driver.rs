//! Drives a job that runs no more steps: its undos, its conclusion, or the stream of its response. This is done on the effect
//! runtime, so that it does not keep a worker.

use std::collections::VecDeque;

use futures_util::stream::{FuturesUnordered, StreamExt};
use zerver_engine::{CallResult, Next, RequestedCall, StopReason};

use super::checked_job::CheckedJob;
use super::effect_future::{CompletedEffect, Completion, EffectFuture, EffectProgress};
use super::effect_start::{self, DueCall, StartedEffect};
use super::panic_report;
use crate::effects::interpreter::{EffectContext, Started};
use crate::scheduler::{EffectAccess, TargetCall};
use crate::server::service::Service;
use crate::time::Stopwatch;

/// Drives one job on the effect runtime, after its last step.
pub(super) struct EndingDriver<'d> {
    job: &'d mut CheckedJob,
    watch: &'d mut Stopwatch,
    service: &'d Service,
    context: &'d EffectContext,
    /// Arrival of the request's head, on the service's clock.
    base_ns: u64,
    /// Time by which everything must have ended, in nanoseconds since the head of the request arrived.
    until_ns: u64,
    in_flight: FuturesUnordered<EffectFuture>,
    /// Calls that wait because the request has too many in flight.
    queued: VecDeque<RequestedCall>,
}

impl<'d> EndingDriver<'d> {
    /// Creates the driver of a job that has to end by `until_ns`.
    pub(super) fn new(
        (job, watch): (&'d mut CheckedJob, &'d mut Stopwatch),
        service: &'d Service,
        context: &'d EffectContext,
        base_ns: u64,
        until_ns: u64,
    ) -> Self {
        let (in_flight, queued) = (FuturesUnordered::new(), VecDeque::new());
        Self { job, watch, service, context, base_ns, until_ns, in_flight, queued }
    }

    /// Undoes what the request has done, and performs its conclusion.
    pub(super) async fn undo(&mut self) {
        self.run(Next::Undo).await;
    }

    /// Makes the body of the response.
    pub(super) async fn stream(&mut self) {
        let next = self.job.start_stream(self.watch.tick());
        self.run(next).await;
    }

    /// Ends a stream whose client has left. Its calls are canceled.
    pub(super) fn stop_stream(&mut self) {
        for effect in std::mem::take(&mut self.in_flight) {
            if let EffectFuture::Running(effect) = effect {
                let points = effect.take_points();
                self.job.record_reports(effect.number(), points, self.watch);
            }
        }
        self.job.stop(StopReason::ClientLeft, self.watch.tick());
    }

    async fn run(&mut self, mut next: Next) {
        loop {
            self.drop_canceled();
            next = match next {
                Next::Undo => {
                    // Calls of the step that failed do not matter any more.
                    self.queued.clear();
                    self.in_flight.clear();
                    self.guarded(|job, watch| job.undo(watch.tick()))
                }
                Next::Advance => {
                    tokio::task::yield_now().await;
                    self.guarded(|job, watch| job.advance(watch))
                }
                Next::Wait => self.wait().await,
                // No step runs here, and the head of a response is sent before its body is made.
                Next::Run | Next::Stream | Next::Ended => return,
            };
        }
    }

    /// Starts what can start. If nothing is ready at once, waits until a call completes.
    async fn wait(&mut self) -> Next {
        self.queued.extend(self.job.take_requested_calls());
        let limit = self.service.limits.effects.max(1);
        while self.in_flight.len() < limit
            && let Some(call) = self.queued.pop_front()
        {
            if let Some(next) = self.start(DueCall::new(call), false)
                && next != Next::Wait
            {
                return next;
            }
            self.queued.extend(self.job.take_requested_calls());
        }
        let until = self.watch.at(self.until_ns).into();
        match tokio::time::timeout_at(until, self.in_flight.next()).await {
            Ok(Some(EffectProgress::Completed(CompletedEffect { number, completion, call }))) => {
                let Completion { result, points, notes, .. } = completion;
                self.job.record_reports(number, points, self.watch);
                self.job.record_policy_notes(number, notes, self.watch.now_ns());
                self.complete(number, result, call)
            }
            Ok(Some(EffectProgress::Started(effect, at))) => {
                self.job.record_effect_started(effect.number(), self.watch.since_start_ns(at));
                self.in_flight.push(EffectFuture::Running(effect));
                Next::Wait
            }
            Ok(Some(EffectProgress::Due(call, _))) => self.start(call, true).unwrap_or(Next::Wait),
            Ok(None) | Err(_) => self.job.stop(StopReason::DeadlinePassed, self.watch.tick()),
        }
    }

    /// Starts a call, or queues it. Returns what the job does next if the call was ready at once.
    fn start(&mut self, due: DueCall, was_queued: bool) -> Option<Next> {
        let number = due.number();
        if !self.job.is_waiting_for(number) {
            return None;
        }
        let needs = EffectAccess {
            scheduler: &self.service.scheduler,
            runtime: self.service.effect_runtime.handle(),
            base_ns: self.base_ns,
            is_batch: false,
        };
        let interpreters = self.service.readiness.interpreters();
        let StartedEffect { state, notes, call } =
            effect_start::start(due, self.watch, self.until_ns, interpreters, self.context, &needs);
        let queued_for = match &state {
            Started::Pending(effect) => effect.queue_reason(),
            Started::Ready(_) => None,
        };
        match queued_for {
            Some(reason) => self.job.record_effect_queued(number, self.watch.now_ns(), reason),
            None if was_queued => self.job.record_effect_started(number, self.watch.now_ns()),
            None => {}
        }
        self.job.record_policy_notes(number, notes, self.watch.now_ns());
        match state {
            Started::Ready(Completion { result, points, .. }) => {
                self.job.record_reports(number, points, self.watch);
                Some(self.complete(number, result, call))
            }
            Started::Pending(effect) => {
                self.in_flight.push(effect);
                None
            }
        }
    }

    /// Passes the result of a call to the job. The policy of its target decides about another attempt.
    fn complete(&mut self, number: u32, performed: CallResult, call: Option<TargetCall>) -> Next {
        let (until_ns, service_ns) = (self.until_ns, self.base_ns + self.watch.tick());
        self.guarded(|job, watch| {
            job.complete_call(number, watch, performed, call.as_ref(), until_ns, service_ns)
        })
    }

    /// Drops the calls that have become superfluous because another one has answered. That cancels them.
    fn drop_canceled(&mut self) {
        if !self.job.has_canceled_calls() {
            return;
        }
        let mut canceled = self.job.take_canceled_calls();
        canceled.sort_unstable();
        let is_needed = |number: u32| canceled.binary_search(&number).is_err();
        self.queued.retain(|call| is_needed(call.number));
        let mut reached = Vec::new();
        let in_flight = std::mem::take(&mut self.in_flight);
        let needed = in_flight.into_iter().filter(|effect| {
            let is_needed = effect.number().is_some_and(is_needed);
            if let (false, EffectFuture::Running(effect)) = (is_needed, effect) {
                reached.push((effect.number(), effect.take_points()));
            }
            is_needed
        });
        self.in_flight = needed.collect();
        for (number, points) in reached {
            self.job.record_reports(number, points, self.watch);
        }
    }

    /// Runs code of the service. If it panics, the report of the panic masks the secrets of the request.
    fn guarded(&mut self, run: impl FnOnce(&mut CheckedJob, &mut Stopwatch) -> Next) -> Next {
        let watch = &mut *self.watch;
        panic_report::guard_step(self.job, &self.service.secrets, |job| run(job, watch))
    }
}
