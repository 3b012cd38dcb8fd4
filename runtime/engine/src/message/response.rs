//! Responses as steps make them. The shell of the runtime sends them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use zerver_trace::{Message, MessagePart};

use super::parts::visit_headers_and_body;
use crate::failure::Failure;
use crate::stream::{ResponseStream, WebSocketSession};

/// An HTTP response, with its whole body or the description of a stream.
///
/// ```
/// use zerver_engine::Response;
///
/// let response = Response::text("gone").status(http::StatusCode::GONE).header("cache-control", "no-store");
/// assert_eq!(response.status, 410);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status.
    pub status: StatusCode,
    /// Headers. Length, date and request id are added when the response is sent.
    pub headers: HeaderMap,
    /// Body. Empty if it is streamed.
    pub body: Bytes,
    /// The effect that makes the body while it is sent, if it is [streamed](Self::stream).
    pub stream: Option<Box<ResponseStream>>,
}

impl Response {
    /// Creates a response with this status and no body.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), stream: None }
    }

    /// Creates a 200 response with this value as JSON, or a 500 response if the value does not serialize. That happens
    /// only for maps with keys that are not strings or numbers, and if a `Serialize` implementation fails.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self::with_body(HeaderValue::from_static("application/json"), body.into()),
            Err(error) => Failure::internal("response").because(&error).to_response(),
        }
    }

    /// Creates a 200 response with this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::with_body(HeaderValue::from_static("text/plain; charset=utf-8"), text.into().into())
    }

    /// Creates a 200 response whose body an effect makes while it is sent. Its `Content-Type` is that of the items.
    ///
    /// Everything that is known beforehand is decided in steps: the status, the headers, and whether there is a response at all.
    /// Once the head is sent, a failure of the stream can only cut the body off; the trace says where.
    pub fn stream(stream: ResponseStream) -> Self {
        let format = stream.format();
        let mut response = Self::with_body(HeaderValue::from_static(format.content_type), Bytes::new());
        if format.is_endless {
            // nginx would collect the events of a stream.
            response = response.header("cache-control", "no-store").header("x-accel-buffering", "no");
        }
        response.stream = Some(Box::new(stream));
        response
    }

    /// Creates a 101 response: the connection becomes a WebSocket, and the session begins.
    ///
    /// A request that does not ask for a WebSocket gets 426 instead, an invalid one 400, and one that a page of another site makes a
    /// browser send 403; see [`WebSocketSession::origin`]. The steps before have run by then.
    pub fn websocket(session: WebSocketSession) -> Self {
        let stream = Some(Box::new(session.into_stream()));
        let response = Self { stream, ..Self::new(StatusCode::SWITCHING_PROTOCOLS) };
        response.header("upgrade", "websocket").header("connection", "upgrade")
    }

    /// Creates a 303 response: the client gets the result of a form at another address.
    pub fn see_other(location: &str) -> Self {
        Self::new(StatusCode::SEE_OTHER).header("location", location)
    }

    /// Creates a 307 response: the client repeats this request at another address, this time.
    pub fn redirect(location: &str) -> Self {
        Self::new(StatusCode::TEMPORARY_REDIRECT).header("location", location)
    }

    /// Creates a 308 response: the client repeats this request at another address, from now on.
    pub fn moved(location: &str) -> Self {
        Self::new(StatusCode::PERMANENT_REDIRECT).header("location", location)
    }

    /// Creates a 204 response.
    pub fn no_content() -> Self {
        Self::new(StatusCode::NO_CONTENT)
    }

    fn with_body(content_type: HeaderValue, body: Bytes) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, content_type);
        Self { status: StatusCode::OK, headers, body, stream: None }
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Sets a header. A name or value that HTTP does not allow is ignored: it may come from a client, and must neither
    /// split the response nor fail the request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            self.headers.insert(name, value);
        }
        self
    }
}

impl Message for Response {
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        visit(MessagePart::Status(self.status.as_u16()));
        visit_headers_and_body(&self.headers, &self.body, body_limit, visit);
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}
