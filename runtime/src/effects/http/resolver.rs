//! Where hosts are: names with addresses of their own, then the resolver of the system.

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

/// Resolves names; see [`super::ClientBuilder::resolve`].
#[derive(Clone)]
pub(super) struct Names {
    own: Arc<BTreeMap<String, SocketAddr>>,
    system: GaiResolver,
}

impl Names {
    pub(super) fn new(own: Arc<BTreeMap<String, SocketAddr>>) -> Self {
        Self { own, system: GaiResolver::new() }
    }
}

impl Service<Name> for Names {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        match self.own.get(name.as_str()) {
            Some(address) => Box::pin(ready(Ok(vec![*address].into_iter()))),
            None => {
                let addresses = self.system.call(name);
                Box::pin(async move { Ok(addresses.await?.collect::<Vec<_>>().into_iter()) })
            }
        }
    }
}
