//! The socket as the function of a session uses it.

use std::fmt;

use tokio::sync::mpsc;

use super::message::WebSocketMessage;

/// A message of a session on its way out.
pub(super) enum Outgoing {
    Message(WebSocketMessage),
    /// The last thing that is sent: a code and a reason.
    Close(u16, String),
}

/// The session is closed: the client has left, the service stops, or this side has closed it. As the error of a session it is none:
/// sessions end like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the WebSocket is closed")]
pub struct WebSocketClosed;

/// The socket of a session. `#[websocket]` functions take it as their last parameter.
///
/// The session ends when the function returns: messages that were sent are delivered, and the socket is closed, with the code 1000, or
/// 1011 if the function failed.
pub struct WebSocket {
    incoming: mpsc::Receiver<WebSocketMessage>,
    sender: WebSocketSender,
}

/// Sends the messages of a session. Clones send to the same client.
#[derive(Clone)]
pub struct WebSocketSender(mpsc::Sender<Outgoing>);

impl WebSocket {
    pub(super) const fn new(
        incoming: mpsc::Receiver<WebSocketMessage>,
        outgoing: mpsc::Sender<Outgoing>,
    ) -> Self {
        Self { incoming, sender: WebSocketSender(outgoing) }
    }

    /// Returns the next message, or `None` once the session is closed. The function then has five seconds to end before it is
    /// dropped where it waits.
    ///
    /// While it does not ask for messages, the client cannot send more than a few. This may be used in
    /// [`tokio::select!`](https://docs.rs/tokio/latest/tokio/macro.select.html): no message is lost if it is dropped.
    pub async fn receive(&mut self) -> Option<WebSocketMessage> {
        self.incoming.recv().await
    }

    /// Sends a message. Waits while the client has not read enough of the earlier ones.
    ///
    /// # Errors
    /// If the session is closed.
    pub async fn send(&self, message: impl Into<WebSocketMessage> + Send) -> Result<(), WebSocketClosed> {
        self.sender.send(message).await
    }

    /// Returns a sender that other tasks of the session can use. It does not keep the session open.
    pub fn sender(&self) -> WebSocketSender {
        self.sender.clone()
    }

    /// Closes the session with this code (RFC 6455, section 7.4; services may use 4000 to 4999) and this reason, which is cut after 123
    /// bytes. A code that cannot be sent is replaced by 1000.
    pub async fn close(self, code: u16, reason: &str) {
        let _ = self.sender.0.send(Outgoing::Close(code, reason.to_owned())).await;
    }
}

impl WebSocketSender {
    /// Sends a message, as [`WebSocket::send`] does.
    ///
    /// # Errors
    /// If the session is closed.
    pub async fn send(&self, message: impl Into<WebSocketMessage> + Send) -> Result<(), WebSocketClosed> {
        self.0.send(Outgoing::Message(message.into())).await.map_err(|_| WebSocketClosed)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocket")
    }
}

impl fmt::Debug for WebSocketSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebSocketSender")
    }
}
