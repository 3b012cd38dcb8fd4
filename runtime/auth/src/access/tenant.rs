//! The step that checks the tenant.

use std::marker::PhantomData;

use zerver::engine::{IntoDecision, Step, StepDesc, StepInput};
use zerver::prelude::*;

use super::names::Named;
use super::principal::Principal;
use crate::step_desc::{REQUEST, read};

/// The tenant whose data the request is about, and to which its client belongs. A step that takes it cannot be in a flow
/// that does not check it.
#[slot]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant(pub String);

/// The step that fails with 403 unless the path parameter `N` is the tenant of the client `P`. It writes [`Tenant`].
#[derive(Debug)]
pub struct RequireTenant<P, N>(PhantomData<(P, N)>);

impl<P: Principal, N: Named> Step for RequireTenant<P, N> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_tenant",
        doc: "Fails unless the client belongs to the tenant in the path.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST, read::<P>()],
        writes: <Decision<Tenant> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| require::<P>(input, N::NAME).into_decision(),
    };
}

fn require<P: Principal>(input: &StepInput<'_>, parameter: &'static str) -> Result<Tenant, Failure> {
    let Some(wanted) = input.read::<Request>(0).param_str(parameter) else {
        let message = format!("the route has no parameter {parameter}, which require_tenant reads");
        return Err(Failure::internal("tenant").because(&MissingParameter(message)));
    };
    match input.read::<P>(1).tenant() {
        // The same answer whether the tenant exists or not.
        Some(own) if own == wanted => Ok(Tenant(own.to_owned())),
        _ => Err(Failure::forbidden("tenant").message("the client does not belong to this tenant")),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct MissingParameter(String);
