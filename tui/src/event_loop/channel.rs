//! The channel on which the event loop listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel as channel_of};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::message::Message;

/// With more messages waiting, whoever has many of them should pause.
const MAX_PENDING: usize = 64;
/// The same for whoever has large ones.
const MAX_PENDING_PAGES: usize = 4;
/// Messages are taken in for so long before what they changed is drawn.
const MAX_BATCH_TIME: Duration = Duration::from_millis(8);
/// How often the time is looked at.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// Sends messages to a running [`run()`] from elsewhere. It never waits.
#[derive(Debug, Clone)]
pub struct MessageSender {
    sender: Sender<Message>,
    /// How many messages wait.
    pending: Arc<AtomicUsize>,
}

impl MessageSender {
    /// Sends a message. Nothing happens if it has ended.
    pub fn send(&self, message: Message) {
        self.try_send(message);
    }

    /// The same; whether it was still there.
    pub(crate) fn try_send(&self, message: Message) -> bool {
        self.pending.fetch_add(1, Ordering::AcqRel);
        self.sender.send(message).is_ok()
    }

    /// Whether so much waits that no page of requests should be added: each takes up a megabyte.
    pub(crate) fn has_page_backlog(&self) -> bool {
        self.pending.load(Ordering::Acquire) > MAX_PENDING_PAGES
    }

    /// Whether so much waits that whoever has much to send should pause, or leave it.
    pub fn is_backlogged(&self) -> bool {
        self.pending.load(Ordering::Acquire) > MAX_PENDING
    }
}

/// What [`run()`] listens on.
#[derive(Debug)]
pub struct MessageReceiver {
    receiver: Receiver<Message>,
    pending: Arc<AtomicUsize>,
}

impl MessageReceiver {
    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        self.receiver.recv_timeout(MAX_WAIT).inspect(|_| self.count_received())
    }

    /// Waits a moment for messages, and gives those that come, the time before them: until nothing more is there, or what
    /// they changed is to be drawn. None when nobody can send any more.
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

/// Makes the channel on which [`run()`] listens.
pub fn channel() -> (MessageSender, MessageReceiver) {
    let (sender, receiver) = channel_of();
    let pending = Arc::new(AtomicUsize::new(0));
    (MessageSender { sender, pending: Arc::clone(&pending) }, MessageReceiver { receiver, pending })
}

pub(super) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
