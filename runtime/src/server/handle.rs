//! Handle of a running service that listens.

use std::fmt;
use std::net::{SocketAddr, TcpListener};

use super::running_service::{PreparedService, RunningService};
use crate::StartError;
use crate::scheduler::Tuning;

/// A running service. When it is dropped, the service stops in the background.
#[must_use = "a service stops when this is dropped"]
pub struct Server {
    addr: SocketAddr,
    running: RunningService,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Server {
    /// Returns the address that the service listens on.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until the service is ready, which means that the hook of
    /// [`App::on_startup_async`](crate::App::on_startup_async) has completed.
    ///
    /// # Errors
    /// The error of the hook. The service then continues to answer with 503 until it is stopped.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.running.service.readiness.wait().await
    }

    /// Has the certificates of TLS read again, soon. This happens by itself every 10 seconds.
    pub fn reload_certificates(&self) {
        self.running.reload_certificates();
    }

    /// Returns true if the service uses TLS.
    pub fn uses_tls(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.running.service.certificates.is_some();
        #[cfg(not(feature = "tls"))]
        false
    }

    /// Replaces the settings that can change while the service runs.
    pub(crate) fn retune(&self, tuning: Tuning) {
        self.running.retune(tuning);
    }

    /// Stops accepting connections, waits until the requests in flight are answered, but no longer than
    /// [`Limits::drain`](crate::Limits), and waits for the recorder to write its queue. A stuck step is not waited for;
    /// its request is recorded as far as it is known.
    ///
    /// The call blocks: do not use it on a thread of an async runtime.
    pub fn stop(self) {
        self.running.stop();
    }

    pub(crate) fn start(prepared: PreparedService, listener: TcpListener) -> Result<Self, StartError> {
        let addr = listener.local_addr().map_err(StartError::Worker)?;
        Ok(Self { addr, running: RunningService::start(prepared, Some(listener))? })
    }
}
