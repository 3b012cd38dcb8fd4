//! The steps of an idempotent flow.

use std::any::TypeId;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Continue, Done, Need};
use zerver_engine::{
    Decision, Effect, Failure, FailureKind, InputDesc, InputPart, IntoDecision, ReadDesc, Request,
    RequestEnd, Response, Shape, ShapeField, ShapeFormat, Slot, SlotDesc, Step, StepDesc, StepInput,
};

use super::claim::{self, Claim, KeyUse};
use super::policy;
use super::request_key::{HEADER, fingerprint, key};
use super::scope::Scope;

/// The key of a request, and what the store knew about it. A slot of every idempotent flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey(Claim);

impl Slot for IdempotencyKey {
    const DESC: SlotDesc = SlotDesc {
        name: "IdempotencyKey",
        path: "zerver::idempotency::IdempotencyKey",
        is_secret: false,
        is_indexed: false,
        is_builtin: false,
        type_id: TypeId::of::<Self>,
    };
}

const REQUIRED_KEY: InputDesc = InputDesc { part: InputPart::Headers, shape: || key_shape(true) };
const OPTIONAL_KEY: InputDesc = InputDesc { part: InputPart::Headers, shape: || key_shape(false) };

fn key_shape(is_required: bool) -> Shape {
    let shape = Shape::Text(ShapeFormat::Plain);
    let field = ShapeField { name: "idempotency_key".to_owned(), shape, is_required };
    Shape::Struct { name: "IdempotencyHeaders".to_owned(), fields: vec![field] }
}

/// The step that claims the key of the request, and reads what is known about it.
#[derive(Debug)]
pub struct ClaimKey<S, const REQUIRED: bool>(PhantomData<S>);

impl<S: Scope, const REQUIRED: bool> Step for ClaimKey<S, REQUIRED> {
    const DESC: StepDesc = StepDesc {
        name: "claim_idempotency_key",
        doc: "Claims the key of the request, and reads what is known about it.",
        file: file!(),
        line: line!(),
        reads: S::READS,
        writes: <Decision<IdempotencyKey> as IntoDecision>::WRITES,
        inputs: if REQUIRED { &[Some(REQUIRED_KEY)] } else { &[Some(OPTIONAL_KEY)] },
        is_final: false,
        protects: false,
        run: |input| claim_key(input, S::owner, REQUIRED).into_decision(),
    };
}

/// The step that answers a request whose key is known.
#[derive(Debug)]
pub enum AnswerKnownKey {}

impl Step for AnswerKnownKey {
    const DESC: StepDesc = StepDesc {
        name: "answer_known_key",
        doc: "Answers a request whose idempotency key is known.",
        file: file!(),
        line: line!(),
        reads: &[ReadDesc { slot: IdempotencyKey::DESC, is_optional: false }],
        writes: <Decision<()> as IntoDecision>::WRITES,
        inputs: &[],
        is_final: false,
        protects: false,
        run: |input| answer(input.read::<IdempotencyKey>(0)).into_decision(),
    };
}

fn claim_key(
    input: &StepInput<'_>,
    owner: fn(&StepInput<'_>) -> Result<String, Failure>,
    is_required: bool,
) -> Result<Decision<IdempotencyKey>, Failure> {
    let request = input.read::<Request>(0);
    let Some(key) = key(request)? else {
        return match is_required {
            true => Err(Failure::invalid(HEADER).message("this request needs the header Idempotency-Key")),
            false => Ok(Continue(IdempotencyKey(Claim::NoKey))),
        };
    };
    let used = KeyUse { owner: owner(input)?, key, fingerprint: fingerprint(request) };
    Ok(Need(policy::read().and_then(move |policy| {
        claim::claim(&policy, &used).and_then(move |claimed| {
            let is_new = claimed == Claim::New;
            let claimed = Effect::ready(IdempotencyKey(claimed));
            match is_new {
                true => claimed.conclude(move |_, end| claim::conclude(&policy, &used, kept_response(end))),
                false => claimed,
            }
        })
    })))
}

fn answer(key: &IdempotencyKey) -> Result<Decision<()>, Failure> {
    match &key.0 {
        Claim::NoKey | Claim::New => Ok(Continue(())),
        Claim::OtherRequest => {
            Err(Failure::unprocessable(HEADER).message("this key was used with another request"))
        }
        Claim::Running => Err(Failure::new(FailureKind::Conflict, HEADER)
            .message("the first request with this key is still running")
            .retry_after(1)),
        Claim::Known(kept) => Ok(Done(kept.response()?)),
    }
}

/// Returns the response of the first request, if it is to be kept. A server error is not, so that the client can try
/// again, unless the request left something behind that it should have undone.
fn kept_response(end: RequestEnd<'_>) -> Option<&Response> {
    end.response.filter(|response| end.is_not_undone || response.status.as_u16() < 500)
}
