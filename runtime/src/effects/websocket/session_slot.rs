//! The way of a socket from the worker that had its connection to the session, and of the account of the session back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::account::SharedAccount;
use crate::http::ClientSocket;

/// Rules of a session that come from the service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionLimits {
    /// Maximum length of a message from the client, in bytes.
    pub(crate) message_bytes: usize,
    /// Maximum time in which a client must read a message.
    pub(crate) write_stall: Duration,
}

/// A socket whose connection no longer speaks HTTP.
#[derive(Debug)]
pub(crate) struct UpgradedSocket {
    pub(crate) socket: ClientSocket,
    /// Bytes that the client has sent after its request.
    pub(crate) early: Vec<u8>,
}

/// The parts of a session, until it takes them.
pub(crate) struct SessionSlot {
    pending: Mutex<Option<PendingSession>>,
    account: SharedAccount,
}

/// A session whose client does not have the response yet.
pub(super) struct PendingSession {
    pub(super) upgraded: oneshot::Receiver<UpgradedSocket>,
    /// Becomes true when the service stops.
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) limits: SessionLimits,
    pub(super) account: SharedAccount,
}

impl SessionSlot {
    /// Creates the slot of a session, and the sender of its socket.
    pub(crate) fn new(
        limits: SessionLimits,
        stopping: watch::Receiver<bool>,
        is_recorded: bool,
    ) -> (oneshot::Sender<UpgradedSocket>, Self) {
        let (to, upgraded) = oneshot::channel();
        let account = SharedAccount::new(is_recorded);
        let pending = PendingSession { upgraded, stopping, limits, account: account.clone() };
        (to, Self { pending: Mutex::new(Some(pending)), account })
    }

    pub(super) fn take(&self) -> Option<PendingSession> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns what has happened so far, on one line.
    pub(crate) fn summary(&self) -> String {
        self.account.end().summary()
    }
}
