//! An effect in flight: bounded in time, and unable to take the request down with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;
use zerver_engine::{EffectError, EffectErrorKind, Performed, Start};

use crate::interpreter::{self, Begun, BoxFuture, Interpreters};

/// An effect that takes its time.
pub(crate) struct Flight {
    number: u32,
    kind: &'static str,
    /// None once it has landed.
    future: Option<BoxFuture<Performed>>,
    limit: Option<(Pin<Box<Sleep>>, Duration)>,
}

/// Begins to perform a call.
pub(crate) fn begin(
    start: &Start,
    by: &Interpreters,
    context: &interpreter::Context,
) -> Begun<Performed, Flight> {
    let kind = start.call.kind();
    match catch_unwind(AssertUnwindSafe(|| by.begin(&start.call, context))) {
        Ok(Begun::Ready(performed)) => Begun::Ready(performed),
        Ok(Begun::Pending(future)) => {
            let limit = start.call.time_limit().map(|limit| (Box::pin(tokio::time::sleep(limit)), limit));
            Begun::Pending(Flight { number: start.number, kind, future: Some(future), limit })
        }
        Err(panic) => Begun::Ready(Err(panicked(kind, &*panic))),
    }
}

impl Future for Flight {
    /// The number of the call, and how it ended.
    type Output = (u32, Performed);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { number, kind, future, limit } = &mut *self;
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

impl Drop for Flight {
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
