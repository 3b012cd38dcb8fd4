//! Passes the body of a request to the effect that reads it, piece by piece.

use std::pin::Pin;

use bytes::Buf as _;
use http::HeaderMap;
use http_body::Body as _;
use hyper::body::Incoming;

use super::connection::connection_state::Connection;
use crate::Limits;
use crate::effects::stream::{BodyError, BodySender};

/// Passes on the body of a request on this connection. A client that sends faster than the effect reads has to wait. If the effect
/// does not read the body to its end, the rest stays unread.
pub(super) async fn pump(body: Incoming, mut to: BodySender, limits: &Limits, conn: &Connection) {
    let _guard = conn.start_body_read();
    let mut unread = UnreadBodyGuard { conn, is_complete: false };
    match pass_on(body, &mut to, limits).await {
        Ok(true) => {
            unread.is_complete = true;
            to.finish().await;
        }
        Ok(false) => {}
        Err(error) => to.fail(error).await,
    }
}

/// Returns true once the body has ended, and false if nothing more of it is wanted.
async fn pass_on(mut body: Incoming, to: &mut BodySender, limits: &Limits) -> Result<bool, BodyError> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let frame = match tokio::time::timeout(limits.body_stall, frame).await {
            Ok(Some(frame)) => frame.map_err(|_| BodyError::Broken)?,
            Ok(None) => return Ok(true),
            Err(_) => return Err(BodyError::TooSlow),
        };
        match frame.into_data() {
            Ok(mut data) => {
                if !to.send(data.copy_to_bytes(data.remaining())).await {
                    return Ok(false);
                }
            }
            // The sign of pseudo-header fields; see `body_reader`.
            Err(frame) if frame.trailers_ref().is_some_and(HeaderMap::is_empty) => {
                return Err(BodyError::Broken);
            }
            Err(_) => {}
        }
    }
}

/// Notes that a part of the body was not read, also if the request ends first, and the future is dropped.
struct UnreadBodyGuard<'c> {
    conn: &'c Connection,
    is_complete: bool,
}

impl Drop for UnreadBodyGuard<'_> {
    fn drop(&mut self) {
        if !self.is_complete {
            self.conn.set_unread_body();
        }
    }
}
