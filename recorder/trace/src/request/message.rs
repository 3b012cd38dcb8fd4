//! Requests and responses as they are recorded.

use std::net::SocketAddr;

use bincode::{Decode, Encode};

/// A header or a trailer: a name in lower case, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Header<V = Vec<u8>> {
    /// The name, in lower case.
    pub name: String,
    /// The value.
    pub value: V,
}

/// A body, up to a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Body {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// How long the whole body was, in bytes; more than `bytes` holds where it was cut.
    pub full_len: u64,
}

impl Body {
    /// Whether the record holds less than the body did.
    pub const fn is_cut(&self) -> bool {
        (self.bytes.len() as u64) < self.full_len
    }
}

/// A request, before anything in it is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestInfo {
    /// The method.
    pub method: String,
    /// Path and query, as they came.
    pub target: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// Who connected, as address and port; empty where there was no socket.
    pub peer: String,
    /// The headers in their order.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
    /// The scheme and authority that the target names, as `http://host:port`; empty where it is only a path.
    pub origin: String,
}

/// A response, before anything in it is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResponseInfo {
    /// The status code.
    pub status: u16,
    /// The headers in their order.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Body,
}

/// What a [`Message`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageInfo {
    /// A request.
    Request(RequestInfo),
    /// A response.
    Response(ResponseInfo),
}

/// A part of a request or of a response.
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
    /// The same, not written out yet.
    Address(SocketAddr),
    /// [`ResponseInfo::status`]; only a response has one.
    Status(u16),
    /// A header: its name in lower case, and its value.
    Header(&'a str, &'a [u8]),
    /// The same, of which the value is a secret whatever the name says.
    SecretHeader(&'a str, &'a [u8]),
    /// The body: its first bytes, and how long the whole of it was.
    Body(&'a [u8], u64),
    /// [`RequestInfo::origin`] in its two parts, the scheme and the authority; not told where it is empty.
    Origin(&'a str, &'a str),
}

/// A live request or response, described only when (and where) it is recorded.
pub trait Message: Send + Sync {
    /// Tells its parts, the headers in their order, with at most `body_limit` bytes of its body.
    fn tell(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>));

    /// How many bytes of a body it keeps in memory until it is described.
    fn held_bytes(&self) -> usize;

    /// Describes it with at most `body_limit` bytes of its body.
    fn describe(&self, body_limit: usize) -> MessageInfo {
        let (mut request, mut status) = (RequestInfo::default(), None);
        self.tell(body_limit, &mut |part| match part {
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
    fn tell(&self, body_limit: usize, to: &mut dyn FnMut(MessagePart<'_>)) {
        let (headers, body) = match self {
            Self::Request(request) => {
                to(MessagePart::Method(&request.method));
                to(MessagePart::Target(&request.target));
                if let Some((scheme, authority)) = request.origin.split_once("://") {
                    to(MessagePart::Origin(scheme, authority));
                }
                to(MessagePart::Version(&request.version));
                to(MessagePart::Peer(&request.peer));
                (&request.headers, &request.body)
            }
            Self::Response(response) => {
                to(MessagePart::Status(response.status));
                (&response.headers, &response.body)
            }
        };
        headers.iter().for_each(|header| to(MessagePart::Header(&header.name, &header.value)));
        to(MessagePart::Body(&body.bytes[..body.bytes.len().min(body_limit)], body.full_len));
    }

    fn held_bytes(&self) -> usize {
        match self {
            Self::Request(request) => request.body.bytes.len(),
            Self::Response(response) => response.body.bytes.len(),
        }
    }
}
