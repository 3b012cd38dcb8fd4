//! Connector with one time limit for the name lookup, the connection and the TLS handshake together. It checks that the
//! service may connect to an address, and marks connections so that their reuse can be seen.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Uri;
use arc_swap::ArcSwap;
use tower_service::Service;

use super::tracked_stream::TrackedStream;
use crate::effects::outbound::Outbound;
use crate::effects::{points, report_point};

#[derive(Clone)]
pub(super) struct TimeLimited<C> {
    pub(super) connector: C,
    pub(super) limit: Duration,
    pub(super) outbound: Arc<ArcSwap<Outbound>>,
}

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

tokio::task_local! {
    /// Port of the connection that is being opened, for the resolver.
    pub(super) static PORT: u16;
}

/// A host or an address that the rules of the service do not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EgressRefused(pub(super) String);

impl fmt::Display for EgressRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not allowed by egress.allow and egress.private: {}", self.0)
    }
}

impl std::error::Error for EgressRefused {}

/// Host of a URL in lower case, and its port.
pub(super) fn host_and_port(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(default_port))
}

/// Checks a host before its name is resolved. An address in its place is checked for good.
pub(super) fn check_host(outbound: &Outbound, host: &str, port: u16) -> Result<(), EgressRefused> {
    if outbound.is_open() {
        return Ok(());
    }
    let is_allowed = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) => outbound.allows(host, port, address),
        Err(_) => !outbound.refuses_host(host, port),
    };
    if is_allowed { Ok(()) } else { Err(EgressRefused(format!("{host}:{port}"))) }
}

impl<C> Service<Uri> for TimeLimited<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = TrackedStream<C::Response>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (host, port) = host_and_port(&uri);
        let outbound = self.outbound.load();
        if let Err(refused) = check_host(&outbound, &host, port) {
            return Box::pin(async move { Err(refused.into()) });
        }
        let limit = outbound.connect_timeout(&format!("{host}:{port}")).unwrap_or(self.limit);
        let connecting = PORT.scope(port, self.connector.call(uri));
        Box::pin(async move {
            let connected = tokio::time::timeout(limit, connecting).await.unwrap_or_else(|_| {
                let message = format!("took longer than {limit:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, message).into())
            })?;
            report_point(points::CONNECTED);
            Ok(TrackedStream::new(connected))
        })
    }
}
