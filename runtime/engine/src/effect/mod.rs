//! Effects: I/O as data. A step describes what it needs; whoever drives the job performs it.

mod alone;
mod call;
mod group;
mod leaf;
mod machine;
mod program;
mod retry;
mod scope;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_trace::value::Encoder;
use zerver_trace::{EffectError, Value, ValueError};

use crate::{Failure, Slots, Writes};

pub use alone::Alone;
pub use call::{Call, Performed};
pub use group::join_all;
pub(crate) use machine::{Calls, Machine, Progress};
pub use retry::Retry;

use leaf::Leaf;
use program::{Op, Program};
use scope::Word;

/// A kind of effect: a description of I/O, what it gives, and a name.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zerver_engine::{EffectKind, effect};
///
/// #[derive(Serialize, Deserialize)]
/// struct SendMail { to: String }
///
/// impl EffectKind for SendMail {
///     const KIND: &'static str = "mail";
///     type Output = u64;
///     fn summary(&self) -> String { format!("to {}", self.to) }
/// }
///
/// let number = effect(SendMail { to: "a@example.com".into() }).map(|number| number + 1);
/// assert_eq!(format!("{number:?}"), "Effect(mail to a@example.com)");
/// ```
pub trait EffectKind: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name of the kind, such as `http`: one word, unique in a program.
    const KIND: &'static str;

    /// What it gives when it succeeds.
    type Output: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// What is asked for, on one line, without the name of the kind: `GET example.com/verify`.
    fn summary(&self) -> String {
        Value::from_serialize(self).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    /// What came back, on one line: `200`, `found`.
    fn outcome(output: &Self::Output) -> String {
        Value::from_serialize(output).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    /// Writes an output to be recorded: what its `Serialize` writes, for which a kind may know a quicker way.
    ///
    /// # Errors
    /// What the output's `Serialize` reports, or that it is too deep or too long.
    fn record(output: &Self::Output, out: &mut Encoder) -> Result<(), ValueError> {
        out.put(output)
    }

    /// Whom it asks, such as `idp.example.com:443`: a service may bound how many effects of a kind ask the same target
    /// at the same time. None where there is nobody to be spared, as with a timer or a store in memory.
    fn target(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// Whether to do it several times is the same as to do it once. Only then [`Effect::retry`] tries it again by itself.
    fn is_idempotent(&self) -> bool {
        false
    }

    /// What identifies it to a replay, where that is less than all of its arguments: for a database, the name of the
    /// statement and its parameters, without its text. A call that differs from a recorded one only in the rest is
    /// answered as that was, and the replay reports that its text changed. None, the default, stands for all arguments.
    ///
    /// Whatever may change the answer belongs to it. `Value::from_serialize(&(&self.name, &self.parameters)).ok()`
    fn identity(&self) -> Option<Value> {
        None
    }

    /// Whether it changes nothing at the other end ("safe" in RFC 9110, section 9.2.1): only such effects are performed
    /// under `zerver replay --live KIND:reads`.
    fn is_safe(&self) -> bool {
        false
    }

    /// Whether this output says that the same may succeed a little later, so that it is worth another attempt.
    fn is_temporary(_output: &Self::Output) -> bool {
        false
    }
}

/// An effect and what is made of its output. It does nothing until a step returns it.
///
/// It fails with a [`Failure`]; unless that is caught by [`Effect::attempt`] or [`Effect::optional`], it fails the
/// request.
#[must_use = "an effect does nothing until a step returns it"]
pub struct Effect<T> {
    program: Program,
    take: machine::Take<T>,
}

/// The effect that performs `kind` and gives its output.
pub fn effect<K: EffectKind>(kind: K) -> Effect<K::Output> {
    Effect::performing::<K>(Call::new(kind), |output: Result<&K::Output, EffectError>| {
        output.cloned().map_err(|error| Failure::from_effect(K::KIND, &error))
    })
}

impl<T: Send + 'static> Effect<T> {
    fn new(program: Program) -> Self {
        Self { program, take: machine::take }
    }

    fn of(op: Op) -> Self {
        Self::new(Program::of(op))
    }

    /// The effect that performs one call and makes `T` of how it ended. Where the call is tried again, `f` may be asked
    /// about each attempt.
    pub fn performing<K: EffectKind>(
        call: Call,
        f: impl Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send + 'static,
    ) -> Self {
        Self::of(Op::Call(Box::new(Leaf::<K, _>::new(call, f))))
    }

    /// The effect that does nothing and gives this.
    pub fn ready(value: T) -> Self {
        Self::new(Program::ready(Ok(value)))
    }

    /// The effect that does nothing and fails.
    pub fn fail(failure: Failure) -> Self {
        Self::new(Program::ready::<T>(Err(failure)))
    }

    /// Makes something else of its output.
    pub fn map<U: Send + 'static>(self, f: impl FnOnce(T) -> U + Send + 'static) -> Effect<U> {
        self.try_map(move |value| Ok(f(value)))
    }

    /// Makes something else of its output, or fails.
    pub fn try_map<U: Send + 'static>(
        self,
        f: impl FnOnce(T) -> Result<U, Failure> + Send + 'static,
    ) -> Effect<U> {
        Effect::new(self.program.then(move |output: Result<T, Failure>, out| out.give(output.and_then(f))))
    }

    /// Performs another effect afterwards, which may depend on the output.
    pub fn and_then<U: Send + 'static>(self, f: impl FnOnce(T) -> Effect<U> + Send + 'static) -> Effect<U> {
        Effect::new(self.program.then(move |output: Result<T, Failure>, out| match output {
            Ok(output) => out.go_on(f(output)),
            Err(failure) => out.give::<U>(Err(failure)),
        }))
    }

    /// Tries its calls again where they fail and that is worth it: each by itself, with the same arguments. What has
    /// succeeded is not asked for again, and a failure that `try_map` or the like makes of an output is final. Of two
    /// such words about one call the inner one counts.
    ///
    /// Each attempt is recorded. `http::get(url).json().retry(Retry::attempts(3))`
    pub fn retry(self, retry: Retry) -> Self {
        Self::new(self.program.within(Word::Retry(retry)))
    }

    /// Limits the time of each of its calls: one that has no answer by then fails with a timeout. Each attempt of a call
    /// has this time, from when it begins; the pauses between them, and waiting for a limit on effects, are not part of it.
    /// Of two such words about one call the shorter time counts.
    ///
    /// `kv::get(key).timeout(Duration::from_millis(50))`, `all((a, b)).timeout(..)`
    pub fn timeout(self, limit: Duration) -> Self {
        Self::new(self.program.within(Word::Timeout(limit)))
    }

    /// Limits the time of all of it, with every attempt, every pause, and every wait for a limit on effects, from when it
    /// begins. Its calls that have no answer by then fail with a timeout, and so does each that it would ask for
    /// afterwards. There is no further attempt which would begin too late. Of two such words the earlier end counts; the
    /// deadline of the request holds in any case.
    ///
    /// `load_a.and_then(|a| load_b(a)).retry(Retry::attempts(3)).deadline(Duration::from_secs(1))`
    pub fn deadline(self, limit: Duration) -> Self {
        Self::new(self.program.within(Word::Deadline(limit)))
    }

    /// Gives the failure as a value instead of failing the request.
    pub fn attempt(self) -> Effect<Result<T, Failure>> {
        Effect::new(self.program.then(|output: Result<T, Failure>, out| out.give(Ok(output))))
    }

    /// Gives none instead of failing the request.
    pub fn optional(self) -> Effect<Option<T>> {
        self.attempt().map(Result::ok)
    }
}

impl<S: Slots> Effect<S> {
    /// Forgets which slots the output is.
    pub(crate) fn gather(self) -> Effect<Writes> {
        Effect::new(
            self.program.then(|output: Result<S, Failure>, out| out.give(output.map(Slots::into_writes))),
        )
    }
}

impl<T: Send + 'static> Effect<Option<T>> {
    /// Fails with `not_found` if there is nothing.
    pub fn or_not_found(self, what: &'static str, key: impl fmt::Display) -> Effect<T> {
        let key = key.to_string();
        self.try_map(move |found| found.ok_or_else(|| Failure::not_found(what, key)))
    }
}

impl<T> fmt::Debug for Effect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Effect(")?;
        self.program.describe(f, 0)?;
        f.write_str(")")
    }
}

/// Performs several effects at the same time; fails with the first failure, once all have ended.
pub fn all<A: All>(effects: A) -> Effect<A::Output> {
    effects.all()
}

/// A tuple of effects.
pub trait All {
    /// The tuple of their outputs.
    type Output;
    /// Performs them at the same time.
    fn all(self) -> Effect<Self::Output>;
}
