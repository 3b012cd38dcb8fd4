//! Answers.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use zerver_trace::{Message, MessagePart};

use crate::Failure;
use crate::request::tell_rest;

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers. Length, date and request id are set when it is sent.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An empty answer with this status.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// 200 with this value as JSON; 500 if it does not serialise, which only maps with odd keys and a failing
    /// `Serialize` bring about.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::with_body(HeaderValue::from_static("application/json"), body.into()),
            Err(error) => Failure::internal("response").because(&error).to_response(),
        }
    }

    /// 200 with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::with_body(HeaderValue::from_static("text/plain; charset=utf-8"), text.into().into())
    }

    /// 204.
    pub fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT)
    }

    fn with_body(content_type: HeaderValue, body: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, content_type);
        Self { status: StatusCode::OK, headers, body }
    }

    /// The same with another status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with this header set. A name or value that HTTP does not allow is left out: it may come from a client,
    /// and must neither split the answer nor fail it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Message for Response {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        to(MessagePart::Status(self.status.as_u16()));
        tell_rest(&self.headers, &self.body, body_limit, to);
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}
