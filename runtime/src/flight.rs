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
    limit: Option<(Pin<Box<Sleep>>, Duration)>,
    /// Given back with it.
    place: Option<Place>,
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
    by: &Interpreters,
    context: &interpreter::Context,
    lane: &Lane<'_>,
) -> Begun<Performed, Flight> {
    let held = |start, until| Begun::Pending(Flight::Held(Box::new(Hold { start: Some(start), until })));
    let pause = std::mem::take(&mut start.pause);
    if !pause.is_zero() {
        return held(start, Until::Later(Box::pin(tokio::time::sleep(pause))));
    }
    let place = match place.map_or_else(|| lane.enter(&start.call), |place| Entered::Now(Some(place))) {
        Entered::Now(place) => place,
        Entered::Later(waiting) => return held(start, Until::Place(waiting)),
    };
    match begin(&start, by, context) {
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
    by: &Interpreters,
    context: &interpreter::Context,
) -> Begun<Performed, Flying> {
    let kind = start.call.kind();
    match catch_unwind(AssertUnwindSafe(|| by.begin(&start.call, context))) {
        Ok(Begun::Ready(performed)) => Begun::Ready(performed),
        Ok(Begun::Pending(future)) => {
            let limit = start.call.time_limit().map(|limit| (Box::pin(tokio::time::sleep(limit)), limit));
            let (number, future) = (start.number, Some(future));
            Begun::Pending(Flying { number, kind, future, limit, place: None })
        }
        Err(panic) => Begun::Ready(Err(panicked(kind, &*panic))),
    }
}

impl Flight {
    /// For what it is held, if it is.
    pub(crate) fn held_by(&self) -> Option<HeldBy> {
        match self {
            Self::Held(hold) => Some(match hold.until {
                Until::Later(_) => HeldBy::Pause,
                Until::Place(_) => HeldBy::Target,
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
        let Hold { start, until } = &mut **hold;
        if start.is_none() {
            return Poll::Pending;
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
        let Self { number, kind, future, limit, .. } = &mut *self;
        let Some(flying) = future else { return Poll::Pending };
        let landed = match catch_unwind(AssertUnwindSafe(|| flying.as_mut().poll(cx))) {
            Ok(Poll::Ready(performed)) => Some(performed),
            Ok(Poll::Pending) => None,
            Err(panic) => Some(Err(panicked(kind, &*panic))),
        };
        let late = |(sleep, limit): &mut (Pin<Box<Sleep>>, Duration)| match sleep.as_mut().poll(cx) {
            Poll::Ready(()) => {
                Some(Err(EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}"))))
            }
            Poll::Pending => None,
        };
        match landed.or_else(|| limit.as_mut().and_then(late)) {
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
