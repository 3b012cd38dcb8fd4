//! The private part: todos for authenticated users.

use zerver::effects::kv;
use zerver::prelude::*;

use crate::auth::{Claims, RateLimit};
use crate::model::{Todo, TodoId};
use crate::public::{NewTodo, created, new_todo};

/// Key that the client chose, so that it can send the request twice.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct IdempotencyKey(String);

/// The todo that belongs to the key; `first` if this request was the first to use it.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    todo: Todo,
    first: bool,
}

#[step]
pub fn render_for_user(todo: &Todo, limit: &RateLimit, request: &Request) -> Response {
    Response::json(&todo.view(request)).header("x-ratelimit-used", &limit.used.to_string())
}

#[step]
pub fn require_writer(claims: &Claims) -> Result<(), Failure> {
    let may = claims.roles.iter().any(|role| role == "writer" || role == "admin");
    if may {
        Ok(())
    } else {
        Err(Failure::forbidden("user").key(&claims.sub).message("needs the role writer"))
    }
}

#[step]
pub fn parse_idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Failure> {
    match request.header("idempotency-key") {
        None => Ok(None),
        Some(key) if (1..=200).contains(&key.len()) => Ok(Some(IdempotencyKey(key.to_owned()))),
        Some(_) => Err(Failure::invalid("idempotency-key").message("1 to 200 characters")),
    }
}

/// Claims the key for this todo, or loads the todo that has claimed it before.
#[step]
pub fn claim_key(
    key: Option<&IdempotencyKey>,
    claims: &Claims,
    id: &TodoId,
    new: &NewTodo,
) -> Decision<Claim> {
    let todo = new_todo(*id, new);
    let Some(key) = key else { return Continue(Claim { todo, first: true }) };
    let key = ("idempotency", claims.sub.as_str(), key.0.as_str());
    let claim = kv::expires_in(24.hours()).put_if_absent(key, todo.clone());
    Need(claim.map(|put| match put.existing() {
        Some(earlier) => Claim { todo: earlier, first: false },
        None => Claim { todo, first: true },
    }))
}

/// Storing the todo again does no harm, and completes a request that ended after its claim.
#[step]
pub fn make_once(claim: &Claim) -> Todo {
    claim.todo.clone()
}

#[step]
pub fn render_once(claim: &Claim, request: &Request) -> Response {
    let response = created(&claim.todo, request);
    if claim.first { response } else { response.header("idempotent-replayed", "true") }
}
