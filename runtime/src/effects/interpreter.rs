//! Interpreters: what performs one kind of effect.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use zerver_engine::{
    Call, CallResult, Effect, EffectError, EffectErrorKind, EffectKind, Failure, Random, RequestId,
    RequestedCall, StandaloneEffect,
};

use crate::execution::request_ids::RequestIds;
use crate::time::nanos;

/// What an interpreter gives: the output or an error.
pub type EffectResult<K> = Result<<K as EffectKind>::Output, EffectError>;

/// A future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How an effect goes once it has been asked for.
pub enum Started<T, F = BoxFuture<T>> {
    /// It could be answered at once. The request goes on without having waited.
    Ready(T),
    /// It takes its time, on the effect runtime; see [`Interpreter`].
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
    /// Its id; none outside a request.
    pub request_id: Option<RequestId>,
    /// Its `traceparent`, to be passed on (W3C Trace Context).
    pub traceparent: Option<Arc<str>>,
    /// Its `tracestate`, to be passed on with it.
    pub tracestate: Option<Arc<str>>,
}

/// Performs one kind of effect, live.
///
/// Time limits are not its business: the future that it returns is dropped as soon as nobody waits for the answer any more,
/// because the effect has taken too long, the deadline has passed, or the client went away. Whatever the future owns ends
/// with it. What it has spawned does not: a [`CallGuard`] tells that.
///
/// `begin` is called on the thread of the request, which also polls the future once: what is ready then needs no other
/// thread. From then on the future is polled on the effect runtime, a tokio runtime with threads of its own, on which no
/// step runs. That is also the runtime of whatever `begin` or the future spawns, opens or times, of what
/// [`App::on_startup`](crate::App::on_startup) does, and so of the connections of a pool: none of it waits for a step. An interpreter
/// that blocks its thread makes other effects wait; what has to block belongs on
/// [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html).
pub trait Interpreter<K: EffectKind>: Send + Sync + 'static {
    /// Begins to perform it.
    fn start(&self, args: &K, context: &EffectContext) -> Started<EffectResult<K>>;

    /// Whether `begin` itself, not the future, needs the effect runtime, since it spawns, opens or times something. One that
    /// mostly answers at once may say that it does not, which saves a little.
    fn needs_runtime(&self) -> bool {
        true
    }
}

/// Tells what an interpreter has spawned that the effect is over: it is kept by the future that the interpreter returns.
///
/// ```
/// # use zerver::prelude::*;
/// # use zerver::interpreter::CallGuard;
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
///         let gone = || EffectError::new(EffectErrorKind::Internal, "cancelled");
///         rows.ok().flatten().ok_or_else(gone)
///     }
/// });
/// ```
#[derive(Debug)]
#[must_use = "the call counts as over when this is dropped"]
pub struct CallGuard {
    _tell: watch::Sender<()>,
}

/// When an effect is over: when its [`CallGuard`] is dropped.
#[derive(Debug, Clone)]
pub struct CallEnd(watch::Receiver<()>);

impl CallGuard {
    /// A guard, and the end that it tells of.
    pub fn new() -> (Self, CallEnd) {
        let (tell, told) = watch::channel(());
        (Self { _tell: tell }, CallEnd(told))
    }
}

impl CallEnd {
    /// Waits until nobody waits for the answer any more.
    pub async fn wait(&mut self) {
        while self.0.changed().await.is_ok() {}
    }

    /// Whether nobody waits for the answer any more.
    pub fn has_come(&self) -> bool {
        self.0.has_changed().is_err()
    }
}

/// The interpreter that calls a function and awaits what it returns.
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

/// The interpreters of a program, by kind of effect.
#[derive(Clone, Default)]
pub struct Interpreters(Vec<(&'static str, Arc<dyn AnyInterpreter>)>);

impl fmt::Debug for Interpreters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}

impl Interpreters {
    /// No interpreters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds the interpreter of a kind; the one there was is replaced.
    pub fn set<K: EffectKind>(&mut self, interpreter: impl Interpreter<K>) {
        self.0.retain(|(kind, _)| *kind != K::KIND);
        self.0.push((K::KIND, Arc::new(Typed::<K, _>(interpreter, std::marker::PhantomData))));
    }

    /// The kinds there are.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(kind, _)| *kind)
    }

    fn of(&self, kind: &str) -> Option<&dyn AnyInterpreter> {
        self.0.iter().find(|(of, _)| *of == kind).map(|(_, interpreter)| &**interpreter)
    }

    pub(crate) fn needs_runtime(&self, kind: &str) -> bool {
        self.of(kind).is_some_and(AnyInterpreter::needs_runtime)
    }

    /// Begins to perform a call. A kind without an interpreter is an error of that call.
    pub fn start(&self, call: &Call, context: &EffectContext) -> Started<CallResult> {
        match self.of(call.kind()) {
            Some(interpreter) => interpreter.start(call, context),
            None => Started::Ready(Err(EffectError::new(
                EffectErrorKind::NoInterpreter,
                format!("this program performs no effect of kind {}; App::interpreter adds one", call.kind()),
            ))),
        }
    }

    /// Performs an effect outside a request, such as one that fills a store before the service starts. It is not
    /// recorded. Needs a tokio runtime with time and I/O enabled.
    ///
    /// # Errors
    /// The failure that the effect ends in.
    pub async fn perform<T>(&self, effect: Effect<T>, context: &EffectContext) -> Result<T, Failure> {
        let seed = RequestIds::new().map_or(0, |ids| ids.seed());
        let mut alone = StandaloneEffect::new(effect, Random { seed });
        let mut in_flight = FuturesUnordered::new();
        let began = Instant::now();
        let mut output = alone.advance(None, 0);
        loop {
            if let Some(output) = output {
                return output;
            }
            let starts = alone.take_requested_calls();
            in_flight.extend(starts.into_iter().map(|start| self.answer(start, began, context)));
            let Some(answer) = in_flight.next().await else {
                return Err(Failure::internal("effect").message("waits for nothing"));
            };
            output = alone.advance(Some(answer), nanos(began.elapsed()));
        }
    }

    async fn answer(
        &self,
        start: RequestedCall,
        began: Instant,
        context: &EffectContext,
    ) -> (u32, CallResult) {
        let (number, pause) = (start.number, start.pause);
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let limit = start.time_limit(nanos(began.elapsed()));
        let performed = match (self.start(&start.call, context), limit) {
            (Started::Ready(performed), _) => performed,
            (Started::Pending(future), None) => future.await,
            (Started::Pending(future), Some(limit)) => {
                tokio::time::timeout(limit, future).await.unwrap_or_else(|_| {
                    Err(EffectError::new(EffectErrorKind::Timeout, format!("took longer than {limit:?}")))
                })
            }
        };
        (number, performed)
    }
}

trait AnyInterpreter: Send + Sync {
    fn start(&self, call: &Call, context: &EffectContext) -> Started<CallResult>;

    fn needs_runtime(&self) -> bool;
}

struct Typed<K, I>(I, std::marker::PhantomData<fn() -> K>);

impl<K: EffectKind, I: Interpreter<K>> AnyInterpreter for Typed<K, I> {
    fn needs_runtime(&self) -> bool {
        self.0.needs_runtime()
    }

    fn start(&self, call: &Call, context: &EffectContext) -> Started<CallResult> {
        let Some(args) = call.args::<K>() else {
            let message = format!("two kinds of effect are called {}", K::KIND);
            return Started::Ready(Err(EffectError::new(EffectErrorKind::Internal, message)));
        };
        match self.0.start(args, context) {
            Started::Ready(outcome) => Started::Ready(outcome.map(Call::output::<K>)),
            Started::Pending(future) => {
                Started::Pending(Box::pin(async move { future.await.map(Call::output::<K>) }))
            }
        }
    }
}
