//! A connection that one effect uses.

use deadpool_postgres::{ClientWrapper, Object};
use tokio::runtime::Handle;

use zerver_postgres_connect::TlsConnector;

/// A connection that is borrowed from the pool. If it is dropped while a statement runs, because the effect has ended
/// early, the statement is canceled on the server.
///
/// The connection is then closed: a cancellation can arrive after the statement has ended, and would cancel the next one.
pub(crate) struct Checkout {
    object: Option<Object>,
    is_busy: bool,
    tls: TlsConnector,
    /// Runtime of the connections. The drop can happen on a thread without one.
    runtime: Handle,
}

impl Checkout {
    /// Must be called within a runtime.
    pub(crate) fn new(object: Object, tls: TlsConnector) -> Self {
        Self { object: Some(object), is_busy: false, tls, runtime: Handle::current() }
    }

    /// Returns the connection. It counts as busy until [`set_idle`](Self::set_idle).
    pub(crate) fn client(&mut self) -> Option<&Object> {
        self.is_busy = true;
        self.object.as_ref()
    }

    /// Marks the connection as one that has answered everything, so that it returns to the pool.
    pub(crate) const fn set_idle(&mut self) {
        self.is_busy = false;
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        let Some(object) = self.object.take().filter(|_| self.is_busy) else { return };
        let client: ClientWrapper = Object::take(object);
        if client.is_closed() {
            return;
        }
        let (token, tls) = (client.cancel_token(), self.tls.clone());
        self.runtime.spawn(async move {
            // Without an answer the server may still run the statement; there is nothing more to do about it.
            if let Err(error) = token.cancel_query(tls).await {
                tracing::debug!(target: "zerver", "a statement could not be canceled: {error}");
            }
            drop(client);
        });
    }
}
