//! What a step decides.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zerver_trace::{SharedValue, TypedValue};

use crate::{Effect, Failure, Response, Slots, Write, Writes};

/// What a step decides. `S` is what it writes, `P` the progress it hands to itself when it yields.
///
/// After [`Need`](Decision::Need) has completed the flow goes on with the *next* step: a step is never entered twice,
/// except by [`Yield`](Decision::Yield).
pub enum Decision<S, P = NoProgress> {
    /// Go on to the next step with these slots written.
    Continue(S),
    /// Perform this effect; its output is written, then the next step runs.
    Need(Effect<S>),
    /// Let others run, then enter this step again with this progress as its `Option<P>` parameter.
    Yield(P),
    /// Answer the request. No later step runs.
    Done(Response),
    /// Give up. No later step runs; the failure is rendered as the answer.
    Fail(Failure),
}

/// The progress of a step that never yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoProgress {}

/// What a step writes that never goes on: there is no value of it. A flow may end with a step that returns
/// `Decision<Ends, ..>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {}

impl Slots for Ends {
    const WRITES: &'static [Write] = &[];
    const ENDS: bool = true;

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

/// A decision whose types are forgotten: what [`crate::Job`] works with.
pub enum Decided {
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

impl Decided {
    /// As it is recorded.
    pub(crate) const fn decision(&self) -> zerver_trace::Decision {
        match self {
            Self::Continue(_) => zerver_trace::Decision::Continue,
            Self::Need(_) => zerver_trace::Decision::Need,
            Self::Yield(_) => zerver_trace::Decision::Yield,
            Self::Done(_) => zerver_trace::Decision::Done,
            Self::Fail(_) => zerver_trace::Decision::Fail,
        }
    }
}

#[diagnostic::on_unimplemented(
    message = "a step cannot return `{Self}`",
    label = "neither a decision nor a slot",
    note = "it returns a `Decision`, a `Response`, the slots it writes, or a `Result` of one of these with `Failure`",
    note = "what it writes derives `Slot`, `Serialize` and `Deserialize`; several slots go into a tuple",
    note = "one that asks for an effect returns `Decision<..>`, as `Need(effect)`"
)]
/// What a step may return: a [`Decision`], a `Result` with a [`Failure`], a [`Response`], or just what it writes.
pub trait IntoDecision {
    /// What the step writes.
    const WRITES: &'static [Write];
    /// Whether it never goes on to the next step, so that a flow may end with it.
    const ENDS: bool;
    /// Forgets the types.
    fn decide(self) -> Decided;
}

impl<S: Slots, P: Serialize + Send + Sync + 'static> IntoDecision for Decision<S, P> {
    const WRITES: &'static [Write] = S::WRITES;
    const ENDS: bool = S::ENDS;

    fn decide(self) -> Decided {
        match self {
            Self::Continue(slots) => Decided::Continue(slots.into_writes()),
            Self::Need(effect) => Decided::Need(effect.gather()),
            Self::Yield(progress) => Decided::Yield(Arc::new(TypedValue(progress))),
            Self::Done(response) => Decided::Done(response),
            Self::Fail(failure) => Decided::Fail(failure),
        }
    }
}

impl<D: IntoDecision> IntoDecision for Result<D, Failure> {
    const WRITES: &'static [Write] = D::WRITES;
    const ENDS: bool = D::ENDS;

    fn decide(self) -> Decided {
        match self {
            Ok(decision) => decision.decide(),
            Err(failure) => Decided::Fail(failure),
        }
    }
}

impl IntoDecision for Response {
    const WRITES: &'static [Write] = &[];
    const ENDS: bool = true;

    fn decide(self) -> Decided {
        Decided::Done(self)
    }
}

impl<S: Slots> IntoDecision for S {
    const WRITES: &'static [Write] = S::WRITES;
    const ENDS: bool = S::ENDS;

    fn decide(self) -> Decided {
        Decided::Continue(self.into_writes())
    }
}
