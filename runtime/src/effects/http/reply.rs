//! The reply to a request.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zerver_engine::Failure;

use super::header::Header;
use super::recorded_body;

/// The reply to a request. A clone shares the headers and the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, in order.
    pub headers: Arc<[Header]>,
    /// Body.
    #[serde(with = "recorded_body")]
    pub body: Bytes,
}

impl Reply {
    /// Creates a reply without headers and body, for tests.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Arc::new([]), body: Bytes::new() }
    }

    /// Creates a 200 reply with this value as JSON, for tests.
    ///
    /// # Errors
    /// The error of the value's `Serialize`.
    pub fn from_json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let headers = Arc::new([Header::new("content-type", "application/json")]);
        Ok(Self { status: 200, headers, body: serde_json::to_vec(value)?.into() })
    }

    /// Returns true if the status is 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// Returns the first header with this name, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        str::from_utf8(&header.value).ok()
    }

    /// Parses the body as JSON.
    ///
    /// # Errors
    /// `bad_upstream` if the body is not JSON for a `T`. Its cause contains the position and the reason.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        self.parse_json("a reply")
    }

    /// Returns the body as text.
    ///
    /// # Errors
    /// `bad_upstream` if the body is not UTF-8.
    pub fn text(&self) -> Result<String, Failure> {
        self.parse_text("a reply")
    }

    pub(super) fn check_success(&self, target: &str) -> Result<(), Failure> {
        if self.is_success() {
            return Ok(());
        }
        Err(bad_reply(format!("{target}: answered {}", self.status)))
    }

    pub(super) fn parse_json<T: DeserializeOwned>(&self, target: &str) -> Result<T, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|error| bad_reply(format!("{target}: malformed: not the JSON expected: {error}")))
    }

    pub(super) fn parse_text(&self, target: &str) -> Result<String, Failure> {
        match str::from_utf8(&self.body) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(bad_reply(format!("{target}: malformed: not text: {error}"))),
        }
    }
}

/// The cause of a `bad_upstream` failure. It is recorded, but not shown to the client.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BadReply(String);

fn bad_reply(reason: String) -> Failure {
    Failure::bad_upstream("http").because(&BadReply(reason))
}
