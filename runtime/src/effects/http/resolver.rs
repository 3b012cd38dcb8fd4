//! Resolves hosts: configured addresses first, then the resolver of the system.

use std::collections::BTreeMap;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use arc_swap::ArcSwap;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::connector::{EgressRefused, PORT};
use crate::effects::outbound::Outbound;

/// Resolves the names of hosts. See [`super::ClientBuilder::resolve`].
#[derive(Clone)]
pub(super) struct HostResolver {
    configured: Arc<BTreeMap<String, SocketAddr>>,
    system: GaiResolver,
    outbound: Arc<ArcSwap<Outbound>>,
}

impl HostResolver {
    pub(super) fn new(
        configured: Arc<BTreeMap<String, SocketAddr>>,
        outbound: Arc<ArcSwap<Outbound>>,
    ) -> Self {
        Self { configured, system: GaiResolver::new(), outbound }
    }
}

impl Service<Name> for HostResolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self.configured.get(name.as_str()) {
            Some(address) => Box::pin(ready(Ok(vec![*address].into_iter()))),
            None => {
                let (host, outbound) = (name.as_str().to_ascii_lowercase(), self.outbound.load_full());
                let port = PORT.try_with(|port| *port).unwrap_or_default();
                let addresses = self.system.call(name);
                Box::pin(async move {
                    let mut addresses: Vec<_> = addresses.await?.collect();
                    let found = addresses.len();
                    // These addresses are the ones that are connected to: the name is not resolved again.
                    addresses.retain(|address| outbound.allows(&host, port, address.ip()));
                    if addresses.is_empty() && found > 0 {
                        let refused = EgressRefused(format!("the address of {host}:{port}"));
                        return Err(io::Error::new(io::ErrorKind::PermissionDenied, refused));
                    }
                    Ok(addresses.into_iter())
                })
            }
        }
    }
}
