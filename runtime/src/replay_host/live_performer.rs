//! Effects that a replay performs for real. It performs only the kinds that the user has named.

use std::cell::{Cell, RefCell};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};
use zerver_engine::{Call, CallResult, EffectError, EffectErrorKind, Request, RequestId, RequestedCall};
use zerver_replay::wire::{HostReply, send};
use zerver_replay::{CallExplanation, ExplainCall};

use crate::app::startup::{BoxError, Startup};
use crate::effects::Explanation;
use crate::effects::interpreter::{EffectContext, Started};
use crate::execution::effect_future::{self, CallAccess};
use crate::http::{self, TraceContext};
use crate::time::nanos;

/// The interpreters of the service, opened as when it serves.
pub(super) struct LivePerformer {
    runtime: Runtime,
    startup: Startup,
    /// Connection on which each effect is announced before it is performed.
    stream: RefCell<UnixStream>,
    /// Context of the request that is replayed.
    context: RefCell<EffectContext>,
    /// Number of the next call. The numbers differ from recorded ones, so that a target which knows the recorded calls by
    /// their idempotency keys performs these.
    next_call: Cell<u32>,
}

impl LivePerformer {
    /// Runs the startup hook, `open`, in a new runtime.
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
        let next_call = Cell::new(u32::MAX / 2);
        Ok(Self { runtime, startup, stream, context: RefCell::default(), next_call })
    }

    /// Sets the request on behalf of which effects are performed. They carry its trace context, as when it was recorded.
    pub(super) fn set_request(&self, request: &Request, id: RequestId) {
        let TraceContext { traceparent, tracestate } = TraceContext::from_headers(&request.headers);
        let baggage = http::baggage(&request.headers);
        *self.context.borrow_mut() = EffectContext {
            request_id: Some(id),
            traceparent,
            tracestate,
            baggage,
            stream: None,
            body: None,
        };
    }
}

/// Longest time of an explanation.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time of an explanation for which the call is performed.
const ANALYZE_TIMEOUT: Duration = Duration::from_secs(120);

impl LivePerformer {
    /// Has the interpreter of a recorded call explain it.
    pub(super) fn explain(&self, call: &ExplainCall) -> Result<Vec<CallExplanation>, EffectError> {
        let limit = if call.analyze { ANALYZE_TIMEOUT } else { EXPLAIN_TIMEOUT };
        let announcement = HostReply::EffectStarting { name: call.kind.clone(), limit_ns: nanos(limit) };
        send(&mut *self.stream.borrow_mut(), &announcement)
            .map_err(|error| EffectError::new(EffectErrorKind::Internal, error.to_string()))?;
        let ExplainCall { kind, args, output, analyze } = call;
        let explained = self.runtime.block_on(async {
            let future = self.startup.interpreters.explain(kind, args, output.as_ref(), *analyze)?;
            tokio::time::timeout(limit, future).await.unwrap_or_else(|_| {
                Err(EffectError::new(EffectErrorKind::Timeout, format!("no answer within {limit:?}")))
            })
        })?;
        let of_wire = |Explanation { subject, lines, json }| CallExplanation { subject, lines, json };
        Ok(explained.into_iter().map(of_wire).collect())
    }
}

impl zerver_replay::LivePerformer for LivePerformer {
    fn kinds(&self) -> Vec<&'static str> {
        self.startup.interpreters.kinds().collect()
    }

    fn perform(&self, call: &Call, name: &str, within: Duration) -> (CallResult, Duration) {
        // If the other side has hung up, the effect is not performed.
        let announcement = HostReply::EffectStarting { name: name.to_owned(), limit_ns: nanos(within) };
        if let Err(error) = send(&mut *self.stream.borrow_mut(), &announcement) {
            return (Err(EffectError::new(EffectErrorKind::Internal, error.to_string())), Duration::ZERO);
        }
        let started = Instant::now();
        let context = self.context.borrow().clone();
        let number = self.next_call.replace(self.next_call.get().wrapping_add(1));
        let requested = RequestedCall {
            number,
            call: call.clone(),
            attempt: 1,
            first: number,
            pause: Duration::ZERO,
            is_hedge: false,
            deadline_ns: None,
        };
        // The call starts within the runtime, because an interpreter may create a timer or a socket.
        let performed = self.runtime.block_on(async {
            let (runtime, interpreters) = (Handle::current(), &self.startup.interpreters);
            match effect_future::perform(
                &requested,
                None,
                &runtime,
                interpreters,
                &context,
                CallAccess::default,
            ) {
                Started::Ready(completion) => completion.result,
                Started::Pending(effect) => match tokio::time::timeout(within, effect).await {
                    Ok(completed) => completed.completion.result,
                    Err(_) => {
                        let message = format!("no answer within {within:?}");
                        Err(EffectError::new(EffectErrorKind::Timeout, message))
                    }
                },
            }
        });
        (performed, started.elapsed())
    }
}
