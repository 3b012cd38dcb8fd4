//! Accepts connections and distributes them evenly to the workers. It runs on a separate thread, so that a stuck worker
//! cannot delay it.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::listener::BACKLOG;
use super::workers::thread_registry::ThreadRegistry;
use crate::operator_log;

/// Initial delay after the system could not accept a connection, for example because there are no file descriptors
/// left. Doubled each time, up to the maximum.
const BACK_OFF: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// Interval between checks for a free connection slot while the service is at its limit.
const LIMIT_CHECK_INTERVAL: Duration = Duration::from_millis(5);

pub(crate) struct Acceptor {
    listener: TcpListener,
    /// The same socket without the async runtime, to accept from the backlog without waiting.
    backlog: std::net::TcpListener,
    workers: Arc<ThreadRegistry>,
    last_worker: usize,
    open: Arc<AtomicUsize>,
    limit: usize,
}

impl Acceptor {
    /// Creates an acceptor. Must be called within the async runtime on which the acceptor will run.
    pub(crate) fn new(
        listener: std::net::TcpListener,
        workers: Arc<ThreadRegistry>,
        open: Arc<AtomicUsize>,
        limit: usize,
    ) -> io::Result<Self> {
        let backlog = listener.try_clone()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, backlog, workers, last_worker: 0, open, limit })
    }

    /// Accepts connections until the sender of `stopped` is used or dropped. Then assigns the connections in the
    /// backlog to workers, and makes the workers drain.
    pub(crate) async fn run(mut self, mut stopped: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = &mut stopped => {}
            () = self.accept() => {}
        }
        // Clients in the backlog have already connected. Accept no more than the backlog can hold, because further
        // clients may connect as fast as these are assigned.
        for _ in 0..BACKLOG {
            match self.backlog.accept() {
                Ok((socket, peer)) if socket.set_nonblocking(true).is_ok() => self.assign(socket, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Ok(_) | Err(_) => {}
            }
        }
        self.workers.drain();
    }

    async fn accept(&mut self) {
        let mut back_off = BACK_OFF;
        loop {
            while self.open.load(Ordering::Relaxed) >= self.limit {
                tokio::time::sleep(LIMIT_CHECK_INTERVAL).await;
            }
            match self.listener.accept().await {
                Ok((socket, peer)) => {
                    back_off = BACK_OFF;
                    if let Ok(socket) = socket.into_std() {
                        self.assign(socket, peer);
                    }
                }
                // The error concerns only this connection (accept(2)).
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::Interrupted
                    ) => {}
                Err(error) => {
                    if back_off == BACK_OFF {
                        operator_log::warn(&format!("cannot accept a connection: {error}; retrying"));
                    }
                    tokio::time::sleep(back_off).await;
                    back_off = (2 * back_off).min(BACK_OFF_MAX);
                }
            }
        }
    }

    /// Hands a connection to a worker.
    fn assign(&mut self, socket: TcpStream, peer: SocketAddr) {
        // Send responses without delay. Without this option they are merely late, so an error is ignored.
        let _ = socket.set_nodelay(true);
        self.open.fetch_add(1, Ordering::Relaxed);
        match self.workers.assign_connection(self.last_worker + 1, socket, peer) {
            Some(last_worker) => self.last_worker = last_worker,
            None => drop(self.open.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}
