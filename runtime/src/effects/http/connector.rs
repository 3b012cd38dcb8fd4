//! Connector with one time limit for the name lookup, the connection and the TLS handshake together.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Uri;
use tower_service::Service;

use crate::effects::{points, report_point};

#[derive(Clone)]
pub(super) struct TimeLimited<C> {
    pub(super) connector: C,
    pub(super) limit: Duration,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<C> Service<Uri> for TimeLimited<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, limit) = (self.connector.call(uri), self.limit);
        Box::pin(async move {
            let connected = tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let message = format!("took longer than {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, message).into())
            })?;
            report_point(points::CONNECTED);
            Ok(connected)
        })
    }
}
