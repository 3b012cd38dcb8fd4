//! Resolves hosts: configured addresses first, then the resolver of the system.

use std::collections::BTreeMap;
use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Resolves the names of hosts. See [`super::ClientBuilder::resolve`].
#[derive(Clone)]
pub(super) struct HostResolver {
    configured: Arc<BTreeMap<String, SocketAddr>>,
    system: GaiResolver,
}

impl HostResolver {
    pub(super) fn new(configured: Arc<BTreeMap<String, SocketAddr>>) -> Self {
        Self { configured, system: GaiResolver::new() }
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
                let addresses = self.system.call(name);
                Box::pin(async move { Ok(addresses.await?.collect::<Vec<_>>().into_iter()) })
            }
        }
    }
}
