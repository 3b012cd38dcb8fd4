//! Messages of a WebSocket.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A message: a text, or bytes.
///
/// ```
/// use zerver::effects::websocket::WebSocketMessage;
///
/// let message = WebSocketMessage::json(&[1, 2]).unwrap();
/// assert_eq!(message, WebSocketMessage::from("[1,2]"));
/// assert_eq!(message.parse::<Vec<u8>>().unwrap(), [1, 2]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebSocketMessage {
    /// Text.
    Text(String),
    /// Binary content.
    Binary(Bytes),
}

impl WebSocketMessage {
    /// Creates a text message with this value as JSON.
    ///
    /// # Errors
    /// If the value does not serialize.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        serde_json::to_string(value).map(Self::Text)
    }

    /// Parses the content as JSON.
    ///
    /// # Errors
    /// If it is not JSON of this type.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.as_bytes())
    }

    /// Returns the text, or `None` for binary content.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// Returns the content.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<String> for WebSocketMessage {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for WebSocketMessage {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Bytes> for WebSocketMessage {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for WebSocketMessage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Binary(bytes.into())
    }
}
