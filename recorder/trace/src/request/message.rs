//! Recorded requests and responses.

use std::net::SocketAddr;

use bincode::{Decode, Encode};

/// A header or trailer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Header<V = Vec<u8>> {
    /// Name, in lower case.
    pub name: String,
    /// Value.
    pub value: V,
}

/// A body, possibly truncated.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// First bytes of the body.
    pub bytes: Vec<u8>,
    /// Length of the complete body in bytes, which exceeds that of `bytes` if the body was cut.
    pub full_len: u64,
}

impl Body {
    /// Returns true if the record holds only a part of the body.
    pub const fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.full_len
    }
}

/// A request, before anything in it is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// Method.
    pub method: String,
    /// Path and query, exactly as received.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Address and port of the client; empty if there was no socket.
    pub peer: String,
    /// Headers in order.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Body,
    /// Scheme and authority of the target, as `http://host:port`; empty if the target is only a path.
    pub origin: String,
}

/// A response, before anything in it is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseInfo {
    /// Status code.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<Header>,
    /// Body.
    pub body: Body,
}

/// Description of a [`Message`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageInfo {
    /// A request.
    Request(RequestInfo),
    /// A response.
    Response(ResponseInfo),
}

/// A part of a request or response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessagePart<'a> {
    /// [`RequestInfo::method`].
    Method(&'a str),
    /// [`RequestInfo::target`].
    Target(&'a str),
    /// [`RequestInfo::version`].
    Version(&'a str),
    /// [`RequestInfo::peer`].
    Peer(&'a str),
    /// [`RequestInfo::peer`], not formatted yet.
    Address(SocketAddr),
    /// [`ResponseInfo::status`]; only responses have one.
    Status(u16),
    /// A header: name in lower case, and value.
    Header(&'a str, &'a [u8]),
    /// A header whose value is a secret regardless of its name.
    SecretHeader(&'a str, &'a [u8]),
    /// The body: its first bytes, and its complete length.
    Body(&'a [u8], u64),
    /// [`RequestInfo::origin`] as scheme and authority; left out if empty.
    Origin(&'a str, &'a str),
}

/// A live request or response. It is described only when it is recorded, on the recorder's thread.
pub trait Message: Send + Sync {
    /// Calls `visit` with each part: headers in order, and at most `body_limit` bytes of the body.
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>));

    /// Returns the number of body bytes held in memory until the message is described.
    fn buffered_bytes(&self) -> usize;

    /// Describes the message, with at most `body_limit` bytes of its body.
    fn describe(&self, body_limit: usize) -> MessageInfo {
        let (mut request, mut status) = (RequestInfo::default(), None);
        self.visit_parts(body_limit, &mut |part| match part {
            MessagePart::Method(method) => method.clone_into(&mut request.method),
            MessagePart::Target(target) => target.clone_into(&mut request.target),
            MessagePart::Version(version) => version.clone_into(&mut request.version),
            MessagePart::Peer(peer) => peer.clone_into(&mut request.peer),
            MessagePart::Address(address) => request.peer = address.to_string(),
            MessagePart::Status(code) => status = Some(code),
            MessagePart::Header(name, value) | MessagePart::SecretHeader(name, value) => {
                request.headers.push(Header { name: name.to_owned(), value: value.to_owned() });
            }
            MessagePart::Body(bytes, full_len) => request.body = Body { bytes: bytes.to_owned(), full_len },
            MessagePart::Origin(scheme, authority) => request.origin = format!("{scheme}://{authority}"),
        });
        match status {
            None => MessageInfo::Request(request),
            Some(status) => {
                MessageInfo::Response(ResponseInfo { status, headers: request.headers, body: request.body })
            }
        }
    }
}

impl Message for MessageInfo {
    fn visit_parts(&self, body_limit: usize, visit: &mut dyn FnMut(MessagePart<'_>)) {
        let (headers, body) = match self {
            Self::Request(request) => {
                visit(MessagePart::Method(&request.method));
                visit(MessagePart::Target(&request.target));
                if let Some((scheme, authority)) = request.origin.split_once("://") {
                    visit(MessagePart::Origin(scheme, authority));
                }
                visit(MessagePart::Version(&request.version));
                visit(MessagePart::Peer(&request.peer));
                (&request.headers, &request.body)
            }
            Self::Response(response) => {
                visit(MessagePart::Status(response.status));
                (&response.headers, &response.body)
            }
        };
        headers.iter().for_each(|header| visit(MessagePart::Header(&header.name, &header.value)));
        visit(MessagePart::Body(&body.bytes[..body.bytes.len().min(body_limit)], body.full_len));
    }

    fn buffered_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.body.bytes.len(),
            Self::Response(response) => response.body.bytes.len(),
        }
    }
}
