//! Interpreters: what performs one kind of effect.

use std::pin::Pin;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use zerver_engine::{
    Alone, Call, Effect, EffectError, EffectErrorKind, EffectKind, Failure, Performed, Random, RequestId,
    Start,
};

use crate::effects::{clock, http, kv, sleep};
use crate::ids::Ids;

/// What an interpreter gives: the output or an error.
pub type Outcome<K> = Result<<K as EffectKind>::Output, EffectError>;

/// A future that can move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// How an effect goes once it has been asked for.
pub enum Begun<T, F = BoxFuture<T>> {
    /// It could be answered at once. The request goes on without having waited.
    Ready(T),
    /// It takes its time, on the effect runtime; see [`Interpreter`].
    Pending(F),
}

/// The request on whose behalf an effect is performed.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Its id; none outside a request.
    pub request_id: Option<RequestId>,
    /// Its `traceparent`, to be passed on (W3C Trace Context).
    pub traceparent: Option<Arc<str>>,
    /// Its `tracestate`, to be passed on with it.
    pub tracestate: Option<Arc<str>>,
}

/// Performs one kind of effect, live.
///
/// Time limits are not its business: its future is dropped when its time is over.
///
/// `begin` is called on the thread of the request, which also polls the future once: what is ready then needs no other
/// thread. From then on the future is polled on the effect runtime, a tokio runtime with threads of its own, on which no
/// step runs. That is also the runtime of whatever `begin` or the future spawns, opens or times, of what
/// [`App::live`](crate::App::live) does, and so of the connections of a pool: none of it waits for a step. An interpreter
/// that blocks its thread makes other effects wait; what has to block belongs on
/// [`spawn_blocking`](https://docs.rs/tokio/latest/tokio/task/fn.spawn_blocking.html).
pub trait Interpreter<K: EffectKind>: Send + Sync + 'static {
    /// Begins to perform it.
    fn begin(&self, args: &K, context: &Context) -> Begun<Outcome<K>>;

    /// Whether `begin` itself, not the future, needs the effect runtime, since it spawns, opens or times something. One that
    /// mostly answers at once may say that it does not, which saves a little.
    fn needs_runtime(&self) -> bool {
        true
    }
}

/// The interpreter that calls a function and awaits what it returns.
impl<K, F, Fut> Interpreter<K> for F
where
    K: EffectKind,
    F: Fn(&K) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<K>> + Send + 'static,
{
    fn begin(&self, args: &K, _context: &Context) -> Begun<Outcome<K>> {
        Begun::Pending(Box::pin(self(args)))
    }
}

/// The interpreters of a program, by kind of effect.
#[derive(Clone, Default)]
pub struct Interpreters(Vec<(&'static str, Arc<dyn AnyInterpreter>)>);

impl Interpreters {
    /// No interpreters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The interpreters of the kinds that come with zerver: a client for `http`, the timer and the clock of the machine,
    /// and a store in memory, which is empty, for `kv`.
    pub fn live() -> Self {
        let mut live = Self::new();
        live.set(http::Client::new());
        live.set(kv::Memory::new());
        live.set(sleep::Timer);
        live.set(clock::Wall);
        live
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
    pub fn begin(&self, call: &Call, context: &Context) -> Begun<Performed> {
        match self.of(call.kind()) {
            Some(interpreter) => interpreter.begin(call, context),
            None => Begun::Ready(Err(EffectError::new(
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
    pub async fn perform<T>(&self, effect: Effect<T>, context: &Context) -> Result<T, Failure> {
        let seed = Ids::new().map_or(0, |ids| ids.seed());
        let mut alone = Alone::new(effect, Random { seed });
        let mut in_flight = FuturesUnordered::new();
        let mut output = alone.advance(None);
        loop {
            if let Some(output) = output {
                return output;
            }
            let starts = alone.take_starts();
            in_flight.extend(starts.into_iter().map(|start| self.answer(start, context)));
            let Some(answer) = in_flight.next().await else {
                return Err(Failure::internal("effect").message("waits for nothing"));
            };
            output = alone.advance(Some(answer));
        }
    }

    async fn answer(&self, start: Start, context: &Context) -> (u32, Performed) {
        let Start { number, call, pause, .. } = start;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let performed = match (self.begin(&call, context), call.time_limit()) {
            (Begun::Ready(performed), _) => performed,
            (Begun::Pending(future), None) => future.await,
            (Begun::Pending(future), Some(limit)) => {
                tokio::time::timeout(limit, future).await.unwrap_or_else(|_| {
                    Err(EffectError::new(EffectErrorKind::Timeout, format!("took longer than {limit:?}")))
                })
            }
        };
        (number, performed)
    }
}

trait AnyInterpreter: Send + Sync {
    fn begin(&self, call: &Call, context: &Context) -> Begun<Performed>;

    fn needs_runtime(&self) -> bool;
}

struct Typed<K, I>(I, std::marker::PhantomData<fn() -> K>);

impl<K: EffectKind, I: Interpreter<K>> AnyInterpreter for Typed<K, I> {
    fn needs_runtime(&self) -> bool {
        self.0.needs_runtime()
    }

    fn begin(&self, call: &Call, context: &Context) -> Begun<Performed> {
        let Some(args) = call.args::<K>() else {
            let message = format!("two kinds of effect are called {}", K::KIND);
            return Begun::Ready(Err(EffectError::new(EffectErrorKind::Internal, message)));
        };
        match self.0.begin(args, context) {
            Begun::Ready(outcome) => Begun::Ready(outcome.map(Call::output::<K>)),
            Begun::Pending(future) => {
                Begun::Pending(Box::pin(async move { future.await.map(Call::output::<K>) }))
            }
        }
    }
}
