//! Requests and responses as the recorder describes them, on its own thread.

use std::net::SocketAddr;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};
use zerver::engine::visit_request_line;
use zerver_trace::{Message, MessagePart};

use crate::body_prefix::BodyPrefix;

/// Header with the token of a client that may have its request recorded.
pub(crate) const RECORD_TOKEN: &str = "x-zerver-record";

/// A copy of headers that is cheaper than a second map. The values are shared.
pub(crate) type HeaderList = Vec<(HeaderName, HeaderValue)>;

pub(crate) fn header_list(headers: &HeaderMap) -> HeaderList {
    headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The head of a request.
#[derive(Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) headers: HeaderList,
}

impl RequestHead {
    pub(crate) fn visit(&self, visit: &mut dyn FnMut(MessagePart<'_>)) {
        visit_request_line(&self.method, &self.uri, self.version, self.peer, visit);
        visit_headers(&self.headers, visit);
    }
}

/// A response, and what followed it.
#[derive(Debug)]
pub(crate) struct RecordedResponse {
    pub(crate) status: u16,
    /// Headers, and the trailers behind them.
    pub(crate) headers: HeaderList,
    pub(crate) body: BodyPrefix,
}

impl Message for RecordedResponse {
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        visit(MessagePart::Status(self.status));
        visit_headers(&self.headers, visit);
        visit_body(&self.body, self.body.full_len, body_limit, visit);
    }

    fn buffered_bytes(&self) -> usize {
        self.body.bytes().len()
    }
}

fn visit_headers(headers: &HeaderList, visit: &mut dyn FnMut(MessagePart<'_>)) {
    for (name, value) in headers {
        let is_secret = value.is_sensitive() || name == RECORD_TOKEN;
        visit(match is_secret {
            true => MessagePart::SecretHeader(name.as_str(), value.as_bytes()),
            false => MessagePart::Header(name.as_str(), value.as_bytes()),
        });
    }
}

pub(crate) fn visit_body(
    body: &BodyPrefix,
    full_len: u64,
    body_limit: usize,
    visit: &mut dyn FnMut(MessagePart<'_>),
) {
    let bytes = body.bytes();
    visit(MessagePart::Body(&bytes[..bytes.len().min(body_limit)], full_len));
}
