//! Parts that requests and responses have in common, as a recorder sees them.

use bytes::Bytes;
use http::HeaderMap;
use zerver_trace::MessagePart;

/// Passes the headers, and at most `body_limit` bytes of the body, to `visit`.
pub(crate) fn visit_headers_and_body(
    headers: &HeaderMap,
    body: &Bytes,
    body_limit: usize,
    visit: &mut dyn FnMut(MessagePart<'_>),
) {
    for (name, value) in headers {
        visit(match value.is_sensitive() {
            true => MessagePart::SecretHeader(name.as_str(), value.as_bytes()),
            false => MessagePart::Header(name.as_str(), value.as_bytes()),
        });
    }
    visit(MessagePart::Body(&body[..body.len().min(body_limit)], body.len() as u64));
}
