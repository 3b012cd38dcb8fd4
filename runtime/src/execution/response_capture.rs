//! A copy of a response for its capture, made while the response itself is being sent. It is cheaper than a second header
//! map.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;
use zerver_engine::Response;
use zerver_trace::{Message, MessagePart};

use crate::effects::stream::StreamOutput;

pub(crate) struct CapturedResponse {
    status: u16,
    headers: SmallVec<[(HeaderName, HeaderValue); 2]>,
    body: Bytes,
    /// Length of the body. Of a streamed one, `body` is the beginning.
    length: u64,
}

impl CapturedResponse {
    /// Creates the copy. The body of a streamed response is what was sent to `streamed_to`.
    pub(crate) fn new(response: &Response, streamed_to: Option<&StreamOutput>) -> Self {
        let header = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        let (body, length) = match streamed_to {
            None => (response.body.clone(), response.body.len() as u64),
            Some(output) => output.take_recorded(),
        };
        Self {
            status: response.status.as_u16(),
            headers: response.headers.iter().map(header).collect(),
            body,
            length,
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
        to(MessagePart::Body(&self.body[..self.body.len().min(body_limit)], self.length));
    }

    fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}
