//! Takes one job from step to step. Its run slice decides when other requests run first, and when the request has to
//! continue in the batch pool.

use std::pin::{Pin, pin};

use futures_util::stream::{FuturesUnordered, StreamExt};
use smallvec::SmallVec;
use tokio::time::{Instant, Sleep};
use zerver_engine::{CallResult, Next, RequestedCall, StopReason};
use zerver_trace::QueueReason;

use super::checked_job::CheckedJob;
use super::effect_future;
use super::effect_future::{CompletedEffect, Completion, EffectFuture, EffectProgress};
use super::effect_start::{self, DueCall, StartedEffect};
use super::panic_report;
use super::queued_calls::QueuedCalls;
use crate::effects::effect_points::Point;
use crate::effects::interpreter::{EffectContext, Started};
use crate::scheduler::{DriveEnd, PolicyNote, RunSlice, TargetCall};
use crate::server::service::Service;
use crate::time::Stopwatch;

/// Number of effects that start or complete without a pause before the driver checks the deadline and lets other requests
/// run.
const YIELD_AFTER_EFFECTS: u32 = 64;

/// Drives one job on one thread.
pub(crate) struct Driver<'d> {
    job: &'d mut CheckedJob,
    watch: &'d mut Stopwatch,
    service: &'d Service,
    context: &'d EffectContext,
    slice: &'d RunSlice<'d>,
    /// Time from the arrival of the request to its deadline.
    deadline_ns: u64,
    in_flight: Option<FuturesUnordered<EffectFuture>>,
    /// Calls that wait because the request has too many in flight.
    over_limit: QueuedCalls,
    /// Number of effects that started or completed since other requests could run.
    effects_since_yield: u32,
}

impl<'d> Driver<'d> {
    pub(crate) fn new(
        job: &'d mut CheckedJob,
        watch: &'d mut Stopwatch,
        service: &'d Service,
        context: &'d EffectContext,
        slice: &'d RunSlice<'d>,
        deadline_ns: u64,
    ) -> Self {
        Self {
            job,
            watch,
            service,
            context,
            slice,
            deadline_ns,
            in_flight: None,
            over_limit: QueuedCalls::default(),
            effects_since_yield: 0,
        }
    }

    /// Runs the job to its end, or until it has to continue elsewhere. Steps run inline, and so do effects that are ready at
    /// once; other effects are waited for.
    ///
    /// Dropping the future cancels the effects in flight. The job has not ended then.
    pub(crate) async fn run(&mut self) -> DriveEnd {
        let mut deadline = pin!(None::<Sleep>);
        let mut requested = SmallVec::new();
        let mut next = Next::Run;
        loop {
            if self.is_yield_due()
                && !matches!(next, Next::Ended | Next::Undo | Next::Stream)
                && self.yield_between_effects().await
            {
                return DriveEnd::Finished;
            }
            if self.job.has_canceled_calls() {
                self.drop_canceled();
            }
            next = match next {
                // What a failed request has to undo does not keep this thread, and outlives the client. A stream does not keep
                // it either.
                Next::Ended | Next::Undo | Next::Stream => {
                    self.slice.record_wait(self.watch.now_ns());
                    return DriveEnd::Finished;
                }
                Next::Run | Next::Advance if self.watch.now_ns() >= self.deadline_ns => {
                    self.job.stop(StopReason::DeadlinePassed, self.watch.now_ns());
                    return DriveEnd::Finished;
                }
                Next::Run => {
                    if let Some(step) = self.slice.overrunning_step() {
                        return DriveEnd::Reclassified(step);
                    }
                    if self.slice.is_quantum_over(self.watch.now_ns()) {
                        self.slice.yield_turn(self.watch).await;
                    }
                    let step = self.job.position();
                    let next = self.run_step(step);
                    let has_yielded = next == Next::Run && self.job.position() == step;
                    if has_yielded {
                        self.slice.yield_turn(self.watch).await;
                    }
                    next
                }
                Next::Advance => {
                    self.watch.tick();
                    self.slice.continue_turn(self.watch).await;
                    self.guarded(|job, watch| job.advance(watch))
                }
                Next::Wait => match self.perform_effects(&mut requested, deadline.as_mut()).await {
                    Some(next) => next,
                    None => return DriveEnd::Finished,
                },
            }
        }
    }

    fn run_step(&mut self, step: u16) -> Next {
        let at_ns = self.watch.now_ns();
        self.slice.begin_step(step, self.job.ready_ns(), at_ns);
        let next = self.guarded(|job, watch| job.run(watch));
        if self.slice.end_step(step, at_ns, self.watch.now_ns()) {
            self.job.record_quantum_exceeded(step, self.watch.now_ns(), self.slice.quantum_ns());
        }
        next
    }

    /// Runs code of the service. If it panics, the report of the panic masks the secrets of the request.
    fn guarded(&mut self, run: impl FnOnce(&mut CheckedJob, &mut Stopwatch) -> Next) -> Next {
        let watch = &mut *self.watch;
        panic_report::guard_step(self.job, &self.service.secrets, |job| run(job, watch))
    }

    /// Starts the effects that the job has requested, as far as the limit allows. If no effect can start, waits until one in
    /// flight completes. Returns `None` if the job ended because its deadline passed.
    async fn perform_effects(
        &mut self,
        requested: &mut SmallVec<[RequestedCall; 2]>,
        deadline: Pin<&mut Option<Sleep>>,
    ) -> Option<Next> {
        let mut next = Next::Wait;
        self.job.append_requested_calls(requested);
        self.slice.record_retries(self.job.position(), requested);
        let in_flight = self.in_flight.as_ref().map_or(0, FuturesUnordered::len);
        let queued = self.over_limit.len();
        let room = self.slice.effects.saturating_sub(in_flight).min(queued + requested.len());
        let (old, new) = (room.min(queued), room.saturating_sub(queued));
        for call in &requested[new..] {
            self.job.record_effect_queued(call.number, self.watch.now_ns(), QueueReason::Request);
        }
        let mut starting = requested.drain(..new);
        for at in 0..room {
            if self.is_yield_due() && self.yield_between_effects().await {
                return None;
            }
            let was_queued = at < old;
            let call = if was_queued { self.over_limit.pop() } else { starting.next() };
            if let Some(call) = call {
                next = self.start(DueCall::new(call), was_queued).unwrap_or(next);
            }
            self.effects_since_yield += 1;
        }
        drop(starting);
        requested.drain(..).for_each(|call| self.over_limit.push(call));
        if room == 0 {
            next = self.wait(deadline).await?;
        }
        Some(next)
    }

    /// Waits until an effect in flight completes or starts, or a queued call passes the deadline of its effect. Returns
    /// `None` if the job ended because its own deadline passed.
    async fn wait(&mut self, mut deadline: Pin<&mut Option<Sleep>>) -> Option<Next> {
        let mut next = Next::Wait;
        self.slice.suspend();
        let first_ns =
            self.over_limit.next_deadline_ns().map_or(self.deadline_ns, |ns| ns.min(self.deadline_ns));
        let first = Instant::from_std(self.watch.at(first_ns));
        match deadline.as_mut().as_pin_mut() {
            Some(sleep) if sleep.deadline() == first => {}
            Some(sleep) => sleep.reset(first),
            None => deadline.set(Some(tokio::time::sleep_until(first))),
        }
        let progress = async {
            match &mut self.in_flight {
                Some(in_flight) => in_flight.next().await,
                None => None,
            }
        };
        let deadline_passes = async {
            if let Some(sleep) = deadline.as_pin_mut() {
                sleep.await;
            }
        };
        tokio::select! {
            biased;
            progress = progress => match progress {
                Some(EffectProgress::Completed(CompletedEffect { number, completion, call })) => {
                    let Completion { result, at, points, notes } = completion;
                    self.record_points(number, points);
                    match at {
                        _ if !self.job.is_waiting_for(number) => self.slice.record_late_completion(),
                        Some(at) => self.slice.record_completion_delay(self.job, number, self.watch, at),
                        None => {
                            self.watch.tick();
                        }
                    }
                    self.record_policy_decisions(number, notes);
                    next = self.complete(number, result, call);
                }
                Some(EffectProgress::Started(effect, at)) => {
                    self.job.record_effect_started(effect.number(), self.watch.since_start_ns(at));
                    self.in_flight.get_or_insert_default().push(EffectFuture::Running(effect));
                }
                Some(EffectProgress::Due(call, at)) => {
                    self.slice.record_completion_delay(self.job, call.number(), self.watch, at);
                    next = self.start(call, true).unwrap_or(next);
                }
                // No effect is in flight. A job that waits has one, so this is unreachable; waiting would never end.
                None => {
                    self.job.stop(StopReason::DeadlinePassed, self.watch.tick());
                    return None;
                }
            },
            () = deadline_passes => {
                if self.watch.tick() >= self.deadline_ns {
                    self.record_points_in_flight();
                    self.slice.record_deadline_delay(self.job, self.watch, self.deadline_ns);
                    self.job.stop(StopReason::DeadlinePassed, self.watch.tick());
                    self.slice.record_wait(self.watch.now_ns());
                    return None;
                }
                if let Some(call) = self.over_limit.pop_expired(self.watch.now_ns()) {
                    next = self.expire(call.number);
                }
            }
        }
        self.effects_since_yield += 1;
        if next == Next::Run {
            self.slice.resume(self.watch).await;
        }
        Some(next)
    }

    /// Starts a call, or queues it. Returns what the job does next if the call was ready at once.
    fn start(&mut self, due: DueCall, was_queued: bool) -> Option<Next> {
        let number = due.number();
        // Another call may have made it superfluous.
        if !self.job.is_waiting_for(number) {
            return None;
        }
        let interpreters = self.service.readiness.interpreters();
        let StartedEffect { state, notes, call } = effect_start::start(
            due,
            self.watch,
            self.deadline_ns,
            interpreters,
            self.context,
            &self.slice.effect_access(),
        );
        let queued_for = match &state {
            Started::Pending(effect) => effect.queue_reason(),
            Started::Ready(_) => None,
        };
        match queued_for {
            Some(reason) => self.job.record_effect_queued(number, self.watch.now_ns(), reason),
            None if was_queued => self.job.record_effect_started(number, self.watch.now_ns()),
            None => {}
        }
        self.record_policy_decisions(number, notes);
        match state {
            Started::Ready(performed) => {
                self.record_points(number, performed.points);
                Some(self.complete(number, performed.result, call))
            }
            Started::Pending(effect) => {
                self.in_flight.get_or_insert_default().push(effect);
                None
            }
        }
    }

    /// Ends a call whose effect passed its deadline before the call could start.
    fn expire(&mut self, number: u32) -> Next {
        self.complete(number, Err(effect_future::past_deadline()), None)
    }

    /// Passes the result of a call to the job. The policy of its target decides about another attempt.
    fn complete(&mut self, number: u32, performed: CallResult, call: Option<TargetCall>) -> Next {
        let (until_ns, service_ns) = (self.deadline_ns, self.slice.service_ns(self.watch));
        self.guarded(|job, watch| {
            job.complete_call(number, watch, performed, call.as_ref(), until_ns, service_ns)
        })
    }

    fn record_policy_decisions(&mut self, number: u32, notes: impl IntoIterator<Item = PolicyNote>) {
        self.job.record_policy_notes(number, notes, self.watch.now_ns());
    }

    /// Drops the calls that have become superfluous because another one has answered. That cancels them.
    #[cold]
    fn drop_canceled(&mut self) {
        let mut canceled = self.job.take_canceled_calls();
        canceled.sort_unstable();
        let is_needed = |number: u32| canceled.binary_search(&number).is_err();
        self.over_limit.retain(is_needed);
        if let Some(in_flight) = self.in_flight.take() {
            let mut reached = Vec::new();
            let needed = in_flight.into_iter().filter(|effect| {
                let is_needed = effect.number().is_some_and(is_needed);
                if let (false, EffectFuture::Running(effect)) = (is_needed, effect) {
                    reached.push((effect.number(), effect.take_points()));
                }
                is_needed
            });
            self.in_flight = Some(needed.collect());
            for (number, points) in reached {
                self.record_points(number, points);
            }
        }
    }

    /// Records the points that a call reached.
    fn record_points(&mut self, number: u32, points: Vec<Point>) {
        self.job.record_reports(number, points, self.watch);
    }

    /// Records the points of calls in flight that will not be waited for: they tell how far each of them got.
    fn record_points_in_flight(&mut self) {
        let effects = self.in_flight.iter().flat_map(FuturesUnordered::iter);
        let reached: Vec<_> = effects
            .filter_map(|effect| match effect {
                EffectFuture::Running(effect) => Some((effect.number(), effect.take_points())),
                EffectFuture::Delayed(_) => None,
            })
            .collect();
        for (number, points) in reached {
            self.record_points(number, points);
        }
    }

    const fn is_yield_due(&self) -> bool {
        self.effects_since_yield >= YIELD_AFTER_EFFECTS
    }

    /// Lets other requests run. Returns true if the deadline has passed; the job has ended then.
    async fn yield_between_effects(&mut self) -> bool {
        self.effects_since_yield = 0;
        if self.watch.tick() >= self.deadline_ns {
            self.job.stop(StopReason::DeadlinePassed, self.watch.now_ns());
            self.slice.record_wait(self.watch.now_ns());
            return true;
        }
        self.slice.yield_between_effects(self.watch).await;
        false
    }
}
