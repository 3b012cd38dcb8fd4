//! An effect in flight, or one that waits for a permit or a retry delay. The effect runtime performs it, and the thread of
//! the request only receives its result. Its time is limited, and a panic in its interpreter does not reach the request.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Sleep;
use zerver_engine::{Call, CallResult, EffectError, EffectErrorKind, RequestedCall};
use zerver_trace::QueueReason;

use super::safe_drop::discard;
use crate::effects::effect_points;
use crate::effects::effect_points::Point;
use crate::effects::interpreter;
use crate::effects::interpreter::{BoxFuture, Interpreters, Started};
use crate::scheduler::{Admission, Permit, PermitWait, RunSlice};
use crate::time::Stopwatch;

/// An effect that was requested and has no result yet.
pub(crate) enum EffectFuture {
    /// Waits for the delay before its next attempt. `None` once the delay is over.
    Delayed(Box<(Option<RequestedCall>, Pin<Box<Sleep>>)>),
    /// Runs on the effect runtime, or waits there for a permit.
    Running(RunningEffect),
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
}

/// Result of an effect, the time at which it completed, and the points that it reached.
pub(crate) struct Completion {
    pub(crate) result: CallResult,
    pub(crate) at: Instant,
    pub(crate) points: Vec<Point>,
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
    /// The retry delay ended at this time, and the call is due.
    RetryDue(RequestedCall, Instant),
    /// The effect received its permit and started at this time. It is still in flight.
    Started(RunningEffect, Instant),
    /// Number of the call, and its result.
    Completed(u32, Completion),
}

/// Starts a call whose effect has time left. A call that must wait for a retry delay or a permit is returned as pending.
pub(crate) fn start(
    mut requested: RequestedCall,
    watch: &Stopwatch,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    slice: &RunSlice<'_>,
) -> Started<(CallResult, Vec<Point>), EffectFuture> {
    let until = requested.deadline_ns.map(|deadline_ns| watch.at(deadline_ns));
    let runtime = slice.effect_runtime;
    let pause = std::mem::take(&mut requested.pause);
    if !pause.is_zero() {
        return Started::Pending(EffectFuture::Delayed(Box::new((
            Some(requested),
            Box::pin(tokio::time::sleep(pause)),
        ))));
    }
    match slice.acquire_permit(&requested.call) {
        Admission::Granted(permit) => {
            let counted = || permit.or_else(|| slice.count_in_flight(&requested.call));
            match perform(&requested, until, runtime, interpreters, context, counted) {
                Started::Ready(ready) => Started::Ready(ready),
                Started::Pending(effect) => Started::Pending(EffectFuture::Running(effect)),
            }
        }
        Admission::Queued(wait) => Started::Pending(EffectFuture::Running(perform_with_permit(
            requested,
            until,
            wait,
            runtime,
            interpreters,
            context,
        ))),
    }
}

/// Starts a call without regard to the limits. The call must complete by `until`. If it is not ready at once, it holds the
/// result of `permit` until it completes.
pub(crate) fn perform(
    requested: &RequestedCall,
    until: Option<Instant>,
    runtime: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    permit: impl FnOnce() -> Option<Permit>,
) -> Started<(CallResult, Vec<Point>), RunningEffect> {
    let (number, kind, limit) = (requested.number, requested.call.kind(), requested.call.time_limit());
    let mut points = Vec::new();
    let future = match poll_first(&requested.call, Some(runtime), interpreters, context, &mut points) {
        Started::Ready(result) => return Started::Ready((result, points)),
        Started::Pending(future) => SharedFuture::new(Mutex::new(InFlight { future: Some(future), points })),
    };
    let (permit, since) = (permit(), Instant::now());
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task = runtime.spawn(async move {
        let finished = task_future.within(limit, until, since).await;
        // Released here, because the thread of the request may be busy with a long step.
        drop(permit);
        finished
    });
    Started::Pending(RunningEffect {
        number,
        kind,
        task: Some(task),
        future,
        runtime: runtime.clone(),
        started: None,
    })
}

/// Waits for a permit on the effect runtime, and then performs the call.
fn perform_with_permit(
    requested: RequestedCall,
    until: Option<Instant>,
    wait: PermitWait,
    runtime: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
) -> RunningEffect {
    let (number, kind) = (requested.number, requested.call.kind());
    let (interpreters, context) = (interpreters.clone(), context.clone());
    let ((started_tx, started), reason) = (oneshot::channel(), wait.queue_reason());
    let future = SharedFuture::default();
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task = runtime.spawn(async move {
        let permit = match until {
            Some(until) => match tokio::time::timeout_at(until.into(), wait).await {
                Ok(permit) => permit,
                Err(_) => return Completion::without_points(Err(past_deadline())),
            },
            None => wait.await,
        };
        let since = Instant::now();
        // The receiver is gone if the request has ended.
        let _ = started_tx.send(since);
        let mut points = Vec::new();
        let finished = match poll_first(&requested.call, None, &interpreters, &context, &mut points) {
            Started::Ready(result) => Completion { result, at: Instant::now(), points },
            Started::Pending(future) => {
                *task_future.lock() = InFlight { future: Some(future), points };
                task_future.within(requested.call.time_limit(), until, since).await
            }
        };
        drop(permit);
        finished
    });
    RunningEffect {
        number,
        kind,
        task: Some(task),
        future,
        runtime: runtime.clone(),
        started: Some((started, reason)),
    }
}

impl EffectFuture {
    /// Returns the reason why the effect waits, or `None` if it is running.
    pub(crate) const fn queue_reason(&self) -> Option<QueueReason> {
        match self {
            Self::Delayed(_) => Some(QueueReason::RetryDelay),
            Self::Running(RunningEffect { started: Some((_, reason)), .. }) => Some(*reason),
            Self::Running(_) => None,
        }
    }
}

impl Future for EffectFuture {
    type Output = EffectProgress;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EffectProgress> {
        match &mut *self {
            Self::Delayed(delayed) => {
                let (requested, sleep) = &mut **delayed;
                if requested.is_some() {
                    ready!(sleep.as_mut().poll(cx));
                }
                let until = sleep.deadline().into_std();
                requested.take().map_or(Poll::Pending, |requested| {
                    Poll::Ready(EffectProgress::RetryDue(requested, until))
                })
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
                let (number, completion) = ready!(Pin::new(effect).poll(cx));
                Poll::Ready(EffectProgress::Completed(number, completion))
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
        }
    }
}

impl Future for RunningEffect {
    /// Number of the call, and its result.
    type Output = (u32, Completion);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let completion = ready!(Pin::new(task).poll(cx)).unwrap_or_else(|error| aborted(self.kind, error));
        self.task = None;
        Poll::Ready((self.number, completion))
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
    fn without_points(result: CallResult) -> Self {
        Self { result, at: Instant::now(), points: Vec::new() }
    }
}

fn time_limit_exceeded(limit: Duration) -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// Returns the error of a call whose effect has passed its deadline.
pub(crate) fn past_deadline() -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, "no answer before the deadline of its effect")
}

/// Starts a call and polls it once, in the context of the effect runtime. A caller on another thread passes that runtime to
/// enter. A call that is ready at the first poll needs no other thread.
fn poll_first(
    call: &Call,
    runtime: Option<&Handle>,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    points: &mut Vec<Point>,
) -> Started<CallResult, BoxFuture<CallResult>> {
    let kind = call.kind();
    let mut entered = runtime.filter(|_| interpreters.needs_runtime(kind)).map(Handle::enter);
    let started = effect_points::collect(points, || {
        catch_unwind(AssertUnwindSafe(|| interpreters.start(call, context)))
    });
    let mut future = match started {
        Ok(Started::Ready(performed)) => return Started::Ready(performed),
        Ok(Started::Pending(future)) => future,
        Err(panic) => return Started::Ready(Err(interpreter_panicked(kind, &*panic))),
    };
    if entered.is_none() {
        entered = runtime.map(Handle::enter);
    }
    let _entered = entered;
    match poll(kind, &mut future, points, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(performed) => {
            discard(future);
            Started::Ready(performed)
        }
        Poll::Pending => Started::Pending(future),
    }
}

/// Polls the future of an interpreter. A panic of the interpreter becomes an error of the effect.
fn poll(
    kind: &str,
    future: &mut BoxFuture<CallResult>,
    points: &mut Vec<Point>,
    cx: &mut Context<'_>,
) -> Poll<CallResult> {
    effect_points::collect(points, || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))))
        .unwrap_or_else(|panic| Poll::Ready(Err(interpreter_panicked(kind, &*panic))))
}

/// The part of an effect that runs on the effect runtime.
struct EffectTask {
    kind: &'static str,
    future: SharedFuture,
}

impl EffectTask {
    /// Performs the call until it completes, exceeds its time limit, or passes the deadline of its effect.
    async fn within(mut self, limit: Option<Duration>, until: Option<Instant>, since: Instant) -> Completion {
        let own = limit.and_then(|limit| Some((since.checked_add(limit)?, Some(limit))));
        let first = own.into_iter().chain(until.map(|until| (until, None))).min_by_key(|(at, _)| *at);
        let result = match first {
            Some((at, limit)) => {
                let result = tokio::time::timeout_at(at.into(), &mut self).await;
                result.unwrap_or_else(|_| Err(limit.map_or_else(past_deadline, time_limit_exceeded)))
            }
            None => (&mut self).await,
        };
        let at = Instant::now();
        let points = std::mem::take(&mut self.lock().points);
        drop(self);
        Completion { result, at, points }
    }

    fn lock(&self) -> MutexGuard<'_, InFlight> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for EffectTask {
    type Output = CallResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallResult> {
        let mut effect = self.lock();
        let InFlight { future: Some(future), points } = &mut *effect else { return Poll::Pending };
        let result = ready!(poll(self.kind, future, points, cx));
        discard(effect.future.take());
        Poll::Ready(result)
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
    Completion::without_points(Err(error))
}

fn interpreter_panicked(kind: &str, panic: &(dyn Any + Send)) -> EffectError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a panic without a message");
    EffectError::new(EffectErrorKind::Internal, format!("the interpreter of {kind} panicked: {message}"))
}
