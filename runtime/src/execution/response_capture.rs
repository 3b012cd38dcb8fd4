//! A copy of a response for its capture, made while the response itself is being sent. It is cheaper than a second header
//! map.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;
use zerver_engine::Response;
use zerver_trace::{Message, MessagePart};

pub(crate) struct CapturedResponse {
    status: u16,
    headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    body: Bytes,
}

impl CapturedResponse {
    pub(crate) fn new(response: &Response) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        Self {
            status: response.status.as_u16(),
            headers: response.headers.iter().map(header).collect(),
            body: response.body.clone(),
        }
    }
}

impl Message for CapturedResponse {
    fn visit_parts(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        to(MessagePart::Status(self.status));
        for (name, value) in &self.headers {
            to(match value.is_sensitive() {
                true => MessagePart::SecretHeader(name.as_str(), value.as_bytes()),
                false => MessagePart::Header(name.as_str(), value.as_bytes()),
            });
        }
        to(MessagePart::Body(&self.body[..self.body.len().min(body_limit)], self.body.len() as u64));
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}
