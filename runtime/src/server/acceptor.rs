//! Accepts connections and deals them evenly to the workers, on a thread of its own: no worker that hangs holds it up.

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

/// How long to wait when the system has no more connections to give, such as without file descriptors; doubled each
/// time.
const BACK_OFF: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// How often to look whether there is room for another connection.
const ROOM: Duration = Duration::from_millis(5);

pub(crate) struct Acceptor {
    listener: TcpListener,
    /// The same socket, to be asked without waiting.
    backlog: std::net::TcpListener,
    workers: Arc<ThreadRegistry>,
    last_worker: usize,
    open: Arc<AtomicUsize>,
    limit: usize,
}

impl Acceptor {
    /// In the runtime where it will work.
    pub(crate) fn new(
        listener: std::net::TcpListener,
        workers: Arc<ThreadRegistry>,
        open: Arc<AtomicUsize>,
        limit: usize,
    ) -> io::Result<Self> {
        let backlog = listener.try_clone()?;
        Ok(Self { listener: TcpListener::from_std(listener)?, backlog, workers, last_worker: 0, open, limit })
    }

    /// Accepts until it is told to stop, or nobody can tell it any more. Everybody who has connected by then is dealt to a
    /// worker; then the workers are told to drain.
    pub(crate) async fn work(mut self, mut stopped: oneshot::Receiver<()>) {
        tokio::select! {
            biased;
            _ = &mut stopped => {}
            () = self.accept() => {}
        }
        // Who is in the backlog has connected already. It is not asked for more than it holds: others may connect as fast
        // as these are dealt.
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
                tokio::time::sleep(ROOM).await;
            }
            match self.listener.accept().await {
                Ok((socket, peer)) => {
                    back_off = BACK_OFF;
                    if let Ok(socket) = socket.into_std() {
                        self.assign(socket, peer);
                    }
                }
                // It concerns this one connection only (accept(2)).
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
        // Answers go out at once. Where that cannot be had, they go out later.
        let _ = socket.set_nodelay(true);
        self.open.fetch_add(1, Ordering::Relaxed);
        match self.workers.assign_connection(self.last_worker + 1, socket, peer) {
            Some(last_worker) => self.last_worker = last_worker,
            None => drop(self.open.fetch_sub(1, Ordering::Relaxed)),
        }
    }
}
