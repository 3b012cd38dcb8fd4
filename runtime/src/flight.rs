//! An effect in flight: bounded in time, and unable to take the request down with it. One that cannot begin yet waits
//! here, too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Sleep;
use zerver_engine::{EffectError, EffectErrorKind, Performed, Start};
use zerver_trace::HeldBy;

use crate::interpreter::{self, Begun, BoxFuture, Interpreters};
use crate::schedule::{Entered, Lane, Place, Waiting};
use crate::time::Stopwatch;

/// An effect that takes its time, from when it is asked for.
pub(crate) enum Flight {
    /// It cannot begin yet.
    Held(Box<Hold>),
    /// It has begun.
    Flying(Flying),
}

/// One that waits until it can begin.
pub(crate) struct Hold {
    /// None once it can.
    start: Option<Start>,
    until: Until,
    /// When it must have ended.
    late: Option<Pin<Box<Sleep>>>,
}

enum Until {
    Later(Pin<Box<Sleep>>),
    Place(Waiting),
}

/// One that has begun.
pub(crate) struct Flying {
    number: u32,
    kind: &'static str,
    /// None once it has landed.
    future: Option<BoxFuture<Performed>>,
    late: Option<(Pin<Box<Sleep>>, Limit)>,
    /// Given back with it.
    place: Option<Place>,
}

/// What has no time left.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// A call with a time limit of its own.
    Call(Duration),
    /// An effect with a deadline, of which it is a part.
    Effect,
}

impl Limit {
    fn error(self) -> EffectError {
        let message = match self {
            Self::Call(limit) => format!("no answer within {limit:?}"),
            Self::Effect => "no answer before the deadline of its effect".to_owned(),
        };
        EffectError::new(EffectErrorKind::Timeout, message)
    }
}

/// What becomes of a flight.
pub(crate) enum Landing {
    /// It need not wait any more, or not for that: it is to be asked for again, with its place where it has one.
    Free(Start, Option<Place>),
    /// The number of the call, and how it ended.
    Landed(u32, Performed),
}

/// Begins to perform a call, if it may begin now.
pub(crate) fn ask(
    mut start: Start,
    place: Option<Place>,
    watch: &Stopwatch,
    by: &Interpreters,
    context: &interpreter::Context,
    lane: &Lane<'_>,
) -> Begun<Performed, Flight> {
    if start.until_ns.is_some_and(|until_ns| until_ns <= watch.now_ns()) {
        return Begun::Ready(Err(Limit::Effect.error()));
    }
    let sleep = |until_ns| Box::pin(tokio::time::sleep_until(watch.at(until_ns).into()));
    let held = |start: Start, until| {
        let late = start.until_ns.map(sleep);
        Begun::Pending(Flight::Held(Box::new(Hold { start: Some(start), until, late })))
    };
    let pause = std::mem::take(&mut start.pause);
    if !pause.is_zero() {
        return held(start, Until::Later(Box::pin(tokio::time::sleep(pause))));
    }
    let place = match place.map_or_else(|| lane.enter(&start.call), |place| Entered::Now(Some(place))) {
        Entered::Now(place) => place,
        Entered::Later(waiting) => return held(start, Until::Place(waiting)),
    };
    match begin(&start, watch.now_ns(), by, context) {
        Begun::Ready(performed) => Begun::Ready(performed),
        Begun::Pending(mut flying) => {
            flying.place = place.or_else(|| lane.count(&start.call));
            Begun::Pending(Flight::Flying(flying))
        }
    }
}

/// Begins to perform a call, whoever else asks.
pub(crate) fn begin(
    start: &Start,
    now_ns: u64,
    by: &Interpreters,
    context: &interpreter::Context,
) -> Begun<Performed, Flying> {
    let kind = start.call.kind();
    match catch_unwind(AssertUnwindSafe(|| by.begin(&start.call, context))) {
        Ok(Begun::Ready(performed)) => Begun::Ready(performed),
        Ok(Begun::Pending(future)) => {
            let late = start.limit(now_ns).map(|limit| {
                let is_own = start.call.time_limit() == Some(limit);
                let what = if is_own { Limit::Call(limit) } else { Limit::Effect };
                (Box::pin(tokio::time::sleep(limit)), what)
            });
            let (number, future) = (start.number, Some(future));
            Begun::Pending(Flying { number, kind, future, late, place: None })
        }
        Err(panic) => Begun::Ready(Err(panicked(kind, &*panic))),
    }
}

impl Flight {
    /// For what it is held, if it is.
    pub(crate) fn held_by(&self) -> Option<HeldBy> {
        match self {
            Self::Held(hold) => Some(match &hold.until {
                Until::Later(_) => HeldBy::Pause,
                Until::Place(waiting) => waiting.held_by(),
            }),
            Self::Flying(_) => None,
        }
    }
}

impl Future for Flight {
    type Output = Landing;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Landing> {
        let hold = match self.get_mut() {
            Self::Flying(flying) => {
                let landed = Pin::new(flying).poll(cx);
                return landed.map(|(number, performed)| Landing::Landed(number, performed));
            }
            Self::Held(hold) => hold,
        };
        let Hold { start, until, late } = &mut **hold;
        let Some(Start { number, .. }) = start else { return Poll::Pending };
        if late.as_mut().is_some_and(|late| late.as_mut().poll(cx).is_ready()) {
            let landed = Landing::Landed(*number, Err(Limit::Effect.error()));
            *start = None;
            return Poll::Ready(landed);
        }
        let place = match until {
            Until::Later(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                None
            }
            Until::Place(waiting) => Some(ready!(Pin::new(waiting).poll(cx))),
        };
        start.take().map_or(Poll::Pending, |start| Poll::Ready(Landing::Free(start, place)))
    }
}

impl Future for Flying {
    /// The number of the call, and how it ended.
    type Output = (u32, Performed);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { number, kind, future, late, .. } = &mut *self;
        let Some(flying) = future else { return Poll::Pending };
        let landed = match catch_unwind(AssertUnwindSafe(|| flying.as_mut().poll(cx))) {
            Ok(Poll::Ready(performed)) => Some(performed),
            Ok(Poll::Pending) => None,
            Err(panic) => Some(Err(panicked(kind, &*panic))),
        };
        let is_late = |(sleep, limit): &mut (Pin<Box<Sleep>>, Limit)| match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => Some(Err(limit.error())),
            Poll::Pending => None,
        };
        match landed.or_else(|| late.as_mut().and_then(is_late)) {
            Some(performed) => {
                discard(future.take());
                Poll::Ready((*number, performed))
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        discard(self.future.take());
    }
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
