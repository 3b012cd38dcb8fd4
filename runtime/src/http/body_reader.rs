//! Reads a request's body: whole, within a size, and within a time.

use std::pin::{Pin, pin};
use std::task::{Poll, ready};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::connection::connection_state::Connection;
use super::rejection::Rejection;
use crate::Limits;

/// So many frames in a row may be empty.
const EMPTY_FRAMES: usize = 100;

/// So much is set aside for a body whose length is only claimed.
const FIRST_BYTES: usize = 64 * 1024;

/// Reads all of `body`.
pub(crate) async fn read(body: Incoming, limits: &Limits, conn: &Connection) -> Result<Bytes, Rejection> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limits.body_bytes as u64 {
        return Err(Rejection::BodyTooLarge(limits.body_bytes));
    }
    let _reads = conn.start_body_read();
    let mut reading =
        pin!(Reading { body, limit: limits.body_bytes, first: None, rest: BytesMut::new(), empty: 0 });
    // Most bodies are there already: no timer is set for those.
    if let Some(result) = std::future::poll_fn(|cx| match reading.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
    {
        return result;
    }
    let end = Instant::now() + limits.body;
    let mut pause = pin!(tokio::time::sleep_until(end.min(Instant::now() + limits.body_stall)));
    let mut came_before = reading.came();
    let mut came_by_the_end = None;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = reading.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        // hyper does not know that the client has closed its side, and may have some of the body still: it is asked until
        // it has nothing more.
        if conn.has_client_closed() {
            if came_by_the_end.replace(reading.came()) == Some(reading.came()) {
                return Poll::Ready(Err(Rejection::BodyBroken));
            }
            cx.waker().wake_by_ref();
        }
        // The pause begins anew with whatever has come since the last look.
        let came = reading.came();
        if came > came_before {
            came_before = came;
            pause.as_mut().reset(end.min(Instant::now() + limits.body_stall));
        }
        ready!(pause.as_mut().poll(cx));
        Poll::Ready(Err(Rejection::BodyTooSlow))
    })
    .await
}

struct Reading {
    body: Incoming,
    limit: usize,
    /// A body of one frame is not copied.
    first: Option<Bytes>,
    rest: BytesMut,
    empty: usize,
}

impl Reading {
    fn came(&self) -> usize {
        self.first.as_ref().map_or(0, Bytes::len) + self.rest.len()
    }

    fn take(&mut self, data: Bytes) -> Result<(), Rejection> {
        if self.came() + data.len() > self.limit {
            return Err(Rejection::BodyTooLarge(self.limit));
        }
        if data.is_empty() {
            self.empty += 1;
            return if self.empty > EMPTY_FRAMES { Err(Rejection::BodyBroken) } else { Ok(()) };
        }
        self.empty = 0;
        match (&mut self.first, self.rest.is_empty()) {
            (first @ None, true) => *first = Some(data),
            (first, _) => {
                if let Some(first) = first.take() {
                    let claimed = usize::try_from(self.body.size_hint().lower()).unwrap_or(FIRST_BYTES);
                    self.rest.reserve(first.len() + data.len() + claimed.min(FIRST_BYTES));
                    self.rest.extend_from_slice(&first);
                }
                self.rest.extend_from_slice(&data);
            }
        }
        Ok(())
    }
}

impl Future for Reading {
    type Output = Result<Bytes, Rejection>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(data)?,
                    // Trailers are not looked at. Ones without any field are what hyper leaves of pseudo-header fields, which
                    // trailers must not have (RFC 9113, section 8.1).
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
