//! Reads the whole body of a request within a size limit and time limits.

use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::connection::connection_state::Connection;
use super::rejection::Rejection;
use crate::Limits;

/// Maximum number of consecutive empty frames.
const MAX_EMPTY_FRAMES: usize = 100;

/// Maximum number of bytes that are reserved in advance for the rest of a body, whatever length the client declares.
const MAX_RESERVED_BYTES: usize = 64 * 1024;

/// Reads all of the body of a request on this connection.
pub(super) async fn read(body: Incoming, limits: &Limits, conn: &Connection) -> Result<Bytes, Rejection> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let _guard = conn.start_body_read();
    read_within(body, limits, || conn.has_client_closed()).await
}

/// Reads all of a body. `has_client_closed` returns true once the client has closed its sending side, if the body itself does
/// not notice.
pub(crate) async fn read_within<B: Body + Unpin>(
    body: B,
    limits: &Limits,
    has_client_closed: impl Fn() -> bool,
) -> Result<Bytes, Rejection> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(Rejection::BodyTooLarge(limits.body_bytes));
    }
    let mut reading = pin!(BodyFuture {
        body,
        limit: limits.body_bytes,
        first: None,
        rest: BytesMut::new(),
        empty_frames: 0
    });
    // Most bodies have already arrived. No timer is set for those.
    if let Some(result) = std::future::poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
    {
        return result;
    }
    let end = Instant::now() + limits.body;
    let mut timeout = pin!(tokio::time::sleep_until(end.min(Instant::now() + limits.body_stall)));
    let mut last_received = reading.received();
    let mut received_after_close = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = reading.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        // hyper does not know that the client has closed its sending side, and may still hold a part of the body. Poll
        // it until nothing more arrives.
        if has_client_closed() {
            let received = reading.received();
            if received_after_close.replace(received) == Some(received) {
                return Poll::Ready(Err(Rejection::BodyBroken));
            }
            cx.waker().wake_by_ref();
        }
        // Any byte that has arrived restarts the stall timeout.
        let received = reading.received();
        if received > last_received {
            last_received = received;
            timeout.as_mut().reset(end.min(Instant::now() + limits.body_stall));
        }
        ready!(timeout.as_mut().poll(cx));
        Poll::Ready(Err(Rejection::BodyTooSlow))
    })
    .await
}

struct BodyFuture<B> {
    body: B,
    limit: usize,
    /// The only frame so far. Kept as it is, so that a body of one frame is not copied.
    first: Option<Bytes>,
    /// The whole body so far, if it has several frames.
    rest: BytesMut,
    /// Number of consecutive empty frames.
    empty_frames: usize,
}

impl<B: Body + Unpin> BodyFuture<B> {
    fn received(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len) + self.rest.len()
    }

    fn append(&mut self, data: Bytes) -> Result<(), Rejection> {
        if self.received() + data.len() > self.limit {
            return Err(Rejection::BodyTooLarge(self.limit));
        }
        if data.is_empty() {
            self.empty_frames += 1;
            return if self.empty_frames > MAX_EMPTY_FRAMES { Err(Rejection::BodyBroken) } else { Ok(()) };
        }
        self.empty_frames = 0;
        match (&mut self.first, self.rest.is_empty()) {
            (first @ None, true) => *first = Some(data),
            (first, _) => {
                if let Some(first) = first.take() {
                    let declared =
                        usize::try_from(self.body.size_hint().lower()).unwrap_or(MAX_RESERVED_BYTES);
                    self.rest.reserve(first.len() + data.len() + declared.min(MAX_RESERVED_BYTES));
                    self.rest.extend_from_slice(&first);
                }
                self.rest.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

impl<B: Body + Unpin> Future for BodyFuture<B> {
    type Output = Result<Bytes, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(mut data) => self.append(data.copy_to_bytes(data.remaining()))?,
                    // Trailers are ignored. hyper removes pseudo-header fields, which trailers must not contain (RFC
                    // 9113, section 8.1), so trailers without any field are the sign of such fields.
                    Err(frame) if frame.trailers_ref().is_some_and(HeaderMap::is_empty) => {
                        return Poll::Ready(Err(Rejection::BodyBroken));
                    }
                    Err(_) => {}
                },
                Some(Err(_)) => return Poll::Ready(Err(Rejection::BodyBroken)),
                None => {
                    let whole = self.first.take().unwrap_or_else(|| self.rest.split().freeze());
                    return Poll::Ready(Ok(whole));
                }
            }
        }
    }
}
