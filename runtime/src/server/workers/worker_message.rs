//! The messages that a worker receives from other threads.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use zerver_engine::SchedulingSettings;

/// What a worker is told.
pub(crate) enum WorkerMessage {
    /// Serve this connection, which was accepted at this time.
    Connection(TcpStream, SocketAddr, Instant),
    /// Give turns in another way from now on.
    Retune(Arc<SchedulingSettings>),
    /// Finish what is in flight, then stop.
    Drain,
}

pub(crate) type Inbox = mpsc::UnboundedReceiver<WorkerMessage>;
pub(crate) type Outbox = mpsc::UnboundedSender<WorkerMessage>;
