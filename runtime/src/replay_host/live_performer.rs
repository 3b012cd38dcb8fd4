//! Effects that a replay performs for real: only where it was asked to, for the kinds that were named.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use zerver_engine::{Call, CallResult, EffectError, EffectErrorKind, Request, RequestedCall};
use zerver_replay::wire::{HostReply, send};

use crate::app::startup::{BoxError, Startup};
use crate::effects::interpreter::{EffectContext, Started};
use crate::execution::effect_future;
use crate::http::TraceContext;
use crate::time::nanos;

/// The service's own interpreters, opened as when it serves.
pub(super) struct LivePerformer {
    runtime: Runtime,
    startup: Startup,
    /// Who is told of each effect before it is performed.
    stream: RefCell<UnixStream>,
    /// Of the request that is replayed.
    context: RefCell<EffectContext>,
}

impl LivePerformer {
    /// Opens what `open` does, in a runtime of its own.
    pub(super) fn open(
        open: impl FnOnce(&Runtime) -> Result<Startup, BoxError>,
        stream: &UnixStream,
    ) -> Result<Self, BoxError> {
        let stream = RefCell::new(stream.try_clone()?);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let startup = {
            let _context = runtime.enter();
            open(&runtime)?
        };
        Ok(Self { runtime, startup, stream, context: RefCell::default() })
    }

    /// Performs effects on behalf of this request from now on: with its trace context, as when it was recorded.
    pub(super) fn act_for(&self, request: &Request) {
        let TraceContext { traceparent, tracestate } = TraceContext::from_headers(&request.headers);
        *self.context.borrow_mut() = EffectContext { traceparent, tracestate, ..EffectContext::default() };
    }
}

impl zerver_replay::LivePerformer for LivePerformer {
    fn kinds(&self) -> Vec<&'static str> {
        self.startup.interpreters.kinds().collect()
    }

    fn perform(&self, call: &Call, name: &str, within: Duration) -> (CallResult, Duration) {
        // If nobody listens any more, nobody has been told, and nothing is done.
        let told = HostReply::EffectStarting { name: name.to_owned(), limit_ns: nanos(within) };
        if let Err(error) = send(&mut *self.stream.borrow_mut(), &told) {
            return (Err(EffectError::new(EffectErrorKind::Internal, error.to_string())), Duration::ZERO);
        }
        let begun = Instant::now();
        let context = self.context.borrow().clone();
        let start = RequestedCall {
            number: 0,
            call: call.clone(),
            attempt: 1,
            pause: Duration::ZERO,
            deadline_ns: None,
        };
        // Within the runtime from the start: an interpreter may want a timer or a socket.
        let performed = self.runtime.block_on(async {
            let (on, interpreters) = (Handle::current(), &self.startup.interpreters);
            match effect_future::perform(&start, None, &on, interpreters, &context, || None) {
                Started::Ready(performed) => performed,
                Started::Pending(effect) => match tokio::time::timeout(within, effect).await {
                    Ok((_, performed, _)) => performed,
                    Err(_) => {
                        let message = format!("no answer within {within:?}");
                        Err(EffectError::new(EffectErrorKind::Timeout, message))
                    }
                },
            }
        });
        (performed, begun.elapsed())
    }
}
