//! Interpreters: each performs one kind of effect.

use std::any::TypeId;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use zerver_engine::{
    Call, CallResult, Chaos, Effect, EffectError, EffectErrorKind, EffectKind, Failure, Random, RequestId,
    RequestedCall, StandaloneEffect,
};
use zerver_trace::{SpanId, TraceParent, Value};

use super::chaos_injection;
use super::explanation::{Explain, ExplainResult, typed};
use super::outbound::Outbound;
use super::stream::{BodyError, RequestBody, StreamOutput, UnreadBody};
use crate::execution::request_ids::RequestIds;
use crate::time::nanos;

/// The result of an effect of kind `K`.
pub type EffectResult<K> = Result<<K as EffectKind>::Output, EffectError>;

/// A future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The state of an effect after its start.
pub enum Started<T, F = BoxFuture<T>> {
    /// The result is available. The request continues without waiting.
    Ready(T),
    /// A future that the effect runtime polls. See [`Interpreter`].
    Pending(F),
}

impl<T: fmt::Debug, F> fmt::Debug for Started<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(output) => f.debug_tuple("Ready").field(output).finish(),
            Self::Pending(_) => f.write_str("Pending"),
        }
    }
}

/// The request on whose behalf an effect is performed.
#[derive(Debug, Clone, Default)]
pub struct EffectContext {
    /// Id of the request; `None` outside a request.
    pub request_id: Option<RequestId>,
    /// `traceparent` with which the request came (W3C Trace Context). Other services receive
    /// [`EffectContext::traceparent_of`] instead.
    pub traceparent: Option<TraceParent>,
    /// `tracestate` of the request, to be sent with `traceparent`.
    pub tracestate: Option<Arc<str>>,
    /// `baggage` of the request (W3C Baggage). `None` unless the setting `egress.baggage` lists hosts to send it to.
    pub baggage: Option<Arc<str>>,
    /// Where a stream sends its items. `None` for other effects.
    pub stream: Option<StreamOutput>,
    /// The body of the request, if an effect is to read it; see [`EffectContext::request_body`].
    pub body: Option<UnreadBody>,
}

impl EffectContext {
    /// Returns the `traceparent` to send to another service: its parent is the span under which the export of the trace shows
    /// this call. `None` if the request came without one.
    pub fn traceparent_of(&self, call: CallNumbers) -> Option<TraceParent> {
        let parent = self.traceparent?;
        let span_id = self.request_id.map_or(parent.span_id, |id| SpanId::of_call(id, call.number));
        Some(TraceParent { span_id, ..parent })
    }
}

impl EffectContext {
    /// Returns the body of the request, which this effect reads.
    ///
    /// # Errors
    /// `Absent` if the flow does not declare [`streamed_body`](crate::prelude::FlowDef::streamed_body), or the body was taken
    /// before.
    pub fn request_body(&self) -> Result<RequestBody, BodyError> {
        self.body.as_ref().and_then(UnreadBody::take).ok_or(BodyError::Absent)
    }
}

/// Numbers of a call within its request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallNumbers {
    /// Number of the call. Each attempt of an effect has its own.
    pub number: u32,
    /// Number of the first attempt. It is the same in all attempts, so that it identifies the call to a target that
    /// recognizes repeated requests.
    pub first_attempt: u32,
}

impl CallNumbers {
    pub(crate) const fn of(requested: &RequestedCall) -> Self {
        Self { number: requested.number, first_attempt: requested.first }
    }
}

/// Performs the effects of one kind.
///
/// An interpreter does not enforce time limits. The future that it returns is dropped as soon as the request no longer
/// waits for it: its time limit or the deadline has passed, or the client has left. Values that the future owns are
/// dropped with it. Tasks that it has spawned continue; a [`CallGuard`] informs them.
///
/// `start` is called on the thread of the request, which also polls the future once, so that a future that is ready
/// needs no other thread. From then on, the effect runtime polls it: single-threaded tokio runtimes on separate threads,
/// where no step runs. The effect runtime also drives the tasks, sockets and timers that `start` or the future creates, and those
/// that the hook of [`App::on_startup`](crate::App::on_startup) creates, such as pooled connections. None of them has
/// to wait for a step. An interpreter that blocks its thread delays other effects; use
/// [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html) for code that blocks.
pub trait Interpreter<K: EffectKind>: Send + Sync + 'static {
    /// Starts an effect with these arguments.
    fn start(&self, args: &K, context: &EffectContext) -> Started<EffectResult<K>>;

    /// Starts an effect whose call has these numbers.
    fn start_numbered(
        &self,
        args: &K,
        context: &EffectContext,
        _call: CallNumbers,
    ) -> Started<EffectResult<K>> {
        self.start(args, context)
    }

    /// Takes the settings of connections to other systems, before the first effect and whenever they change.
    fn configure(&self, _outbound: &Arc<Outbound>) {}

    /// Returns true if `start` itself, not the future, needs the effect runtime because it creates tasks, sockets or
    /// timers. An interpreter whose result is usually available at once can return false, which saves a little time.
    fn needs_runtime(&self) -> bool {
        true
    }

    /// Returns the reason why its effects are expected to fail now, such as a database that cannot be reached. The health
    /// endpoint then reports the service as `degraded`. It is called for each request of that endpoint, so it must not wait.
    fn problem(&self) -> Option<String> {
        None
    }

    /// Explains how its target would perform a recorded call, for `zerver explain`. The call must not change anything, and
    /// is not performed unless the request says so. Returns `None` if the interpreter cannot explain calls.
    fn explain(&self, _call: &Explain<'_, K>) -> Option<BoxFuture<ExplainResult>> {
        None
    }
}

/// Signals the end of an effect to tasks that its interpreter has spawned. The future that the interpreter returns owns
/// the guard.
///
/// ```
/// # use zerver::prelude::*;
/// # use zerver::effects::CallGuard;
/// # #[derive(Serialize, Deserialize)]
/// # struct Query { text: String }
/// # impl EffectKind for Query {
/// #     const KIND: &'static str = "query";
/// #     type Output = u64;
/// # }
/// # async fn run(text: String) -> u64 { text.len() as u64 }
/// # async fn cancel() {}
/// let app = App::new().interpreter(|query: &Query| {
///     let (guard, mut end) = CallGuard::new();
///     let text = query.text.clone();
///     let task = tokio::spawn(async move {
///         tokio::select! {
///             rows = run(text) => Some(rows),
///             () = end.wait() => {
///                 cancel().await;
///                 None
///             }
///         }
///     });
///     async move {
///         let rows = task.await;
///         drop(guard);
///         let canceled = || EffectError::new(EffectErrorKind::Internal, "canceled");
///         rows.ok().flatten().ok_or_else(canceled)
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "the effect counts as over when the guard is dropped"]
pub struct CallGuard {
    _sender: watch::Sender<()>,
}

/// The end of an effect, which is the drop of its [`CallGuard`].
#[derive(Debug, Clone)]
pub struct CallEnd(watch::Receiver<()>);

impl CallGuard {
    /// Returns a guard and the end that it signals.
    pub fn new() -> (Self, CallEnd) {
        let (sender, receiver) = watch::channel(());
        (Self { _sender: sender }, CallEnd(receiver))
    }
}

impl CallEnd {
    /// Waits until the effect is over.
    pub async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }

    /// Returns true if the effect is over.
    pub fn is_over(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// A function is an interpreter: it is called with the arguments, and the future that it returns performs the effect.
impl<K, F, Fut> Interpreter<K> for F
where
    K: EffectKind,
    F: Fn(&K) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = EffectResult<K>> + Send + 'static,
{
    fn start(&self, args: &K, _context: &EffectContext) -> Started<EffectResult<K>> {
        Started::Pending(Box::pin(self(args)))
    }
}

/// The interpreters of a program, by kind.
#[derive(Clone, Default)]
pub struct Interpreters {
    by_kind: Vec<(&'static str, Arc<dyn AnyInterpreter>)>,
    /// Faults to inject, during a drill.
    chaos: Option<Arc<Chaos>>,
}

impl fmt::Debug for Interpreters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}

impl Interpreters {
    /// Creates an empty set.
    pub const fn new() -> Self {
        Self { by_kind: Vec::new(), chaos: None }
    }

    /// Sets the interpreter of a kind. It replaces the previous interpreter of the kind.
    pub fn set<K: EffectKind>(&mut self, interpreter: impl Interpreter<K>) {
        self.by_kind.retain(|(kind, _)| *kind != K::KIND);
        self.by_kind.push((K::KIND, Arc::new(Typed::<K, _>(interpreter, std::marker::PhantomData))));
    }

    /// Returns the names of the kinds.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.by_kind.iter().map(|(kind, _)| *kind)
    }

    /// Has faults injected into the calls that are started from now on.
    pub(crate) fn set_chaos(&mut self, chaos: Option<Arc<Chaos>>) {
        self.chaos = chaos;
    }

    /// Returns the faults of the drill, if there is one.
    #[cfg(feature = "metrics")]
    pub(crate) fn chaos(&self) -> Option<&Chaos> {
        self.chaos.as_deref()
    }

    /// Passes on the settings of connections to other systems.
    pub(crate) fn configure(&self, outbound: &Arc<Outbound>) {
        self.by_kind.iter().for_each(|(_, interpreter)| interpreter.configure(outbound));
    }

    /// Returns the type of the kind of this name.
    pub(crate) fn type_of(&self, kind: &str) -> Option<TypeId> {
        Some(self.get(kind)?.kind_type())
    }

    /// Returns the kinds of effects that are expected to fail now, with the reasons.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        self.by_kind.iter().filter_map(|(kind, interpreter)| Some((*kind, interpreter.problem()?))).collect()
    }

    pub(super) fn get(&self, kind: &str) -> Option<&dyn AnyInterpreter> {
        self.by_kind.iter().find(|(known, _)| *known == kind).map(|(_, interpreter)| &**interpreter)
    }

    pub(crate) fn needs_runtime(&self, kind: &str) -> bool {
        self.get(kind).is_some_and(AnyInterpreter::needs_runtime)
    }

    /// Starts a call. A call of a kind without an interpreter fails.
    pub fn start(&self, call: &Call, context: &EffectContext) -> Started<CallResult> {
        self.start_numbered(call, context, CallNumbers::default())
    }

    /// Starts a call with these numbers.
    pub(crate) fn start_numbered(
        &self,
        call: &Call,
        context: &EffectContext,
        numbers: CallNumbers,
    ) -> Started<CallResult> {
        match self.chaos.as_ref().and_then(|chaos| chaos.decide(call)) {
            None => self.start_without_chaos(call, context, numbers),
            Some(injection) => chaos_injection::start(self, call, context, numbers, injection),
        }
    }

    /// Starts a call without regard to chaos.
    pub(super) fn start_without_chaos(
        &self,
        call: &Call,
        context: &EffectContext,
        numbers: CallNumbers,
    ) -> Started<CallResult> {
        match self.get(call.kind()) {
            Some(interpreter) => interpreter.start(call, context, numbers),
            None => Started::Ready(Err(EffectError::new(
                EffectErrorKind::NoInterpreter,
                format!(
                    "this program has no interpreter for effects of kind {}; App::interpreter adds one",
                    call.kind()
                ),
            ))),
        }
    }

    /// Performs an effect outside a request, such as one that fills a store before the service starts. The effect is
    /// not recorded. The call needs a tokio runtime with time and I/O enabled.
    ///
    /// # Errors
    /// The failure of the effect.
    pub async fn perform<T>(&self, effect: Effect<T>, context: &EffectContext) -> Result<T, Failure> {
        let seed = RequestIds::new().map_or(0, |ids| ids.seed());
        let mut standalone = StandaloneEffect::new(effect, Random { seed });
        let mut in_flight = FuturesUnordered::new();
        let began = Instant::now();
        let mut output = standalone.advance(None, 0);
        loop {
            if let Some(output) = output {
                return output;
            }
            let requested = standalone.take_requested_calls();
            in_flight.extend(requested.into_iter().map(|call| self.perform_call(call, began, context)));
            let Some(completed) = in_flight.next().await else {
                return Err(Failure::internal("effect").message("no call is in flight"));
            };
            output = standalone.advance(Some(completed), nanos(began.elapsed()));
        }
    }

    async fn perform_call(
        &self,
        requested: RequestedCall,
        began: Instant,
        context: &EffectContext,
    ) -> (u32, CallResult) {
        let (number, pause) = (requested.number, requested.pause);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let limit = requested.time_limit(nanos(began.elapsed()));
        let started = self.start_numbered(&requested.call, context, CallNumbers::of(&requested));
        let result = match (started, limit) {
            (Started::Ready(result), _) => result,
            (Started::Pending(future), None) => future.await,
            (Started::Pending(future), Some(limit)) => {
                tokio::time::timeout(limit, future).await.unwrap_or_else(|_| {
                    Err(EffectError::new(EffectErrorKind::Timeout, format!("took longer than {limit:?}")))
                })
            }
        };
        (number, result)
    }
}

pub(super) trait AnyInterpreter: Send + Sync {
    fn start(&self, call: &Call, context: &EffectContext, numbers: CallNumbers) -> Started<CallResult>;

    fn configure(&self, outbound: &Arc<Outbound>);

    fn needs_runtime(&self) -> bool;

    fn problem(&self) -> Option<String>;

    fn explain(
        &self,
        args: &Value,
        output: Option<&Value>,
        analyze: bool,
    ) -> Result<Option<BoxFuture<ExplainResult>>, EffectError>;

    fn kind_type(&self) -> TypeId;
}

struct Typed<K, I>(I, std::marker::PhantomData<fn() -> K>);

impl<K: EffectKind, I: Interpreter<K>> AnyInterpreter for Typed<K, I> {
    fn needs_runtime(&self) -> bool {
        self.0.needs_runtime()
    }

    fn kind_type(&self) -> TypeId {
        TypeId::of::<K>()
    }

    fn configure(&self, outbound: &Arc<Outbound>) {
        self.0.configure(outbound);
    }

    fn start(&self, call: &Call, context: &EffectContext, numbers: CallNumbers) -> Started<CallResult> {
        let Some(args) = call.args::<K>() else {
            let message = format!("two kinds of effect are named {}", K::KIND);
            return Started::Ready(Err(EffectError::new(EffectErrorKind::Internal, message)));
        };
        match self.0.start_numbered(args, context, numbers) {
            Started::Ready(outcome) => Started::Ready(outcome.map(Call::output::<K>)),
            Started::Pending(future) => {
                Started::Pending(Box::pin(async move { future.await.map(Call::output::<K>) }))
            }
        }
    }

    fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    fn explain(
        &self,
        args: &Value,
        output: Option<&Value>,
        analyze: bool,
    ) -> Result<Option<BoxFuture<ExplainResult>>, EffectError> {
        let args: K = typed(args, "arguments")?;
        let output: Option<K::Output> = output.map(|output| typed(output, "answers")).transpose()?;
        Ok(self.0.explain(&Explain { args: &args, output: output.as_ref(), analyze }))
    }
}
