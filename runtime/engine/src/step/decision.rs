//! Decisions: what a step returns. The job acts on them; nothing here runs a step.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver_trace::{SharedValue, TypedValue};

use crate::effect::Effect;
use crate::failure::Failure;
use crate::message::Response;
use crate::slot::{StepOutput, WriteDesc, Writes};

/// Decision of a step about what happens next. `S` is what the step writes; `P` is the progress it keeps when it
/// yields.
///
/// The effect of [`Need`](Decision::Need) writes the slots, and then the flow goes on with the *next* step. A step runs
/// again only after [`Yield`](Decision::Yield).
///
/// A step that always takes the same path returns a plain type instead; see [`IntoDecision`].
///
/// ```
/// use zerver_engine::{Decision, Decision::Done, Decision::Yield, Final, Response, step};
///
/// /// Counts to a million, and lets other requests run in between.
/// #[step]
/// fn count(so_far: Option<u64>) -> Decision<Final, u64> {
///     let next = so_far.unwrap_or(0) + 1_000;
///     if next < 1_000_000 { Yield(next) } else { Done(Response::no_content()) }
/// }
///
/// assert!(matches!(count(None), Yield(1_000)));
/// ```
pub enum Decision<S, P = NoProgress> {
    /// Writes these slots and goes on with the next step.
    Continue(S),
    /// Performs this effect, writes its output, and goes on with the next step.
    Need(Effect<S>),
    /// Lets other requests run, then runs this step again with this progress as its `Option<P>` parameter.
    Yield(P),
    /// Ends the request with this response.
    Done(Response),
    /// Ends the request with this failure, which is rendered as a response.
    Fail(Failure),
}

/// Progress of a step that never yields. It has no values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoProgress {}

/// Output of a step that never goes on to the next step. It has no values.
///
/// A step that returns `Decision<Final, ..>` can be the last step of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {}

impl StepOutput for Final {
    const WRITES: &'static [WriteDesc] = &[];
    const IS_FINAL: bool = true;

    fn into_writes(self) -> Writes {
        match self {}
    }
}

impl<S: fmt::Debug, P: fmt::Debug> fmt::Debug for Decision<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Continue(slots) => f.debug_tuple("Continue").field(slots).finish(),
            Self::Need(effect) => f.debug_tuple("Need").field(effect).finish(),
            Self::Yield(progress) => f.debug_tuple("Yield").field(progress).finish(),
            Self::Done(response) => f.debug_tuple("Done").field(response).finish(),
            Self::Fail(failure) => f.debug_tuple("Fail").field(failure).finish(),
        }
    }
}

/// A [`Decision`] without its type parameters, as the job handles it.
pub enum ErasedDecision {
    /// See [`Decision::Continue`].
    Continue(Writes),
    /// See [`Decision::Need`].
    Need(Effect<Writes>),
    /// See [`Decision::Yield`].
    Yield(SharedValue),
    /// See [`Decision::Done`].
    Done(Response),
    /// See [`Decision::Fail`].
    Fail(Failure),
}

impl ErasedDecision {
    /// Returns the decision as it is recorded.
    pub(crate) const fn recorded(&self) -> zerver_trace::Decision {
        match self {
            Self::Continue(_) => zerver_trace::Decision::Continue,
            Self::Need(_) => zerver_trace::Decision::Need,
            Self::Yield(_) => zerver_trace::Decision::Yield,
            Self::Done(_) => zerver_trace::Decision::Done,
            Self::Fail(_) => zerver_trace::Decision::Fail,
        }
    }
}

impl fmt::Debug for ErasedDecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ErasedDecision").field(&self.recorded()).finish()
    }
}

#[diagnostic::on_unimplemented(
    message = "a step cannot return `{Self}`",
    label = "neither a decision nor a slot",
    note = "a step returns a `Decision`, a `Response`, the slots it writes, or a `Result` of one of these with `Failure`",
    note = "put `#[slot]` on the types that the step writes; return several slots as a tuple",
    note = "a step that needs an effect returns `Decision<..>`, as `Need(effect)`"
)]
/// Return type of a step: a [`Decision`], a [`Response`], the slots it writes, or a `Result` of one of these with
/// [`Failure`].
pub trait IntoDecision {
    /// Slots that the step writes.
    const WRITES: &'static [WriteDesc];
    /// True if the step never goes on to the next step, so that a flow may end with it.
    const IS_FINAL: bool;
    /// Erases the type parameters.
    fn into_decision(self) -> ErasedDecision;
}

impl<S: StepOutput, P: Serialize + Send + Sync + 'static> IntoDecision for Decision<S, P> {
    const WRITES: &'static [WriteDesc] = S::WRITES;
    const IS_FINAL: bool = S::IS_FINAL;

    fn into_decision(self) -> ErasedDecision {
        match self {
            Self::Continue(slots) => ErasedDecision::Continue(slots.into_writes()),
            Self::Need(effect) => ErasedDecision::Need(effect.into_writes()),
            Self::Yield(progress) => ErasedDecision::Yield(Arc::new(TypedValue(progress))),
            Self::Done(response) => ErasedDecision::Done(response),
            Self::Fail(failure) => ErasedDecision::Fail(failure),
        }
    }
}

impl<D: IntoDecision> IntoDecision for Result<D, Failure> {
    const WRITES: &'static [WriteDesc] = D::WRITES;
    const IS_FINAL: bool = D::IS_FINAL;

    fn into_decision(self) -> ErasedDecision {
        match self {
            Ok(decision) => decision.into_decision(),
            Err(failure) => ErasedDecision::Fail(failure),
        }
    }
}

impl IntoDecision for Response {
    const WRITES: &'static [WriteDesc] = &[];
    const IS_FINAL: bool = true;

    fn into_decision(self) -> ErasedDecision {
        ErasedDecision::Done(self)
    }
}

impl<S: StepOutput> IntoDecision for S {
    const WRITES: &'static [WriteDesc] = S::WRITES;
    const IS_FINAL: bool = S::IS_FINAL;

    fn into_decision(self) -> ErasedDecision {
        ErasedDecision::Continue(self.into_writes())
    }
}
