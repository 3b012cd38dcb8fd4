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

use crate::effects::interpreter;
use crate::effects::interpreter::{Begun, BoxFuture, Interpreters};
use crate::scheduler::{Entered, Lane, Place, Waiting};
use crate::time::Stopwatch;

/// An effect that takes its time, from when it is asked for.
pub(crate) enum Flight {
    /// Pauses before it is tried again; none once the pause is over.
    Paused(Box<(Option<RequestedCall>, Pin<Box<Sleep>>)>),
    /// It is on the effect runtime.
    Flying(Flying),
}

/// One that is on the effect runtime.
pub(crate) struct Flying {
    number: u32,
    kind: &'static str,
    /// None once it has landed.
    task: Option<JoinHandle<Finished>>,
    future: Shared,
    on: Handle,
    /// When it begins, as long as it waits for a place, and for which limit it waits.
    begins: Option<(oneshot::Receiver<Instant>, QueueReason)>,
}

/// How an effect ended, and when.
type Finished = (CallResult, Instant);

/// An interpreter's future; none before it has begun, and once it is over. The effect runtime polls it, and the thread of
/// the request drops it when it is cancelled: nothing of a request that was answered goes on.
type Shared = Arc<Mutex<Option<BoxFuture<CallResult>>>>;

/// What becomes of a flight.
pub(crate) enum Landing {
    /// Its pause was over at this time: it is to be asked for again.
    Free(RequestedCall, Instant),
    /// It has got its place, and begun at this time; it is still in flight.
    Begun(Flying, Instant),
    /// The number of the call, how it ended, and when.
    Landed(u32, CallResult, Instant),
}

/// Begins to perform a call, if it may begin now.
pub(crate) fn ask(
    mut start: RequestedCall,
    watch: &Stopwatch,
    by: &Interpreters,
    context: &interpreter::Context,
    lane: &Lane<'_>,
) -> Begun<CallResult, Flight> {
    if start.deadline_ns.is_some_and(|until_ns| until_ns <= watch.now_ns()) {
        return Begun::Ready(Err(past_deadline()));
    }
    let until = start.deadline_ns.map(|until_ns| watch.at(until_ns));
    let on = lane.effect_runtime;
    let pause = std::mem::take(&mut start.pause);
    if !pause.is_zero() {
        return Begun::Pending(Flight::Paused(Box::new((Some(start), Box::pin(tokio::time::sleep(pause))))));
    }
    match lane.enter(&start.call) {
        Entered::Now(place) => {
            let counted = || place.or_else(|| lane.count(&start.call));
            match begin(&start, until, on, by, context, counted) {
                Begun::Ready(performed) => Begun::Ready(performed),
                Begun::Pending(flying) => Begun::Pending(Flight::Flying(flying)),
            }
        }
        Entered::Later(waiting) => {
            Begun::Pending(Flight::Flying(wait(start, until, waiting, on, by, context)))
        }
    }
}

/// Begins to perform a call, whoever else asks; it must have ended at `until`. `place` is what it has until it ends, if it
/// is not answered at once.
pub(crate) fn begin(
    start: &RequestedCall,
    until: Option<Instant>,
    on: &Handle,
    by: &Interpreters,
    context: &interpreter::Context,
    place: impl FnOnce() -> Option<Place>,
) -> Begun<CallResult, Flying> {
    let (number, kind, limit) = (start.number, start.call.kind(), start.call.time_limit());
    let future = match first(&start.call, Some(on), by, context) {
        Begun::Ready(performed) => return Begun::Ready(performed),
        Begun::Pending(future) => Shared::new(Mutex::new(Some(future))),
    };
    let (place, since) = (place(), Instant::now());
    let performing = Performing { kind, future: Arc::clone(&future) };
    let task = on.spawn(async move {
        let finished = performing.within(limit, until, since).await;
        // Freed here: the thread of the request may be in a step for long.
        drop(place);
        finished
    });
    Begun::Pending(Flying { number, kind, task: Some(task), future, on: on.clone(), begins: None })
}

/// Has a call wait for its place, and performed from then on.
fn wait(
    start: RequestedCall,
    until: Option<Instant>,
    waiting: Waiting,
    on: &Handle,
    by: &Interpreters,
    context: &interpreter::Context,
) -> Flying {
    let (number, kind) = (start.number, start.call.kind());
    let (by, context) = (by.clone(), context.clone());
    let ((tell, begins), by_limit) = (oneshot::channel(), waiting.held_by());
    let future = Shared::default();
    let performing = Performing { kind, future: Arc::clone(&future) };
    let task = on.spawn(async move {
        let place = match until {
            Some(until) => match tokio::time::timeout_at(until.into(), waiting).await {
                Ok(place) => place,
                Err(_) => return (Err(past_deadline()), Instant::now()),
            },
            None => waiting.await,
        };
        let since = Instant::now();
        // Nobody wants to know any more where the request has ended.
        let _ = tell.send(since);
        let finished = match first(&start.call, None, &by, &context) {
            Begun::Ready(performed) => (performed, Instant::now()),
            Begun::Pending(future) => {
                *performing.lock() = Some(future);
                performing.within(start.call.time_limit(), until, since).await
            }
        };
        drop(place);
        finished
    });
    Flying { number, kind, task: Some(task), future, on: on.clone(), begins: Some((begins, by_limit)) }
}

impl Flight {
    /// For what it is held, if it is.
    pub(crate) const fn held_by(&self) -> Option<QueueReason> {
        match self {
            Self::Paused(_) => Some(QueueReason::RetryDelay),
            Self::Flying(Flying { begins: Some((_, by)), .. }) => Some(*by),
            Self::Flying(_) => None,
        }
    }
}

impl Future for Flight {
    type Output = Landing;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Landing> {
        match &mut *self {
            Self::Paused(paused) => {
                let (start, sleep) = &mut **paused;
                if start.is_some() {
                    ready!(sleep.as_mut().poll(cx));
                }
                let until = sleep.deadline().into_std();
                start.take().map_or(Poll::Pending, |start| Poll::Ready(Landing::Free(start, until)))
            }
            Self::Flying(flying) => {
                if let Some((begins, _)) = &mut flying.begins
                    && let Poll::Ready(begun) = Pin::new(begins).poll(cx)
                {
                    flying.begins = None;
                    if let Ok(at) = begun {
                        return Poll::Ready(Landing::Begun(flying.take(), at));
                    }
                }
                let (number, performed, at) = ready!(Pin::new(flying).poll(cx));
                Poll::Ready(Landing::Landed(number, performed, at))
            }
        }
    }
}

impl Flying {
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
            begins: None,
        }
    }
}

impl Future for Flying {
    /// The number of the call, how it ended, and when.
    type Output = (u32, CallResult, Instant);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let (performed, at) = ready!(Pin::new(task).poll(cx)).unwrap_or_else(|error| lost(self.kind, error));
        self.task = None;
        Poll::Ready((self.number, performed, at))
    }
}

impl Drop for Flying {
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
fn first(
    call: &Call,
    enters: Option<&Handle>,
    by: &Interpreters,
    context: &interpreter::Context,
) -> Begun<CallResult, BoxFuture<CallResult>> {
    let kind = call.kind();
    let mut runtime = enters.filter(|_| by.needs_runtime(kind)).map(Handle::enter);
    let mut future = match catch_unwind(AssertUnwindSafe(|| by.begin(call, context))) {
        Ok(Begun::Ready(performed)) => return Begun::Ready(performed),
        Ok(Begun::Pending(future)) => future,
        Err(panic) => return Begun::Ready(Err(panicked(kind, &*panic))),
    };
    if runtime.is_none() {
        runtime = enters.map(Handle::enter);
    }
    let _runtime = runtime;
    match poll(kind, &mut future, &mut Context::from_waker(Waker::noop())) {
        Poll::Ready(performed) => {
            discard(future);
            Begun::Ready(performed)
        }
        Poll::Pending => Begun::Pending(future),
    }
}

/// Polls an interpreter's future, whose panics are its own.
fn poll(kind: &str, future: &mut BoxFuture<CallResult>, cx: &mut Context<'_>) -> Poll<CallResult> {
    catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
        .unwrap_or_else(|panic| Poll::Ready(Err(panicked(kind, &*panic))))
}

/// An effect on the effect runtime.
struct Performing {
    kind: &'static str,
    future: Shared,
}

impl Performing {
    /// Performs it to its end, or until its own time is over, or that of the effect which it is part of.
    async fn within(mut self, limit: Option<Duration>, until: Option<Instant>, since: Instant) -> Finished {
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

impl Future for Performing {
    type Output = CallResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CallResult> {
        let mut future = self.lock();
        let Some(performing) = &mut *future else { return Poll::Pending };
        let performed = ready!(poll(self.kind, performing, cx));
        discard(future.take());
        Poll::Ready(performed)
    }
}

impl Drop for Performing {
    fn drop(&mut self) {
        let future = self.lock().take();
        discard(future);
    }
}

/// The end of an effect whose task has not come to its own.
fn lost(kind: &'static str, error: JoinError) -> Finished {
    let error = match error.try_into_panic() {
        Ok(panic) => panicked(kind, &*panic),
        Err(_) => EffectError::new(EffectErrorKind::Internal, "the service has stopped"),
    };
    (Err(error), Instant::now())
}

/// Drops a value of a type we know nothing of, which may panic even then.
pub(crate) fn discard<T>(value: T) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        // The panic's own value may do it again.
        std::mem::forget(panic);
    }
}

fn panicked(kind: &str, panic: &(dyn Any + Send)) -> EffectError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a panic without a message");
    EffectError::new(EffectErrorKind::Internal, format!("the interpreter of {kind} panicked: {message}"))
}
