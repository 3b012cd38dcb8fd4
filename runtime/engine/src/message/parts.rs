//! Parts that requests and responses have in common, as a recorder sees them.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, Version};
use zerver_trace::MessagePart;

/// Passes the headers, and at most `body_limit` bytes of the body, to `visit`.
pub(crate) fn visit_headers_and_body(
    headers: &HeaderMap,
    body: &Bytes,
    body_limit: usize,
    visit: &mut dyn FnMut(MessagePart<'_>),
) {
    visit_headers(headers, visit);
    visit(MessagePart::Body(&body[..body.len().min(body_limit)], body.len() as u64));
}

/// Passes the headers to `visit`.
pub(crate) fn visit_headers(headers: &HeaderMap, visit: &mut dyn FnMut(MessagePart<'_>)) {
    for (name, value) in headers {
        visit(match value.is_sensitive() {
            true => MessagePart::SecretHeader(name.as_str(), value.as_bytes()),
            false => MessagePart::Header(name.as_str(), value.as_bytes()),
        });
    }
}

/// Visits the parts of a request that precede its headers: the method, the target, the version, and the client's address.
#[doc(hidden)]
pub fn visit_request_line(
    method: &Method,
    uri: &Uri,
    version: Version,
    peer: Option<SocketAddr>,
    visit: &mut dyn FnMut(MessagePart<'_>),
) {
    visit(MessagePart::Method(method.as_str()));
    visit(MessagePart::Target(uri.path_and_query().map_or("/", |target| target.as_str())));
    if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
        visit(MessagePart::Origin(scheme, authority.as_str()));
    }
    visit(MessagePart::Version(match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }));
    if let Some(peer) = peer {
        visit(MessagePart::Address(peer));
    }
}
