//! Opaque bearer tokens, which a service looks up with an effect.

use std::marker::PhantomData;

use zerver::engine::{IntoDecision, Step, StepDesc, StepInput};
use zerver::prelude::*;

use crate::bearer_header::{required_token, token};
use crate::challenge::invalid_token;
use crate::step_desc::REQUEST;

/// A slot whose value a service looks up by an opaque bearer token: a session, a user, a machine.
pub trait BearerToken: Slot + Serialize + serde::de::DeserializeOwned {
    /// Returns the effect that looks up a token. `None` means that there is no such token, or no longer.
    ///
    /// Look up a hash of the token rather than the token itself, so that a copy of the table is of no use.
    fn look_up(token: &str) -> Effect<Option<Self>>;
}

/// The step that looks up the bearer token of the request. It fails with 401 without a valid one.
#[derive(Debug)]
pub struct RequireBearer<S>(PhantomData<S>);

impl<S: BearerToken> Step for RequireBearer<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_bearer",
        doc: "Looks up the bearer token of the request, which must be valid.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST],
        writes: <Decision<S> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| require::<S>(input).into_decision(),
    };
}

/// The step that looks up the bearer token of the request, if it has one. A token that is there must be valid.
#[derive(Debug)]
pub struct BearerIfAny<S>(PhantomData<S>);

impl<S: BearerToken> Step for BearerIfAny<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "bearer_if_any",
        doc: "Looks up the bearer token of the request, if it has one.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST],
        writes: <Decision<Option<S>> as IntoDecision>::WRITES,
        is_final: false,
        protects: false,
        run: |input| accept::<S>(input).into_decision(),
    };
}

fn require<S: BearerToken>(input: &StepInput<'_>) -> Result<Decision<S>, Failure> {
    required_token(input.read::<Request>(0)).map(|token| Need(valid(token)))
}

fn accept<S: BearerToken>(input: &StepInput<'_>) -> Result<Decision<Option<S>>, Failure> {
    Ok(match token(input.read::<Request>(0))? {
        Some(token) => Need(valid(token).map(Some)),
        None => Continue(None),
    })
}

fn valid<S: BearerToken>(token: &str) -> Effect<S> {
    S::look_up(token).try_map(|found| found.ok_or_else(|| invalid_token("the token is not valid")))
}
