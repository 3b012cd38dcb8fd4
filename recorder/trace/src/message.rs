//! Requests and responses as they are recorded.

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
    /// The first `limit` bytes of `bytes`.
    pub fn cut(bytes: &[u8], limit: usize) -> Self {
        Self { bytes: bytes[..bytes.len().min(limit)].to_vec(), full_len: bytes.len() as u64 }
    }

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

/// A live request or response, described only when (and where) it is recorded.
pub trait Message: Send + Sync {
    /// Describes it with at most `body_limit` bytes of its body.
    fn describe(&self, body_limit: usize) -> MessageInfo;
}
