//! Effects: I/O as data. A step describes what it needs; whoever drives the job performs it.

mod alone;
mod call;
mod plan;
mod retry;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_trace::value::Encoder;
use zerver_trace::{EffectError, Value, ValueError};

use crate::Failure;

pub use alone::Alone;
pub use call::{Call, Performed};
pub(crate) use plan::{Calls, Gather, Plan};
pub use retry::Retry;

use plan::{All2, All3, All4, AndThen, Attempt, JoinAll, Leaf, Map, Ready, Retried};

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
        Value::of(self).map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    /// What came back, on one line: `200`, `found`.
    fn outcome(output: &Self::Output) -> String {
        Value::of(output).map_or_else(|error| error.to_string(), |value| value.to_string())
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
    /// Whatever may change the answer belongs to it. `Value::of(&(&self.name, &self.parameters)).ok()`
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
pub struct Effect<T>(Box<dyn Plan<T>>);

/// The effect that performs `kind` and gives its output.
pub fn effect<K: EffectKind>(kind: K) -> Effect<K::Output> {
    Effect::performing::<K>(Call::new(kind), |output: Result<&K::Output, EffectError>| {
        output.cloned().map_err(|error| Failure::from_effect(K::KIND, &error))
    })
}

impl<T: Send + 'static> Effect<T> {
    /// The effect that performs one call and makes `T` of how it ended. Where the call is tried again, `f` may be asked
    /// about each attempt.
    pub fn performing<K: EffectKind>(
        call: Call,
        f: impl Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send + 'static,
    ) -> Self {
        Self(Box::new(Leaf::<K, _>::new(call, f)))
    }

    /// The effect that does nothing and gives this.
    pub fn ready(value: T) -> Self {
        Self(Box::new(Ready(Some(Ok(value)))))
    }

    /// The effect that does nothing and fails.
    pub fn fail(failure: Failure) -> Self {
        Self(Box::new(Ready(Some(Err(failure)))))
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
        Effect(Box::new(Map::new(self.0, f)))
    }

    /// Performs another effect afterwards, which may depend on the output.
    pub fn and_then<U: Send + 'static>(self, f: impl FnOnce(T) -> Effect<U> + Send + 'static) -> Effect<U> {
        Effect(Box::new(AndThen::First(self.0, Some(f))))
    }

    /// Tries its calls again where they fail and that is worth it: each by itself, with the same arguments. What has
    /// succeeded is not asked for again, and a failure that `try_map` or the like makes of an output is final. Of two
    /// such words about one call the inner one counts.
    ///
    /// Each attempt is recorded. `http::get(url).json().retry(Retry::attempts(3))`
    pub fn retry(self, retry: Retry) -> Self {
        Self(Box::new(Retried { inner: self.0, retry }))
    }

    /// Gives the failure as a value instead of failing the request.
    pub fn attempt(self) -> Effect<Result<T, Failure>> {
        Effect(Box::new(Attempt(self.0)))
    }

    /// Gives none instead of failing the request.
    pub fn optional(self) -> Effect<Option<T>> {
        self.attempt().map(Result::ok)
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
        self.0.describe(f)?;
        f.write_str(")")
    }
}

/// Performs several effects at the same time; fails with the first failure, once all have ended.
pub fn all<A: All>(effects: A) -> Effect<A::Output> {
    effects.all()
}

/// Performs any number of effects of one type at the same time and gives their outputs in order.
pub fn join_all<T: Send + 'static>(effects: impl IntoIterator<Item = Effect<T>>) -> Effect<Vec<T>> {
    Effect(Box::new(JoinAll::new(effects.into_iter().map(|effect| effect.0))))
}

/// A tuple of effects.
pub trait All {
    /// The tuple of their outputs.
    type Output;
    /// Performs them at the same time.
    fn all(self) -> Effect<Self::Output>;
}

macro_rules! all {
    ($all:ident $($t:ident)+) => {
        #[allow(non_snake_case)]
        impl<$($t: Send + 'static),+> All for ($(Effect<$t>,)+) {
            type Output = ($($t,)+);

            fn all(self) -> Effect<Self::Output> {
                let ($($t,)+) = self;
                Effect(Box::new($all { $($t: ($t.0, None)),+ }))
            }
        }
    };
}

all!(All2 A B);
all!(All3 A B C);
all!(All4 A B C D);
