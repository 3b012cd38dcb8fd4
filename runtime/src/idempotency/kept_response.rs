//! Responses that are kept for requests that are repeated.

use ::http::StatusCode;
use serde::{Deserialize, Serialize};
use zerver_engine::{Failure, FailureKind, Response};

use super::request_key::HEADER;

/// Maximum length of a body that is kept.
pub const MAX_BODY: usize = 1 << 20;

/// Header of a response that was kept.
const REPLAYED: &str = "idempotency-replayed";

/// Headers that are not kept: they belong to the first client, or to one message.
const NOT_KEPT: [&str; 5] = ["set-cookie", "date", "connection", "transfer-encoding", "content-length"];

/// A response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    /// `None` if the body was too long, or streamed.
    body: Option<Body>,
}

/// A body, as text if it is one, so that it can be read in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Body {
    Text(String),
    Bytes(Vec<u8>),
}

impl Kept {
    pub(super) fn new(response: &Response) -> Self {
        let headers = response.headers.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
        let header = |(name, value): (&::http::HeaderName, &::http::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let is_kept = response.stream.is_none() && response.body.len() <= MAX_BODY;
        let body = is_kept.then(|| match str::from_utf8(&response.body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Bytes(response.body.to_vec()),
        });
        Self { status: response.status.as_u16(), headers: headers.filter_map(header).collect(), body }
    }

    pub(super) fn response(&self) -> Result<Response, Failure> {
        let Some(body) = &self.body else {
            let message = "the first request with this key has ended, but its response was streamed or too long, so that it was not kept";
            return Err(Failure::new(FailureKind::Conflict, HEADER).message(message));
        };
        let status = StatusCode::from_u16(self.status);
        let mut response = Response::new(status.map_err(|error| Failure::internal(HEADER).because(&error))?);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body = match body {
            Body::Text(text) => text.clone().into(),
            Body::Bytes(bytes) => bytes.clone().into(),
        };
        Ok(response.header(REPLAYED, "true"))
    }
}
