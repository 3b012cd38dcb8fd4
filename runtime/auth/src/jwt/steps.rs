//! The steps that write the claims of a token into a slot.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use zerver::engine::{IntoDecision, Step, StepDesc, StepInput};
use zerver::prelude::*;

use super::key_set;
use super::verification::{KeySource, TokenProblem, Verdict, Verify};
use crate::bearer_header::{required_token, token};
use crate::challenge::invalid_token;
use crate::step_desc::{ARRIVAL, REQUEST};

/// Name of the verifier that is registered as an interpreter by itself.
pub(super) const DEFAULT_REALM: &str = "default";

/// A slot whose value is the claims of a JSON Web Token. Claims that the type does not have are ignored.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_auth::{JwtClaims, RequireJwt};
///
/// #[slot]
/// #[derive(Debug, Clone)]
/// struct Viewer { sub: String }
///
/// impl JwtClaims for Viewer {}
///
/// const SIGNED_IN: Chain = chain![RequireJwt<Viewer>];
///
/// #[step]
/// fn show(viewer: &Viewer) -> Response {
///     Response::text(&viewer.sub)
/// }
///
/// let flow = flow!("account", GET "/account", before: SIGNED_IN, steps: [show]);
/// assert_eq!(flow.protected_by(), Some("require_jwt"));
/// ```
///
/// The claims are also part of the recorded answer of the verifier. If the slot is secret, they are sealed there as well.
pub trait JwtClaims: Slot + Serialize + DeserializeOwned {
    /// Name of the verifier, if a service has several ([`Verifiers`](crate::Verifiers)).
    const REALM: &'static str = DEFAULT_REALM;
}

/// The step that verifies the bearer token of the request, and writes its claims. It fails with 401 without a valid token.
#[derive(Debug)]
pub struct RequireJwt<S>(PhantomData<S>);

impl<S: JwtClaims> Step for RequireJwt<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_jwt",
        doc: "Verifies the JSON Web Token of the request, and writes its claims.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST, ARRIVAL],
        writes: <Decision<S> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| require::<S>(input).into_decision(),
    };
}

/// The step that verifies the bearer token of the request, if it has one. A token that is there must be valid, because a
/// client whose token has expired should learn of it.
#[derive(Debug)]
pub struct JwtIfAny<S>(PhantomData<S>);

impl<S: JwtClaims> Step for JwtIfAny<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "jwt_if_any",
        doc: "Verifies the JSON Web Token of the request, if it has one.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST, ARRIVAL],
        writes: <Decision<Option<S>> as IntoDecision>::WRITES,
        is_final: false,
        protects: false,
        run: |input| accept::<S>(input).into_decision(),
    };
}

fn require<S: JwtClaims>(input: &StepInput<'_>) -> Result<Decision<S>, Failure> {
    required_token(input.read::<Request>(0)).map(|token| Need(jwt_claims(token, *input.read(1))))
}

fn accept<S: JwtClaims>(input: &StepInput<'_>) -> Result<Decision<Option<S>>, Failure> {
    Ok(match token(input.read::<Request>(0))? {
        Some(token) => Need(jwt_claims(token, *input.read(1)).map(Some)),
        None => Continue(None),
    })
}

/// Returns the effect that verifies a token, for steps that find it elsewhere than in the header `Authorization`. Its output is
/// the claims; a token that is not valid is a failure with status 401.
pub fn jwt_claims<S: JwtClaims>(token: &str, arrival: ArrivalTime) -> Effect<S> {
    let verify = Verify {
        realm: Cow::Borrowed(S::REALM),
        token: token.to_owned(),
        now_s: arrival.unix_s(),
        keys: KeySource::Configured,
        is_secret: S::DESC.is_secret,
    };
    effect(verify.clone()).and_then(move |verdict| match verdict {
        Verdict::AskIssuer { url, kid, algorithm, keep_s } => {
            let Ok(algorithm) = algorithm.parse() else {
                return claims(Verdict::Invalid(TokenProblem::Algorithm));
            };
            let found = key_set::find(url, kid, algorithm, Duration::from_secs(keep_s));
            found.and_then(move |key| {
                let keys = key.map_or(KeySource::Unpublished, |key| KeySource::Published(Box::new(key)));
                effect(Verify { keys, ..verify }).and_then(claims)
            })
        }
        verdict => claims(verdict),
    })
}

/// Converts the claims of a valid token into the slot.
fn claims<S: JwtClaims>(verdict: Verdict) -> Effect<S> {
    match verdict {
        Verdict::Valid { claims } | Verdict::ValidSecret { secret: claims } => {
            match serde_json::from_value(Json::Object(claims)) {
                Ok(slot) => Effect::ready(slot),
                Err(error) => Effect::fail(
                    invalid_token("the token lacks claims that this service needs").because(&error),
                ),
            }
        }
        Verdict::Invalid(problem) => Effect::fail(invalid_token(problem.text())),
        Verdict::AskIssuer { .. } => Effect::fail(invalid_token(TokenProblem::UnknownKey.text())),
    }
}
