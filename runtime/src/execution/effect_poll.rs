//! Polls the futures of interpreters, whose panics become errors of their effects.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};

use tokio::runtime::Handle;
use zerver_engine::{CallResult, EffectError, EffectErrorKind, RequestedCall};

use super::safe_drop::discard;
use crate::effects::effect_points;
use crate::effects::effect_points::Point;
use crate::effects::interpreter;
use crate::effects::interpreter::{BoxFuture, CallNumbers, Interpreters, Started};

/// Starts a call and polls it once, in the context of the effect runtime. A caller on another thread passes that runtime to
/// enter. A call that is ready at the first poll needs no other thread.
pub(super) fn poll_first(
    requested: &RequestedCall,
    runtime: Option<&Handle>,
    interpreters: &Interpreters,
    context: &interpreter::EffectContext,
    points: &mut Vec<Point>,
) -> Started<CallResult, BoxFuture<CallResult>> {
    let call = &requested.call;
    let kind = call.kind();
    let mut entered = runtime.filter(|_| interpreters.needs_runtime(kind)).map(Handle::enter);
    let started = effect_points::collect(points, || {
        catch_unwind(AssertUnwindSafe(|| {
            interpreters.start_numbered(call, context, CallNumbers::of(requested))
        }))
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
pub(super) fn poll(
    kind: &str,
    future: &mut BoxFuture<CallResult>,
    points: &mut Vec<Point>,
    cx: &mut Context<'_>,
) -> Poll<CallResult> {
    effect_points::collect(points, || catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))))
        .unwrap_or_else(|panic| Poll::Ready(Err(interpreter_panicked(kind, &*panic))))
}

/// Returns the error of an effect whose interpreter panicked.
pub(super) fn interpreter_panicked(kind: &str, panic: &(dyn Any + Send)) -> EffectError {
    let text = panic.downcast_ref::<&str>().copied();
    let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = message.unwrap_or("a panic without a message");
    EffectError::new(EffectErrorKind::Internal, format!("the interpreter of {kind} panicked: {message}"))
}
