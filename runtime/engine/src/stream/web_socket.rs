//! WebSockets: a response that makes the connection one of messages in both directions, and the session that exchanges them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::response_stream::ResponseStream;
use crate::effect::EffectKind;

/// A kind of effect that exchanges messages with the client. Its output says what was exchanged.
///
/// `#[websocket]` implements it for an async function.
pub trait WebSocketKind: EffectKind<Output = WebSocketEnd> {}

/// A session that begins when the client has the response. `#[websocket]` functions return it, and
/// [`Response::websocket`](crate::Response::websocket) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a session does nothing until a step responds with it"]
pub struct WebSocketSession(ResponseStream);

/// Rules of a session: which clients may open it, and what they may send.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebSocketRules {
    /// Protocols that the service speaks, in order of preference.
    pub(crate) protocols: Vec<&'static str>,
    /// Origins that may open a session, in addition to that of the service.
    pub(crate) origins: Vec<String>,
    pub(crate) allows_any_origin: bool,
    pub(crate) message_bytes: Option<usize>,
}

impl WebSocketRules {
    /// Returns the maximum length of a message, in bytes, if the session has one of its own.
    pub const fn message_bytes(&self) -> Option<usize> {
        self.message_bytes
    }
}

impl WebSocketSession {
    /// Creates the session of a kind.
    pub fn new<K: WebSocketKind>(kind: K) -> Self {
        Self(ResponseStream::web_socket(kind))
    }

    /// Sets the protocols that the service speaks, in order of preference. The session uses the first one that the client offers
    /// (`Sec-WebSocket-Protocol`), or none.
    pub fn protocols(self, names: &[&'static str]) -> Self {
        self.with_rules(|rules| rules.protocols = names.to_vec())
    }

    /// Lets pages of this origin, such as `https://app.example`, open the session. By default, only pages of the service's own
    /// origin may, because a browser sends cookies with the request whichever page makes it.
    pub fn origin(self, origin: impl Into<String>) -> Self {
        self.with_rules(|rules| rules.origins.push(origin.into()))
    }

    /// Lets pages of any site open the session. That is safe only if cookies do not authenticate it.
    pub fn any_origin(self) -> Self {
        self.with_rules(|rules| rules.allows_any_origin = true)
    }

    /// Sets the maximum length of a message from the client, in bytes. By default, it is `limits.body_bytes`.
    pub fn max_message(self, bytes: usize) -> Self {
        self.with_rules(|rules| rules.message_bytes = Some(bytes))
    }

    /// Sets the maximum time that the session may take. It has no limit otherwise.
    pub fn timeout(self, limit: std::time::Duration) -> Self {
        Self(self.0.timeout(limit))
    }

    fn with_rules(mut self, change: impl FnOnce(&mut WebSocketRules)) -> Self {
        self.0.change_rules(change);
        self
    }

    pub(crate) fn into_stream(self) -> ResponseStream {
        self.0
    }
}

/// Output of a session that has ended: what was exchanged, and who closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebSocketEnd {
    /// Messages from the client.
    pub received: MessageCount,
    /// Messages to the client.
    pub sent: MessageCount,
    /// Side that closed the session first.
    pub closed_by: ClosedBy,
    /// Close code (RFC 6455, section 7.4): that of the side that closed first, 1005 if it gave none, or 1006 if the connection was
    /// lost.
    pub code: u16,
    /// Reason given with the code.
    pub reason: String,
    /// The beginning of the session: at most 64 messages, and 16 KiB of content.
    pub first: Vec<RecordedMessage>,
}

/// Messages of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCount {
    /// Number of messages.
    pub messages: u64,
    /// Total length of their contents, in bytes.
    pub bytes: u64,
    /// The first 128 bits of the BLAKE3 hash of all contents, one after the other, in hexadecimal.
    pub hash: String,
}

/// Side that closed a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The client.
    Client,
    /// The service, also because the client broke the protocol.
    Service,
    /// Neither: the connection was lost.
    Nobody,
}

/// A message of the beginning of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedMessage {
    /// True if the client sent it.
    pub is_received: bool,
    /// Time since the session began, in milliseconds.
    pub at_ms: u64,
    /// Length of the content, in bytes.
    pub length: u64,
    /// True for text, false for binary content.
    pub is_text: bool,
    /// A text as it is, one that is JSON as the value, and binary content in hexadecimal. `Null` if it is not recorded, because it is
    /// longer than 4 KiB.
    pub content: serde_json::Value,
}

impl WebSocketEnd {
    /// Returns it on one line, as `output_summary` of a kind does: `3 messages received, 2 sent, closed by the client (1000)`.
    pub fn summary(&self) -> String {
        let Self { received, sent, closed_by, code, .. } = self;
        let plural = if received.messages == 1 { "" } else { "s" };
        let end = match closed_by {
            ClosedBy::Client => "closed by the client",
            ClosedBy::Service => "closed by the service",
            ClosedBy::Nobody => "the connection was lost",
        };
        format!("{} message{plural} received, {} sent, {end} ({code})", received.messages, sent.messages)
    }
}

impl fmt::Display for WebSocketEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}
