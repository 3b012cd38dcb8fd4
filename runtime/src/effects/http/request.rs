//! A request to another service, as data.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::header::Header;
use super::recorded_body;

/// A request to another service: the effect of kind `http`.
///
/// The trace contains the request with its headers. The recorder seals the headers that contain credentials.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Method.
    pub method: String,
    /// URL, with its query.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<Header>,
    /// Body; empty if there is none.
    #[serde(with = "recorded_body")]
    pub body: Bytes,
    /// Maximum length of the reply's body, in bytes. `None` applies the limit of the client.
    pub body_limit: Option<u64>,
    /// True to send an `idempotency-key` that is the same in all attempts; see
    /// [`RequestBuilder::idempotent`](super::RequestBuilder::idempotent).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
}
