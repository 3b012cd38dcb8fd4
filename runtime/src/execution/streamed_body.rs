//! The body of a streamed response, as the server that sends it takes it. It receives what the
//! [stream task](super::stream_task) sends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};

use super::delivery::Delivery;
use crate::effects::stream::StreamMessage;
#[cfg(feature = "websocket")]
use crate::effects::websocket::UpgradedSocket;

/// A streamed response failed: the body ends before its end, and the client must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream of the response has failed")]
pub struct BrokenStream;

/// The receiving side of a stream.
pub(crate) struct StreamReceiver {
    messages: mpsc::Receiver<StreamMessage>,
    end: oneshot::Receiver<StreamResult>,
    /// Length of the whole body, if it is known.
    length: Option<u64>,
    /// True if the stream has no end of its own.
    pub(crate) is_endless: bool,
    /// True if there is no body: the connection becomes a WebSocket.
    pub(crate) is_upgrade: bool,
}

/// Result of a stream.
pub(crate) struct StreamResult {
    /// Capture of the request, if it is kept.
    pub(crate) delivery: Option<Delivery>,
    /// True if the body is complete.
    pub(crate) is_complete: bool,
}

impl StreamReceiver {
    /// Creates the receiver of these messages, and the sender of the result.
    pub(crate) fn new(
        messages: mpsc::Receiver<StreamMessage>,
        length: Option<u64>,
        is_endless: bool,
    ) -> (oneshot::Sender<StreamResult>, Self) {
        let (end_tx, end) = oneshot::channel();
        (end_tx, Self { messages, end, length, is_endless, is_upgrade: false })
    }
}

#[cfg(feature = "websocket")]
impl StreamReceiver {
    /// Creates the receiver of a session, and the sender of its result.
    pub(crate) fn of_session(
        messages: mpsc::Receiver<StreamMessage>,
    ) -> (oneshot::Sender<StreamResult>, Self) {
        let (end_tx, receiver) = Self::new(messages, None, true);
        (end_tx, Self { is_upgrade: true, ..receiver })
    }

    /// Passes the socket on to the session, and waits for its end. Dropping this future cancels the session.
    pub(crate) async fn run_session(self, socket: UpgradedSocket) {
        let Self { mut messages, end, .. } = self;
        let Some(StreamMessage::Upgrade(to)) = messages.recv().await else { return };
        if to.send(socket).is_err() {
            return;
        }
        // The client has the response.
        if let Some(delivery) = end.await.ok().and_then(|result| result.delivery) {
            delivery.complete();
        }
    }
}

/// The items of a stream as chunks.
pub(crate) struct StreamedBody {
    /// `None` once the stream has ended.
    receiver: Option<mpsc::Receiver<StreamMessage>>,
    end: oneshot::Receiver<StreamResult>,
    trailers: Option<HeaderMap>,
    /// The rest of the item that is being sent.
    item: Bytes,
    /// Length of what is left, if it is known.
    left: Option<u64>,
    /// True once nothing follows but the result.
    has_end: bool,
    /// True if the stream has failed and the server does not know it yet.
    is_broken: bool,
    /// Capture of the request, once the stream has ended and if it is kept.
    delivery: Option<Delivery>,
}

impl StreamedBody {
    pub(crate) fn new(StreamReceiver { messages, end, length, .. }: StreamReceiver) -> Self {
        Self {
            receiver: Some(messages),
            end,
            trailers: None,
            item: Bytes::new(),
            left: length,
            has_end: false,
            is_broken: false,
            delivery: None,
        }
    }

    /// Returns the next chunk, of at most `max` bytes, then the trailers, and `None` at the end.
    pub(crate) fn poll_frame(
        &mut self,
        max: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenStream>>> {
        if self.item.is_empty() && !ready!(self.poll_message(cx))? {
            return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        // A server that knows the length takes nothing after the last byte, so the end is taken before it.
        while self.receiver.is_some() && self.left == Some(self.item.len() as u64) {
            ready!(self.poll_message(cx))?;
        }
        let chunk = self.item.split_to(self.item.len().min(max));
        self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    /// Takes the next item, or the end. Returns false at the end.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, BrokenStream>> {
        let Some(receiver) = &mut self.receiver else {
            let is_broken = std::mem::take(&mut self.is_broken);
            return Poll::Ready(if is_broken { Err(BrokenStream) } else { Ok(false) });
        };
        if !self.has_end {
            match ready!(receiver.poll_recv(cx)) {
                Some(StreamMessage::Item(item)) => {
                    self.item = item;
                    return Poll::Ready(Ok(true));
                }
                Some(StreamMessage::Trailers(trailers)) => {
                    self.trailers = Some(trailers);
                    return self.poll_message(cx);
                }
                #[cfg(feature = "websocket")]
                // It has no body, which nothing reads.
                Some(StreamMessage::Upgrade(_)) => self.has_end = true,
                Some(StreamMessage::End) | None => self.has_end = true,
            }
        }
        let result = ready!(Pin::new(&mut self.end).poll(cx));
        self.receiver = None;
        match result {
            Ok(StreamResult { delivery, is_complete: true }) => {
                self.delivery = delivery;
                Poll::Ready(Ok(false))
            }
            // Dropping the delivery records that the body was not delivered.
            Ok(_) | Err(_) => {
                self.item = Bytes::new();
                self.is_broken = true;
                // hyper discards what it has not written yet when a body fails, so it gets the time to write.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Returns true once the end has been taken.
    pub(crate) const fn is_ended(&self) -> bool {
        self.receiver.is_none() && self.item.is_empty() && self.trailers.is_none() && !self.is_broken
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }

    /// Takes the capture of a request whose response has been taken in full.
    pub(crate) fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }
}
