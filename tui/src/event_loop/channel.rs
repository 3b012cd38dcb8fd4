//! Channel that carries messages to the event loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel as channel_of};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::message::Message;

/// Number of pending messages above which senders should pause.
const MAX_PENDING: usize = 64;
/// Number of pending messages above which no further page of requests is sent. A page takes up to a megabyte.
const MAX_PENDING_PAGES: usize = 4;
/// Maximum time spent handling messages before the next frame is drawn.
const MAX_BATCH_TIME: Duration = Duration::from_millis(8);
/// Maximum time to wait for a message; also the interval of [`Message::Tick`].
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Sends messages to a running [`crate::run()`] from any thread. Never blocks.
#[derive(Debug, Clone)]
pub struct MessageSender {
    sender: Sender<Message>,
    /// Number of messages sent but not yet received.
    pending: Arc<AtomicUsize>,
}

impl MessageSender {
    /// Sends a message. Does nothing if the UI has ended.
    pub fn send(&self, message: Message) {
        self.try_send(message);
    }

    /// Sends a message, and returns false if the UI has ended.
    pub(crate) fn try_send(&self, message: Message) -> bool {
        self.pending.fetch_add(1, Ordering::AcqRel);
        self.sender.send(message).is_ok()
    }

    /// Returns true if no further page of requests should be sent for now.
    pub(crate) fn has_page_backlog(&self) -> bool {
        self.pending.load(Ordering::Acquire) > MAX_PENDING_PAGES
    }

    /// Returns true if a sender should pause or drop messages, because too many are pending.
    pub fn is_backlogged(&self) -> bool {
        self.pending.load(Ordering::Acquire) > MAX_PENDING
    }
}

/// Receiving end, for [`crate::run()`].
#[derive(Debug)]
pub struct MessageReceiver {
    receiver: Receiver<Message>,
    pending: Arc<AtomicUsize>,
}

impl MessageReceiver {
    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        self.receiver.recv_timeout(MAX_WAIT).inspect(|_| self.count_received())
    }

    /// Waits for messages and returns them one after another, preceded by the current time. The iterator ends when no
    /// message is left or a frame is due. Returns `None` once all senders are gone.
    pub fn next_batch(&self) -> Option<impl Iterator<Item = Message>> {
        let first = match self.wait() {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let until = Instant::now() + MAX_BATCH_TIME;
        let rest = std::iter::from_fn(move || (Instant::now() < until).then(|| self.try_next()).flatten());
        Some([Message::Tick(now_unix_ns())].into_iter().chain(first).chain(rest))
    }

    fn count_received(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }

    fn try_next(&self) -> Option<Message> {
        self.receiver.try_recv().ok().inspect(|_| self.count_received())
    }
}

/// Creates the channel for [`crate::run()`].
pub fn channel() -> (MessageSender, MessageReceiver) {
    let (sender, receiver) = channel_of();
    let pending = Arc::new(AtomicUsize::new(0));
    (MessageSender { sender, pending: Arc::clone(&pending) }, MessageReceiver { receiver, pending })
}

pub(super) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
