//! An effect in flight: bounded in time, and unable to take the request down with it. It is performed on the effect
//! runtime; the thread of its request only learns how it ended. One that cannot begin yet waits here, too.

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
use crate::effects::interpreter;
use crate::effects::interpreter::{BoxFuture, Interpreters, Started};
use crate::scheduler::{Admission, Permit, PermitWait, RunSlice};
use crate::time::Stopwatch;

/// An effect that takes its time, from when it is asked for.
pub(crate) enum EffectFuture {
    /// Pauses before it is tried again; none once the pause is over.
    Delayed(Box<(Option<RequestedCall>, Pin<Box<Sleep>>)>),
    /// It is on the effect runtime.
    Running(RunningEffect),
}

/// One that is on the effect runtime.
pub(crate) struct RunningEffect {
    number: u32,
    kind: &'static str,
    /// None once it has landed.
    task: Option<JoinHandle<Completion>>,
    future: SharedFuture,
    on: Handle,
    /// When it begins, as long as it waits for a place, and for which limit it waits.
    started: Option<(oneshot::Receiver<Instant>, QueueReason)>,
}

/// How an effect ended, and when.
type Completion = (CallResult, Instant);

/// An interpreter's future; none before it has begun, and once it is over. The effect runtime polls it, and the thread of
/// the request drops it when it is cancelled: nothing of a request that was answered goes on.
type SharedFuture = Arc<Mutex<Option<BoxFuture<CallResult>>>>;

/// What becomes of a flight.
pub(crate) enum EffectProgress {
    /// Its pause was over at this time: it is to be asked for again.
    RetryDue(RequestedCall, Instant),
    /// It has got its place, and begun at this time; it is still in flight.
    Started(RunningEffect, Instant),
    /// The number of the call, how it ended, and when.
    Completed(u32, CallResult, Instant),
}

/// Begins to perform a call, if it may begin now.
pub(crate) fn start(
    mut start: RequestedCall,
    watch: &Stopwatch,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    slice: &RunSlice<'_>,
) -> Started<CallResult, EffectFuture> {
    if start.deadline_ns.is_some_and(|deadline_ns| deadline_ns <= watch.now_ns()) {
        return Started::Ready(Err(past_deadline()));
    }
    let until = start.deadline_ns.map(|deadline_ns| watch.at(deadline_ns));
    let on = slice.effect_runtime;
    let pause = std::mem::take(&mut start.pause);
    if !pause.is_zero() {
        return Started::Pending(EffectFuture::Delayed(Box::new((
            Some(start),
            Box::pin(tokio::time::sleep(pause)),
        ))));
    }
    match slice.acquire_permit(&start.call) {
        Admission::Granted(permit) => {
            let counted = || permit.or_else(|| slice.count_in_flight(&start.call));
            match perform(&start, until, on, interpreters, context, counted) {
                Started::Ready(performed) => Started::Ready(performed),
                Started::Pending(effect) => Started::Pending(EffectFuture::Running(effect)),
            }
        }
        Admission::Queued(wait) => Started::Pending(EffectFuture::Running(perform_with_permit(
            start,
            until,
            wait,
            on,
            interpreters,
            context,
        ))),
    }
}

/// Begins to perform a call, whoever else asks; it must have ended at `until`. `permit` is what it has until it ends, if it
/// is not answered at once.
pub(crate) fn perform(
    start: &RequestedCall,
    until: Option<Instant>,
    on: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    permit: impl FnOnce() -> Option<Permit>,
) -> Started<CallResult, RunningEffect> {
    let (number, kind, limit) = (start.number, start.call.kind(), start.call.time_limit());
    let future = match poll_first(&start.call, Some(on), interpreters, context) {
        Started::Ready(performed) => return Started::Ready(performed),
        Started::Pending(future) => SharedFuture::new(Mutex::new(Some(future))),
    };
    let (permit, since) = (permit(), Instant::now());
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task = on.spawn(async move {
        let finished = task_future.within(limit, until, since).await;
        // Freed here: the thread of the request may be in a step for long.
        drop(permit);
        finished
    });
    Started::Pending(RunningEffect { number, kind, task: Some(task), future, on: on.clone(), started: None })
}

/// Has a call wait for its place, and performed from then on.
fn perform_with_permit(
    start: RequestedCall,
    until: Option<Instant>,
    wait: PermitWait,
    on: &Handle,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
) -> RunningEffect {
    let (number, kind) = (start.number, start.call.kind());
    let (interpreters, context) = (interpreters.clone(), context.clone());
    let ((started_tx, started), reason) = (oneshot::channel(), wait.queue_reason());
    let future = SharedFuture::default();
    let task_future = EffectTask { kind, future: Arc::clone(&future) };
    let task = on.spawn(async move {
        let permit = match until {
            Some(until) => match tokio::time::timeout_at(until.into(), wait).await {
                Ok(permit) => permit,
                Err(_) => return (Err(past_deadline()), Instant::now()),
            },
            None => wait.await,
        };
        let since = Instant::now();
        // Nobody wants to know any more where the request has ended.
        let _ = started_tx.send(since);
        let finished = match poll_first(&start.call, None, &interpreters, &context) {
            Started::Ready(performed) => (performed, Instant::now()),
            Started::Pending(future) => {
                *task_future.lock() = Some(future);
                task_future.within(start.call.time_limit(), until, since).await
            }
        };
        drop(permit);
        finished
    });
    RunningEffect { number, kind, task: Some(task), future, on: on.clone(), started: Some((started, reason)) }
}

impl EffectFuture {
    /// For what it is held, if it is.
    pub(crate) const fn queue_reason(&self) -> Option<QueueReason> {
        match self {
            Self::Delayed(_) => Some(QueueReason::RetryDelay),
            Self::Running(RunningEffect { started: Some((_, interpreters)), .. }) => Some(*interpreters),
            Self::Running(_) => None,
        }
    }
}

impl Future for EffectFuture {
    type Output = EffectProgress;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<EffectProgress> {
        match &mut *self {
            Self::Delayed(paused) => {
                let (start, sleep) = &mut **paused;
                if start.is_some() {
                    ready!(sleep.as_mut().poll(cx));
                }
                let until = sleep.deadline().into_std();
                start
                    .take()
                    .map_or(Poll::Pending, |start| Poll::Ready(EffectProgress::RetryDue(start, until)))
            }
            Self::Running(effect) => {
                if let Some((started, _)) = &mut effect.started
                    && let Poll::Ready(begun) = Pin::new(started).poll(cx)
                {
                    effect.started = None;
                    if let Ok(at) = begun {
                        return Poll::Ready(EffectProgress::Started(effect.take(), at));
                    }
                }
                let (number, performed, at) = ready!(Pin::new(effect).poll(cx));
                Poll::Ready(EffectProgress::Completed(number, performed, at))
            }
        }
    }
}

impl RunningEffect {
    /// The number of its call.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// The same; what is left has landed.
    fn take(&mut self) -> Self {
        Self {
            number: self.number,
            kind: self.kind,
            task: self.task.take(),
            future: Arc::clone(&self.future),
            on: self.on.clone(),
            started: None,
        }
    }
}

impl Future for RunningEffect {
    /// The number of the call, how it ended, and when.
    type Output = (u32, CallResult, Instant);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let (performed, at) =
            ready!(Pin::new(task).poll(cx)).unwrap_or_else(|error| aborted(self.kind, error));
        self.task = None;
        Poll::Ready((self.number, performed, at))
    }
}

impl Drop for RunningEffect {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        task.abort();
        // Where it is polled just now, it is dropped there.
        let future = self.future.try_lock().ok().and_then(|mut future| future.take());
        if future.is_some() {
            let _context = self.on.enter();
            discard(future);
        }
    }
}

fn out_of_time(limit: Duration) -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))
}

/// What is part of an effect whose deadline has passed.
fn past_deadline() -> EffectError {
    EffectError::new(EffectErrorKind::Timeout, "no answer before the deadline of its effect")
}

/// Begins to perform a call, within the context of the effect runtime: on it, or where `enters` leads there. What is
/// ready when it is first polled needs no other thread.
fn poll_first(
    call: &Call,
    enters: Option<&Handle>,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
) -> Started<CallResult, BoxFuture<CallResult>> {
    let kind = call.kind();
    let mut runtime = enters.filter(|_| interpreters.needs_runtime(kind)).map(Handle::enter);
    let mut future = match catch_unwind(AssertUnwindSafe(|| interpreters.start(call, context))) {
        Ok(Started::Ready(performed)) => return Started::Ready(performed),
        Ok(Started::Pending(future)) => future,
        Err(panic) => return Started::Ready(Err(interpreter_panicked(kind, &*panic))),
    };
    if runtime.is_none() {
        runtime = enters.map(Handle::enter);
    }
    let _runtime = runtime;
    match poll(kind, &mut future, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(performed) => {
            discard(future);
            Started::Ready(performed)
        }
        Poll::Pending => Started::Pending(future),
    }
}

/// Polls an interpreter's future, whose panics are its own.
fn poll(kind: &str, future: &mut BoxFuture<CallResult>, cx: &mut Context<'_>) -> Poll<CallResult> {
    catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(interpreter_panicked(kind, &*panic))))
}

/// An effect on the effect runtime.
struct EffectTask {
    kind: &'static str,
    future: SharedFuture,
}

impl EffectTask {
    /// Performs it to its end, or until its own time is over, or that of the effect which it is part of.
    async fn within(mut self, limit: Option<Duration>, until: Option<Instant>, since: Instant) -> Completion {
        let own = limit.and_then(|limit| Some((since.checked_add(limit)?, Some(limit))));
        let first = own.into_iter().chain(until.map(|until| (until, None))).min_by_key(|(at, _)| *at);
        let performed = match first {
            Some((at, limit)) => {
                let timely = tokio::time::timeout_at(at.into(), &mut self).await;
                timely.unwrap_or_else(|_| Err(limit.map_or_else(past_deadline, out_of_time)))
            }
            None => (&mut self).await,
        };
        drop(self);
        (performed, Instant::now())
    }

    fn lock(&self) -> MutexGuard<'_, Option<BoxFuture<CallResult>>> {
        self.future.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for EffectTask {
    type Output = CallResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallResult> {
        let mut future = self.lock();
        let Some(task_future) = &mut *future else { return Poll::Pending };
        let performed = ready!(poll(self.kind, task_future, cx));
        discard(future.take());
        Poll::Ready(performed)
    }
}

impl Drop for EffectTask {
    fn drop(&mut self) {
        let future = self.lock().take();
        discard(future);
    }
}

/// The end of an effect whose task has not come to its own.
fn aborted(kind: &'static str, error: JoinError) -> Completion {
    let error = match error.try_into_panic() {
        Ok(panic) => interpreter_panicked(kind, &*panic),
        Err(_) => EffectError::new(EffectErrorKind::Internal, "the service has stopped"),
    };
    (Err(error), Instant::now())
}

fn interpreter_panicked(kind: &str, panic: &(dyn Any + Send)) -> EffectError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a panic without a message");
    EffectError::new(EffectErrorKind::Internal, format!("the interpreter of {kind} panicked: {message}"))
}
