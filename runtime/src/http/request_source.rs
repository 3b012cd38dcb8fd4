//! The server that has received a request, and the way of the body from there.

use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{Fuse, LocalBoxFuture};
use hyper::body::Incoming;

use super::body_pump;
use super::connection::connection_state::Connection;
use super::rejection::Rejection;
use super::request_check::HeadRules;
use crate::Limits;
use crate::effects::stream::BodySender;

/// The server that has received a request, with the body.
pub(crate) enum RequestSource<'c> {
    /// This one, on a connection of its own.
    Connection(&'c Rc<Connection>, Incoming),
    /// Another one, which has checked the host and has read the body, or knows why it could not.
    Host {
        /// Number of the flow to which it routes the request, or `None` if it leaves the routing to this service.
        flow: Option<u16>,
        body: Result<Bytes, Rejection>,
    },
}

impl<'c> RequestSource<'c> {
    /// Returns the rules for the head of the request.
    pub(super) const fn head_rules(&self) -> HeadRules {
        match self {
            Self::Connection(..) => HeadRules::ANY,
            Self::Host { flow, .. } => HeadRules { is_host_checked: true, only_flow: *flow },
        }
    }

    /// Returns the future that passes the body on to an effect.
    pub(super) fn stream_body(
        self,
        mut sender: BodySender,
        limit: u64,
        limits: &'c Limits,
    ) -> Result<Pump<'c>, Rejection> {
        Ok(match self {
            Self::Connection(conn, body) => {
                if http_body::Body::size_hint(&body).lower() > limit {
                    conn.set_unread_body();
                    return Err(Rejection::BodyTooLarge(usize::try_from(limit).unwrap_or(usize::MAX)));
                }
                body_pump::pump(body, sender, limits, conn).boxed_local().fuse()
            }
            Self::Host { body, .. } => {
                let body = body?;
                let passed_on = async move {
                    if sender.send(body).await {
                        sender.finish().await;
                    }
                };
                passed_on.boxed_local().fuse()
            }
        })
    }

    /// Notes that the body of a request is not read.
    pub(super) fn abandon(self) {
        if let Self::Connection(conn, body) = self
            && !http_body::Body::is_end_stream(&body)
        {
            conn.set_unread_body();
        }
    }
}

/// Passes the body of a request on.
pub(super) type Pump<'c> = Fuse<LocalBoxFuture<'c, ()>>;

/// Runs a request while its body is passed on. What is not read when it ends stays unread.
pub(super) async fn while_pumping<T>(request: impl Future<Output = T>, pump: &mut Pump<'_>) -> T {
    let mut request = pin!(request);
    std::future::poll_fn(|cx| {
        if let Poll::Ready(ended) = request.as_mut().poll(cx) {
            return Poll::Ready(ended);
        }
        let _ = pump.poll_unpin(cx);
        Poll::Pending
    })
    .await
}
