//! Messages that a worker receives from other threads.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use zerver_engine::SchedulingSettings;

use crate::mount::mounted_request::MountedRequest;

/// Message to a worker.
pub(crate) enum WorkerMessage {
    /// Serve this connection. Contains the time at which it was accepted.
    Connection(TcpStream, SocketAddr, Instant),
    /// Answer this request, which another server has received.
    Request(Box<MountedRequest>),
    /// Schedule by these settings from now on.
    Retune(Arc<SchedulingSettings>),
    /// Finish the requests in flight, then stop.
    Drain,
}

pub(crate) type Inbox = mpsc::UnboundedReceiver<WorkerMessage>;
pub(crate) type Outbox = mpsc::UnboundedSender<WorkerMessage>;
