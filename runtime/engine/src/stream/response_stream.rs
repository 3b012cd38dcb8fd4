//! The stream of a response: which effect makes the body, and what is known about it beforehand.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use zerver_trace::Value;

use super::item::{StreamFormat, StreamItem};
use super::kind::StreamKind;
use super::web_socket::{WebSocketKind, WebSocketRules};
use crate::effect::Call;

/// The body of a response that an effect makes while it is sent. `#[stream]` functions return it, and
/// [`Response::stream`](crate::Response::stream) takes it.
#[derive(Clone)]
#[must_use = "a stream does nothing until a step responds with it"]
pub struct ResponseStream {
    call: Call,
    kind: &'static KindTable,
    length: Option<u64>,
    /// Rules of the session of a WebSocket. `None` if the stream is a body.
    web_socket: Option<Box<WebSocketRules>>,
}

/// Functions of one [`StreamKind`].
struct KindTable {
    format: StreamFormat,
    part: fn(&Call, Range<u64>) -> Option<Call>,
}

struct Table<K>(std::marker::PhantomData<K>);

impl<K: StreamKind> Table<K> {
    const TABLE: &'static KindTable = &KindTable {
        format: K::Item::FORMAT,
        part: |call, bytes| call.args::<K>()?.part(bytes).map(Call::new),
    };
}

/// A session is no body: it has no type, and no parts. It ends when the service stops, and a client that leaves is not a failure.
const WEB_SOCKET: &KindTable =
    &KindTable { format: StreamFormat { content_type: "", is_endless: true }, part: |_, _| None };

impl ResponseStream {
    /// Creates the stream of a kind.
    pub fn new<K: StreamKind>(kind: K) -> Self {
        Self { call: Call::new(kind), kind: Table::<K>::TABLE, length: None, web_socket: None }
    }

    pub(super) fn web_socket<K: WebSocketKind>(kind: K) -> Self {
        Self { call: Call::new(kind), kind: WEB_SOCKET, length: None, web_socket: Some(Box::default()) }
    }

    pub(super) fn change_rules(&mut self, change: impl FnOnce(&mut WebSocketRules)) {
        change(self.web_socket.get_or_insert_default());
    }

    /// Returns what the session accepts, if this is the session of a WebSocket instead of a body.
    pub fn web_socket_rules(&self) -> Option<&WebSocketRules> {
        self.web_socket.as_deref()
    }

    /// Sets the length of the whole body, in bytes, which clients receive as `Content-Length`. The stream fails if it turns out to
    /// be shorter or longer.
    pub fn length(self, bytes: u64) -> Self {
        Self { length: Some(bytes), ..self }
    }

    /// Sets the maximum time that it may take. The deadline of the request ends with the head of the response.
    pub fn timeout(self, limit: Duration) -> Self {
        Self { call: self.call.timeout(limit), ..self }
    }

    /// Returns its kind and its arguments.
    pub const fn call(&self) -> &Call {
        &self.call
    }

    /// Returns the format of its items.
    pub const fn format(&self) -> StreamFormat {
        self.kind.format
    }

    /// Returns the length, if it is known.
    pub const fn known_length(&self) -> Option<u64> {
        self.length
    }

    /// Returns the stream of a part of the bytes, if the kind can make it.
    pub(crate) fn part(&self, bytes: Range<u64>) -> Option<Self> {
        let length = bytes.end - bytes.start;
        let mut call = (self.kind.part)(&self.call, bytes)?;
        if let Some(limit) = self.call.time_limit() {
            call = call.timeout(limit);
        }
        Some(Self { call, kind: self.kind, length: Some(length), web_socket: None })
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponseStream({:?})", self.call)
    }
}

/// Equal streams have the same kind, arguments and length.
impl PartialEq for ResponseStream {
    fn eq(&self, other: &Self) -> bool {
        let args = |stream: &Self| Value::from_recordable(&**stream.call.args_value()).ok();
        self.call.kind() == other.call.kind()
            && (self.length, self.call.time_limit()) == (other.length, other.call.time_limit())
            && self.web_socket == other.web_socket
            && args(self) == args(other)
    }
}

impl Eq for ResponseStream {}
