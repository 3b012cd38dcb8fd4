//! Effects and their combinators. They build programs; [`super::machine`] performs them.

use std::fmt;
use std::time::Duration;

use zerver_trace::EffectError;

use super::call::Call;
use super::call_op::TypedCallOp;
use super::call_scope::CallOption;
use super::hedge::Hedge;
use super::kind::EffectKind;
use super::machine::EffectMachine;
use super::program::{Op, Program, RequestEnd, Take, take};
use super::retry::Retry;
use crate::{Failure, StepOutput, Writes};

/// A description of I/O with an output of type `T`. It does nothing until a step returns it as
/// [`Need`](crate::Decision::Need).
///
/// Effects compose: one after another ([`and_then`](Self::and_then)), at the same time ([`all`](crate::all()),
/// [`join_all`](crate::join_all)), with retries and time limits. An effect can fail with a [`Failure`], which fails the
/// request unless [`attempt`](Self::attempt) or [`optional`](Self::optional) catches it.
///
/// ```
/// use std::time::Duration;
/// use zerver_engine::{Effect, Retry, all};
/// # use serde::{Deserialize, Serialize};
/// # use zerver_engine::{EffectKind, effect};
/// # #[derive(Serialize, Deserialize)]
/// # struct Load(String);
/// # impl EffectKind for Load {
/// #     const KIND: &'static str = "load";
/// #     type Output = Option<u64>;
/// # }
/// # fn load(key: &str) -> Effect<Option<u64>> { effect(Load(key.into())) }
///
/// let user = load("user:1").or_not_found("user", 1);
/// let settings = load("settings:1").optional().map(Option::flatten);
/// let both: Effect<(u64, Option<u64>)> =
///     all((user, settings)).retry(Retry::attempts(3)).deadline(Duration::from_secs(1));
/// ```
#[must_use = "an effect does nothing until a step returns it"]
pub struct Effect<T> {
    program: Program,
    take: Take<T>,
}

/// Creates the effect that performs one call and returns its output.
pub fn effect<K: EffectKind>(kind: K) -> Effect<K::Output> {
    Effect::from_call::<K>(Call::new(kind), |output: Result<&K::Output, EffectError>| {
        output.cloned().map_err(|error| Failure::from_effect(K::KIND, &error))
    })
}

impl<T: Send + 'static> Effect<T> {
    fn new(program: Program) -> Self {
        Self { program, take }
    }

    pub(super) fn from_op(op: Op) -> Self {
        Self::new(Program::from_op(op))
    }

    /// Creates the effect that performs one call and converts its result. If the call is retried, `convert` may run
    /// once for each attempt.
    pub fn from_call<K: EffectKind>(
        call: Call,
        convert: impl Fn(Result<&K::Output, EffectError>) -> Result<T, Failure> + Send + 'static,
    ) -> Self {
        Self::from_op(Op::Call(Box::new(TypedCallOp::<K, _>::new(call, convert))))
    }

    /// Creates an effect without I/O that returns a value.
    pub fn ready(value: T) -> Self {
        Self::new(Program::ready(Ok(value)))
    }

    /// Creates an effect without I/O that fails.
    pub fn fail(failure: Failure) -> Self {
        Self::new(Program::ready::<T>(Err(failure)))
    }

    /// Converts the output.
    pub fn map<U: Send + 'static>(self, f: impl FnOnce(T) -> U + Send + 'static) -> Effect<U> {
        self.try_map(move |value| Ok(f(value)))
    }

    /// Converts the output, or fails.
    pub fn try_map<U: Send + 'static>(
        self,
        f: impl FnOnce(T) -> Result<U, Failure> + Send + 'static,
    ) -> Effect<U> {
        Effect::new(
            self.program
                .then(move |output: Result<T, Failure>, resolver| resolver.resolve(output.and_then(f))),
        )
    }

    /// Performs another effect afterwards, which may depend on the output.
    pub fn and_then<U: Send + 'static>(self, f: impl FnOnce(T) -> Effect<U> + Send + 'static) -> Effect<U> {
        Effect::new(self.program.then(move |output: Result<T, Failure>, resolver| match output {
            Ok(output) => resolver.continue_with(f(output).program),
            Err(failure) => resolver.resolve::<U>(Err(failure)),
        }))
    }

    /// Retries its calls if they fail in a way that may be temporary, each call independently and with the same
    /// arguments. A call that has succeeded is not repeated, and a failure made from an output by `try_map` and the
    /// like is final. If `retry` is nested, the inner policy counts.
    ///
    /// Each attempt is recorded. Example: `http::get(url).json().retry(Retry::attempts(3))`.
    pub fn retry(self, retry: Retry) -> Self {
        Self::new(self.program.with_option(CallOption::Retry(retry)))
    }

    /// Limits the time of each of its calls; a call that takes longer fails with a timeout. Each attempt of a call has
    /// this time from its start. Pauses between attempts, and waits for a permit, are not included. If `timeout` is
    /// nested, the shorter time counts.
    ///
    /// Examples: `kv::get(key).timeout(Duration::from_millis(50))`, `all((a, b)).timeout(limit)`.
    pub fn timeout(self, limit: Duration) -> Self {
        Self::new(self.program.with_option(CallOption::Timeout(limit)))
    }

    /// Limits the time of the whole effect from its start, including all attempts, pauses and waits for a permit. Calls
    /// in flight then fail with a timeout, and so does each call that would follow. No attempt starts after the
    /// deadline. If `deadline` is nested, the earlier one counts. The deadline of the request always applies.
    ///
    /// Example: `load_a.and_then(|a| load_b(a)).retry(Retry::attempts(3)).deadline(Duration::from_secs(1))`.
    pub fn deadline(self, limit: Duration) -> Self {
        Self::new(self.program.with_option(CallOption::Deadline(limit)))
    }

    /// Registers an effect that undoes this one. `undo` creates it from the output, once this effect has succeeded.
    ///
    /// If the request fails later, for any reason, the undos of all effects that have succeeded are performed one after
    /// another, the latest first, before the response is sent. A request fails if a step or an effect fails and no
    /// recovery step answers with a success, if a step panics, if the deadline passes, and if the client leaves. The
    /// undos go on without the client, and have 30 seconds altogether ([`UNDO_GRACE`](crate::UNDO_GRACE)). Retries and
    /// time limits of this effect do not apply to `undo`, which sets its own. If it fails, the others are still performed,
    /// and the failure names the effect that is not undone.
    ///
    /// An effect that fails is not undone. If it may have been performed all the same, as after a timeout, let its
    /// failure be a value ([`attempt`](Self::attempt)), and make `undo` harmless if there is nothing to undo.
    ///
    /// Example: `charge(card, total).undo(|receipt| refund(receipt.id).retry(Retry::attempts(5)))`.
    pub fn undo<U: Send + 'static>(self, undo: impl FnOnce(&T) -> Effect<U> + Send + 'static) -> Self {
        Self::new(self.program.then(move |output: Result<T, Failure>, resolver| {
            if let Ok(output) = &output {
                resolver.register_undo(undo(output).map(|_| ()).into_writes());
            }
            resolver.resolve(output);
        }))
    }

    /// Registers an effect that follows once the response of the request is known, and before it is sent: after a
    /// success, and after a failure and all undos. A failure of that effect is only recorded. A request has at most one
    /// conclusion, the one that was registered last. It is part of the time for undos.
    pub fn conclude(self, conclude: impl FnOnce(&T, RequestEnd<'_>) -> Effect<()> + Send + 'static) -> Self
    where
        T: Clone + Sync,
    {
        Self::new(self.program.then(move |output: Result<T, Failure>, resolver| {
            if let Ok(output) = &output {
                let output = output.clone();
                resolver.register_conclusion(Box::new(move |end| conclude(&output, end).into_writes()));
            }
            resolver.resolve(output);
        }))
    }

    /// Performs another effect if this one fails. `fallback` gets the failure, and can fail with it again
    /// ([`Effect::fail`]) or return a value ([`Effect::ready`]).
    ///
    /// Example: `load_rates().or(|_| cached_rates())`.
    pub fn or(self, fallback: impl FnOnce(Failure) -> Effect<T> + Send + 'static) -> Self {
        Self::new(self.program.then(move |output: Result<T, Failure>, resolver| match output {
            Ok(output) => resolver.resolve(Ok(output)),
            Err(failure) => resolver.continue_with(fallback(failure).program),
        }))
    }

    /// Makes each of its calls a second time if no answer has come within the time of the policy. The first answer counts,
    /// and the other call is canceled. An error counts only if the other call has not begun, or has failed as well.
    ///
    /// Only safe calls are hedged ([`EffectKind::is_safe`]), such as a GET; others are made once. If `hedge` is nested, the
    /// inner policy counts. Both calls are recorded.
    ///
    /// Example: `http::get(url).json().hedge(Hedge::after(30.millis()))`.
    pub fn hedge(self, hedge: Hedge) -> Self {
        Self::new(self.program.with_option(CallOption::Hedge(hedge)))
    }

    /// Returns a failure as a value instead of failing the request.
    pub fn attempt(self) -> Effect<Result<T, Failure>> {
        Effect::new(self.program.then(|output: Result<T, Failure>, resolver| resolver.resolve(Ok(output))))
    }

    /// Replaces a failure, such as that of a violated constraint by one that names the field.
    pub fn map_failure(self, f: impl FnOnce(Failure) -> Failure + Send + 'static) -> Self {
        self.attempt().try_map(|result| result.map_err(f))
    }

    /// Returns an error of type `E` as a value instead of failing the request. Other failures fail it.
    ///
    /// `E` is the error type of an `#[effect]` function, or one that a failure carries for another reason
    /// ([`Failure::error`]).
    pub fn catch<E: std::error::Error + Clone + Send + 'static>(self) -> Effect<Result<T, E>> {
        self.attempt().try_map(|result| match result {
            Ok(value) => Ok(Ok(value)),
            Err(failure) => match failure.error::<E>() {
                Some(error) => Ok(Err(error.clone())),
                None => Err(failure),
            },
        })
    }

    /// Returns `None` on a failure instead of failing the request.
    pub fn optional(self) -> Effect<Option<T>> {
        self.attempt().map(Result::ok)
    }
}

impl<T> Effect<T> {
    /// Creates a machine that performs it. `next_call` is the number of its first call.
    #[inline(always)]
    pub(crate) fn into_machine(self, next_call: u32) -> EffectMachine<T> {
        EffectMachine::new(self.program, self.take, next_call)
    }

    pub(super) fn into_program(self) -> Program {
        self.program
    }
}

impl<S: StepOutput> Effect<S> {
    /// Erases the slots of the output. The conversion happens when the output is taken, without another operation, so
    /// nothing may be chained to the result.
    pub(crate) fn into_writes(self) -> Effect<Writes> {
        Effect { program: self.program, take: |value| Some(take::<S>(value)?.map(StepOutput::into_writes)) }
    }
}

impl<T: Send + 'static> Effect<Option<T>> {
    /// Fails with `not_found` if the output is `None`.
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
