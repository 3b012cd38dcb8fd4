//! The body of a request that an effect reads piece by piece.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};
use zerver_engine::{Failure, FailureKind, ReceivedBody};

/// Number of pieces that wait for the effect. Then the client waits.
const BUFFERED_PIECES: usize = 4;

/// Reason why a body cannot be read to its end. As a [`Failure`], it is one of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum BodyError {
    /// More bytes than [`FlowDef::streamed_body`](crate::prelude::FlowDef::streamed_body) allows.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Nothing has arrived for [`Limits::body_stall`](crate::Limits::body_stall).
    #[error("arrived too slowly")]
    TooSlow,
    /// The client left, or sent something that is not HTTP.
    #[error("incomplete, or not HTTP")]
    Broken,
    /// The flow does not stream its body, or another effect reads it.
    #[error("there is no body to read: the flow does not declare `streamed_body`, or it was read before")]
    Absent,
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::TooLarge { .. } => FailureKind::TooLarge,
            BodyError::TooSlow | BodyError::Broken => FailureKind::Invalid,
            BodyError::Absent => FailureKind::Internal,
        };
        Self::new(kind, "body").message(error.to_string())
    }
}

/// The body of a request whose flow has a [streamed body](crate::prelude::FlowDef::streamed_body). It is read once.
///
/// ```
/// use zerver::effects::EffectContext;
/// use zerver::effects::stream::BodyError;
/// use zerver::prelude::*;
///
/// /// Counts the bytes of the body.
/// #[effect]
/// async fn count(#[context] context: &EffectContext) -> Result<u64, BodyError> {
///     let mut body = context.request_body()?;
///     let mut bytes = 0;
///     while let Some(piece) = body.next().await? {
///         bytes += piece.len() as u64;
///     }
///     Ok(bytes)
/// }
///
/// #[slot]
/// struct Size(u64);
///
/// #[step]
/// fn receive() -> Decision<Size> {
///     Need(count().map(Size))
/// }
///
/// #[step]
/// fn show(size: &Size) -> Response {
///     Response::json(&size.0)
/// }
///
/// let flow = flow!("count", POST "/count", steps: [receive, show]).streamed_body(10 << 30).deadline(1.hours());
/// # App::new().flow(flow).effect::<count>();
/// ```
#[derive(Debug)]
pub struct RequestBody {
    receiver: Pieces,
    has_ended: bool,
}

impl RequestBody {
    /// Returns the next piece, or `None` at the end.
    ///
    /// # Errors
    /// If the body is too long, arrives too slowly, or is incomplete.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next piece.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        if self.has_ended {
            return Poll::Ready(Ok(None));
        }
        Poll::Ready(match ready!(self.receiver.poll_recv(cx)) {
            Some(Ok(piece)) if piece.is_empty() => {
                self.has_ended = true;
                Ok(None)
            }
            Some(piece) => piece.map(Some),
            // Without the empty piece at the end, something is missing.
            None => Err(BodyError::Broken),
        })
    }

    /// Returns true once the end has been taken.
    pub(crate) const fn has_ended(&self) -> bool {
        self.has_ended
    }
}

/// The body of a request, until an effect reads it.
#[derive(Clone)]
pub struct UnreadBody(Arc<Mutex<Option<Pieces>>>);

/// Receiver of the pieces of a body.
type Pieces = mpsc::Receiver<Result<Bytes, BodyError>>;

impl fmt::Debug for UnreadBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnreadBody")
    }
}

/// The side on which a body arrives.
pub(crate) struct BodySender {
    sender: mpsc::Sender<Result<Bytes, BodyError>>,
    received: ReceivedBody,
    limit: u64,
    length: u64,
}

/// Creates the way of a body of at most `limit` bytes to an effect. What arrives is also added to `received`.
pub(crate) fn body_channel(limit: u64, received: ReceivedBody) -> (BodySender, UnreadBody) {
    let (sender, receiver) = mpsc::channel(BUFFERED_PIECES);
    let body = UnreadBody(Arc::new(Mutex::new(Some(receiver))));
    (BodySender { sender, received, limit, length: 0 }, body)
}

impl UnreadBody {
    /// Takes the body, once.
    pub(crate) fn take(&self) -> Option<RequestBody> {
        let receiver = self.0.try_lock().ok()?.take()?;
        Some(RequestBody { receiver, has_ended: false })
    }
}

impl BodySender {
    /// Passes a piece on, once the effect has room for it. Returns false if nothing more is wanted.
    pub(crate) async fn send(&mut self, piece: Bytes) -> bool {
        if piece.is_empty() {
            return true;
        }
        self.length = self.length.saturating_add(piece.len() as u64);
        if self.length > self.limit {
            self.fail(BodyError::TooLarge { limit: self.limit }).await;
            return false;
        }
        self.received.add(&piece);
        self.sender.send(Ok(piece)).await.is_ok()
    }

    pub(crate) async fn fail(&self, error: BodyError) {
        let _ = self.sender.send(Err(error)).await;
    }

    /// Passes on that the body is complete.
    pub(crate) async fn finish(self) {
        let _ = self.sender.send(Ok(Bytes::new())).await;
    }
}
