//! The server: a thread with a socket.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::runtime;
use tokio::sync::{Semaphore, oneshot};

use super::access::AccessRules;
use super::router;
use crate::handler::WebState;
use crate::services::Services;

/// Maximum number of connections. A page that follows the store holds one.
const MAX_CONNECTIONS: usize = 128;
/// Maximum number of threads that load and render pages.
const MAX_HANDLERS: usize = 8;
/// Maximum time for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum length of the head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;
/// Pause after the socket has failed to accept, such as because no file descriptor is free.
const ACCEPT_RETRY_INTERVAL: Duration = Duration::from_millis(100);

/// Settings of a server.
#[derive(Debug, Clone, Default)]
pub struct WebOptions {
    /// Names of the server, with the port, that browsers may use besides its address and `localhost`.
    pub names: Vec<String>,
}

/// A running server. It ends when this is dropped.
pub struct WebServer {
    addr: SocketAddr,
    launch_token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for WebServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebServer").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl WebServer {
    /// Serves the pages on a socket, on a thread of its own.
    ///
    /// # Errors
    /// If the socket cannot be used, or there is no randomness for the token.
    pub fn start(
        listener: TcpListener,
        options: &WebOptions,
        services: Arc<dyn Services>,
    ) -> io::Result<Self> {
        let addr = listener.local_addr()?;
        let rules = AccessRules::new(addr, &options.names).map_err(io::Error::other)?;
        let launch_token = rules.launch_token().to_owned();
        listener.set_nonblocking(true)?;
        let runtime =
            runtime::Builder::new_current_thread().enable_all().max_blocking_threads(MAX_HANDLERS).build()?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let (stop, stopped) = oneshot::channel();
        let state = Arc::new(WebState::new(services));
        let thread = thread::Builder::new().name("web".to_owned()).spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = accept(listener, state, Arc::new(rules)) => {}
                    // The sender is dropped to stop.
                    _ = stopped => {}
                }
            });
            // A replay that runs is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { addr, launch_token, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the URL with the token that signs in.
    pub fn url(&self) -> String {
        let host = match self.addr.ip().is_unspecified() {
            true => format!("localhost:{}", self.addr.port()),
            false => self.addr.to_string(),
        };
        format!("http://{host}/?token={}", self.launch_token)
    }

    /// Returns the address of the socket.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been printed.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

async fn accept(listener: tokio::net::TcpListener, state: Arc<WebState>, rules: Arc<AccessRules>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_RETRY_INTERVAL).await;
            continue;
        };
        let (state, rules) = (Arc::clone(&state), Arc::clone(&rules));
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (state, rules) = (Arc::clone(&state), Arc::clone(&rules));
                async move { Ok::<_, std::convert::Infallible>(router::answer(state, rules, request).await) }
            });
            // An error is that of the client, which learns of it from its connection.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(MAX_HEAD)
                .serve_connection(TokioIo::new(socket), service)
                .await;
            drop(permit);
        });
    }
}
