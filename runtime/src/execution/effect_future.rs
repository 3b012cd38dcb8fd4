//! An effect in flight, or one that waits for a permit or a retry delay. The effect runtime performs it, and the thread of
//! the request only receives its result. Its time is limited, and a panic in its interpreter does not reach the request.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Sleep;
use zerver_engine::{CallResult, EffectError, EffectErrorKind, RequestedCall};
use zerver_trace::{PolicyDecision, QueueReason};

use super::effect_poll::{interpreter_panicked, poll, poll_first};
use super::effect_start::DueCall;
use super::permit_deadline::await_permit;
use super::safe_drop::discard;
use crate::effects::effect_points::Point;
use crate::effects::interpreter;
use crate::effects::interpreter::{BoxFuture, Interpreters, Started};
use crate::scheduler::{CallRefusal, Permit, PermitWait, PolicyNote, TargetCall, TargetPass};
use crate::time::nanos;

/// An effect that was requested and has no result yet.
pub(crate) enum EffectFuture {
    /// Waits for the pause before its attempt, or for its place under a rate limit.
    Delayed(Box<DelayedCall>),
    /// Runs on the effect runtime, or waits there for a permit.
    Running(RunningEffect),
}

/// A call that waits for a time.
pub(crate) struct DelayedCall {
    /// `None` once the delay is over.
    call: Option<DueCall>,
    sleep: Pin<Box<Sleep>>,
    reason: QueueReason,
}

/// An effect on the effect runtime.
pub(crate) struct RunningEffect {
    number: u32,
    kind: &'static str,
    /// `None` once the effect has completed.
    task: Option<JoinHandle<Completion>>,
    future: SharedFuture,
    runtime: Handle,
    /// Receiver of the time at which the effect starts, and the limit that it waits for. `None` unless it waits.
    started: Option<(oneshot::Receiver<Instant>, QueueReason)>,
    /// The call, if it has a target.
    call: Option<TargetCall>,
}

/// Result of an effect, the points that it reached, and what policies decided meanwhile.
pub(crate) struct Completion {
    pub(crate) result: CallResult,
    /// Time at which the effect completed. `None` if it was ready at once.
    pub(crate) at: Option<Instant>,
    pub(crate) points: Vec<Point>,
    pub(crate) notes: Vec<PolicyNote>,
}

/// The future of an interpreter, and the points that it has reached so far. There is no future before it starts and after it
/// completes. The effect runtime polls it. When the effect is canceled, the thread of the request drops it, so that no effect
/// continues after its request was answered.
type SharedFuture = Arc<Mutex<InFlight>>;

#[derive(Default)]
struct InFlight {
    future: Option<BoxFuture<CallResult>>,
    points: Vec<Point>,
}

/// A change in the state of an effect.
pub(crate) enum EffectProgress {
    /// The delay ended at this time, and the call is due.
    Due(DueCall, Instant),
    /// The effect received its permit and started at this time. It is still in flight.
    Started(RunningEffect, Instant),
    /// The effect has a result.
    Completed(CompletedEffect),
}

/// An effect that has completed.
pub(crate) struct CompletedEffect {
    pub(crate) number: u32,
    pub(crate) completion: Completion,
    pub(crate) call: Option<TargetCall>,
}

/// Permits that a call holds until it completes.
#[derive(Default)]
pub(crate) struct CallAccess {
    pub(crate) permit: Option<Permit>,
    pub(crate) pass: Option<TargetPass>,
    pub(crate) call: Option<TargetCall>,
}

/// Time after which an interpreter that has not returned counts as blocking.
const BLOCKED: Duration = Duration::from_millis(100);

/// The time that an attempt may take, and true if it comes from the policy of the target.
type TimeLimit = (Duration, bool);

/// Starts a call without regard to the limits. The call must complete by `until`. It holds the result of `access` until it
/// completes.
pub(crate) fn perform(
    requested: &RequestedCall,
    until: Option<Instant>,
    runtime: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    access: impl FnOnce() -> CallAccess,
) -> Started<Completion, RunningEffect> {
    let (number, kind) = (requested.number, requested.call.kind());
    let mut points = Vec::new();
    let future = match poll_first(requested, Some(runtime), interpreters, context, &mut points) {
        Started::Ready(result) => {
            return Started::Ready(Completion::at_once(result, points).ended(access().pass));
        }
        Started::Pending(future) => SharedFuture::new(Mutex::new(InFlight { future: Some(future), points })),
    };
    let CallAccess { permit, pass, call } = access();
    let (limit, since) = (time_limit(requested, call.as_ref()), Instant::now());
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task = runtime.spawn(async move {
        let finished = task_future.within(limit, until, since).await;
        // Released here, because the thread of the request may be busy with a long step.
        drop(permit);
        finished.ended(pass)
    });
    Started::Pending(RunningEffect {
        number,
        kind,
        task: Some(task),
        future,
        runtime: runtime.clone(),
        started: None,
        call,
    })
}

/// Returns the time limit of the call itself, or else that of its target.
fn time_limit(requested: &RequestedCall, call: Option<&TargetCall>) -> Option<TimeLimit> {
    let own = requested.call.time_limit().map(|limit| (limit, false));
    own.or_else(|| call?.timeout.map(|limit| (limit, true)))
}

/// Waits for a permit on the effect runtime, and then performs the call.
pub(super) fn perform_with_permit(
    requested: RequestedCall,
    until: Option<Instant>,
    wait: PermitWait,
    call: Option<TargetCall>,
    runtime: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
) -> RunningEffect {
    let (number, kind) = (requested.number, requested.call.kind());
    let (interpreters, context) = (interpreters.clone(), context.clone());
    let ((started_tx, started), reason) = (oneshot::channel(), wait.queue_reason());
    let future = SharedFuture::default();
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task_call = call.clone();
    let task = runtime.spawn(async move {
        let permit = match await_permit(wait, until, task_call.as_ref()).await {
            Ok(permit) => permit,
            Err(completion) => return completion,
        };
        let since = Instant::now();
        // The receiver is gone if the request has ended.
        let _ = started_tx.send(since);
        // The breaker may have opened meanwhile.
        let pass = match task_call.as_ref().map(|call| call.begin(since)).transpose() {
            Ok(pass) => pass,
            Err(refusal) => return Completion::refused(refusal),
        };
        let probe = pass.as_ref().and_then(TargetPass::start_note);
        let mut points = Vec::new();
        let mut finished = match poll_first(&requested, None, &interpreters, &context, &mut points) {
            Started::Ready(result) => Completion { points, ..Completion::new(result) },
            Started::Pending(future) => {
                *task_future.lock() = InFlight { future: Some(future), points };
                let limit = time_limit(&requested, task_call.as_ref());
                task_future.within(limit, until, since).await
            }
        };
        drop(permit);
        finished.notes.splice(..0, probe);
        finished.ended(pass)
    });
    RunningEffect {
        number,
        kind,
        task: Some(task),
        future,
        runtime: runtime.clone(),
        started: Some((started, reason)),
        call,
    }
}

impl EffectFuture {
    /// Creates the future of a call that has to wait for a time.
    pub(super) fn delayed(call: DueCall, delay: Duration, reason: QueueReason) -> Self {
        let sleep = Box::pin(tokio::time::sleep(delay));
        Self::Delayed(Box::new(DelayedCall { call: Some(call), sleep, reason }))
    }

    /// Returns the reason why the effect waits, or `None` if it is running.
    pub(crate) const fn queue_reason(&self) -> Option<QueueReason> {
        match self {
            Self::Delayed(delayed) => Some(delayed.reason),
            Self::Running(RunningEffect { started: Some((_, reason)), .. }) => Some(*reason),
            Self::Running(_) => None,
        }
    }

    /// Returns the number of the call, or `None` if it is no longer waited for.
    pub(crate) fn number(&self) -> Option<u32> {
        match self {
            Self::Delayed(delayed) => delayed.call.as_ref().map(DueCall::number),
            Self::Running(effect) => effect.task.as_ref().map(|_| effect.number),
        }
    }
}

impl Future for EffectFuture {
    type Output = EffectProgress;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EffectProgress> {
        match &mut *self {
            Self::Delayed(delayed) => {
                let DelayedCall { call, sleep, .. } = &mut **delayed;
                if call.is_some() {
                    ready!(sleep.as_mut().poll(cx));
                }
                let until = sleep.deadline().into_std();
                call.take().map_or(Poll::Pending, |call| Poll::Ready(EffectProgress::Due(call, until)))
            }
            Self::Running(effect) => {
                if let Some((started, _)) = &mut effect.started
                    && let Poll::Ready(started) = Pin::new(started).poll(cx)
                {
                    effect.started = None;
                    if let Ok(at) = started {
                        return Poll::Ready(EffectProgress::Started(effect.take(), at));
                    }
                }
                Poll::Ready(EffectProgress::Completed(ready!(Pin::new(effect).poll(cx))))
            }
        }
    }
}

impl RunningEffect {
    /// Returns the number of the call.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Takes the points that an effect in flight has reached, except those of a poll that is going on.
    pub(crate) fn take_points(&self) -> Vec<Point> {
        self.future.try_lock().map(|mut effect| std::mem::take(&mut effect.points)).unwrap_or_default()
    }

    /// Moves the effect out, and leaves a completed one in its place.
    fn take(&mut self) -> Self {
        Self {
            number: self.number,
            kind: self.kind,
            task: self.task.take(),
            future: Arc::clone(&self.future),
            runtime: self.runtime.clone(),
            started: None,
            call: self.call.take(),
        }
    }
}

impl Future for RunningEffect {
    type Output = CompletedEffect;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let completion = ready!(Pin::new(task).poll(cx)).unwrap_or_else(|error| aborted(self.kind, error));
        self.task = None;
        Poll::Ready(CompletedEffect { number: self.number, completion, call: self.call.take() })
    }
}

impl Drop for RunningEffect {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        task.abort();
        // If the effect runtime is polling the future right now, the effect runtime drops it.
        let future = self.future.try_lock().ok().and_then(|mut effect| effect.future.take());
        if future.is_some() {
            let _context = self.runtime.enter();
            discard(future);
        }
    }
}

impl Completion {
    pub(super) fn new(result: CallResult) -> Self {
        Self { at: Some(Instant::now()), ..Self::at_once(result, Vec::new()) }
    }

    /// The thread of the request, which has not waited, reads the clock when it goes on.
    const fn at_once(result: CallResult, points: Vec<Point>) -> Self {
        Self { result, at: None, points, notes: Vec::new() }
    }

    pub(super) fn refused(CallRefusal { error, note }: CallRefusal) -> Self {
        Self { notes: vec![note], ..Self::new(Err(error)) }
    }

    /// Reports the end of the call to its target.
    fn ended(mut self, pass: Option<TargetPass>) -> Self {
        if let Some(pass) = pass {
            let at = self.at.unwrap_or_else(Instant::now);
            self.notes.extend(pass.end(&self.result, at));
        }
        self
    }
}

fn time_limit_exceeded(limit: Duration) -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// Returns the error of a call whose effect has passed its deadline.
pub(crate) fn past_deadline() -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, "no answer before the deadline of its effect")
}

/// The part of an effect that runs on the effect runtime.
struct EffectTask {
    kind: &'static str,
    future: SharedFuture,
}

impl EffectTask {
    /// Performs the call until it completes, exceeds its time limit, or passes the deadline of its effect.
    async fn within(
        mut self,
        limit: Option<TimeLimit>,
        until: Option<Instant>,
        since: Instant,
    ) -> Completion {
        let own = limit.and_then(|limit| Some((since.checked_add(limit.0)?, Some(limit))));
        let first = own.into_iter().chain(until.map(|until| (until, None))).min_by_key(|(at, _)| *at);
        let mut notes = Vec::new();
        let result = match first {
            Some((at, limit)) => match tokio::time::timeout_at(at.into(), &mut self).await {
                Ok(result) => result,
                Err(_) => {
                    let target_limit = limit.filter(|(_, is_of_target)| *is_of_target);
                    notes
                        .extend(target_limit.map(|(limit, _)| (PolicyDecision::TargetTimeout, nanos(limit))));
                    Err(limit.map_or_else(past_deadline, |(limit, _)| time_limit_exceeded(limit)))
                }
            },
            None => (&mut self).await,
        };
        let at = Some(Instant::now());
        let points = std::mem::take(&mut self.lock().points);
        drop(self);
        Completion { result, at, points, notes }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for EffectTask {
    type Output = CallResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallResult> {
        let began = Instant::now();
        let mut effect = self.lock();
        let InFlight { future: Some(future), points } = &mut *effect else { return Poll::Pending };
        let polled = poll(self.kind, future, points, cx);
        if polled.is_ready() {
            discard(effect.future.take());
        }
        let took = began.elapsed();
        if took >= BLOCKED {
            let kind = self.kind;
            tracing::warn!(
                target: "zerver",
                "an effect of kind {kind} blocked its thread for {took:.1?}, so that other effects had to wait: \
                 write it with #[effect(blocking)], or use tokio::task::spawn_blocking"
            );
        }
        polled
    }
}

impl Drop for EffectTask {
    fn drop(&mut self) {
        let future = self.lock().future.take();
        discard(future);
    }
}

/// Returns the result of an effect whose task was aborted or panicked.
fn aborted(kind: &'static str, error: JoinError) -> Completion {
    let error = match error.try_into_panic() {
        Ok(panic) => interpreter_panicked(kind, &*panic),
        Err(_) => EffectError::new(EffectErrorKind::Internal, "the service has stopped"),
    };
    Completion::new(Err(error))
}
