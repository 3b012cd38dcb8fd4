//! Idempotent requests: steps that `flow!(.., idempotent)` inserts before those of the flow. They answer a repeated request
//! with the response of the first, which the key-value store or the database of the service keeps. They perform ordinary
//! effects, so that replays know them.
//!
//! A client names a request with the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a quoted
//! string, or the bare text. The documentation has a guide.

mod claim;
mod kept_response;
mod kv_keys;
mod policy;
mod request_key;
mod scope;
mod sql_keys;
mod steps;

pub use kept_response::MAX_BODY;
pub(crate) use policy::PolicyReader;
pub use policy::{Policy, ReadPolicy};
pub use request_key::MAX_KEY_LEN;
pub use scope::{Anyone, BySlot, Scope};
pub use sql_keys::CREATE_TABLE;
pub use steps::{AnswerKnownKey, ClaimKey, IdempotencyKey};
