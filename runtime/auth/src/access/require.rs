//! The steps that check roles and capabilities.

use std::marker::PhantomData;

use zerver::engine::{IntoDecision, Step, StepDesc};
use zerver::prelude::*;

use super::names::AnyOf;
use super::principal::Principal;
use crate::challenge::insufficient_scope;
use crate::step_desc::read;

/// The step that fails with 403 unless the client `P` has the role `N`, or one of several:
/// `RequireRole<Viewer, Admin>`, `RequireRole<Viewer, (Admin, Support)>`.
#[derive(Debug)]
pub struct RequireRole<P, N>(PhantomData<(P, N)>);

impl<P: Principal, N: AnyOf> Step for RequireRole<P, N> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_role",
        doc: "Fails unless the client has a role.",
        file: file!(),
        line: line!(),
        reads: &[read::<P>()],
        writes: <Decision<()> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| {
            let principal = input.read::<P>(0);
            check("role", N::NAMES, |role| principal.has_role(role)).into_decision()
        },
    };
}

/// The step that fails with 403 unless the client `P` has the capability `N`, or one of several.
#[derive(Debug)]
pub struct RequireCapability<P, N>(PhantomData<(P, N)>);

impl<P: Principal, N: AnyOf> Step for RequireCapability<P, N> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_capability",
        doc: "Fails unless the client has a capability.",
        file: file!(),
        line: line!(),
        reads: &[read::<P>()],
        writes: <Decision<()> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| {
            let principal = input.read::<P>(0);
            check("capability", N::NAMES, |name| principal.has_capability(name)).into_decision()
        },
    };
}

fn check(what: &'static str, names: &[&str], has: impl Fn(&str) -> bool) -> Result<(), Failure> {
    if names.iter().any(|name| has(name)) {
        return Ok(());
    }
    let wanted = names.join(" or ");
    // A client can ask for one of them; a list of scopes would mean that it needs all.
    let scope = names.first().copied().unwrap_or_default();
    Err(insufficient_scope(what, scope, format_args!("this request needs the {what} {wanted}")))
}
