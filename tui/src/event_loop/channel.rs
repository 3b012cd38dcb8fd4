//! The channel on which the event loop listens.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel as channel_of};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::message::Message;

/// With more messages waiting, whoever has many of them should pause.
const MANY: usize = 64;
/// The same for whoever has large ones.
const FEW: usize = 4;
/// Messages are taken in for so long before what they changed is drawn.
const BATCH: Duration = Duration::from_millis(8);
/// How often the time is looked at.
const TICK: Duration = Duration::from_millis(250);

/// Sends messages to a running [`run()`] from elsewhere. It never waits.
#[derive(Debug, Clone)]
pub struct MessageSender {
    tell: Sender<Message>,
    /// How many messages wait.
    waiting: Arc<AtomicUsize>,
}

impl MessageSender {
    /// Sends a message. Nothing happens if it has ended.
    pub fn send(&self, message: Message) {
        self.is_heard(message);
    }

    /// The same; whether it was still there.
    pub(crate) fn is_heard(&self, message: Message) -> bool {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        self.tell.send(message).is_ok()
    }

    /// Whether so much waits that no page of requests should be added: each takes up a megabyte.
    pub(crate) fn has_pages(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > FEW
    }

    /// Whether so much waits that whoever has much to send should pause, or leave it.
    pub fn is_behind(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > MANY
    }
}

/// What [`run()`] listens on.
#[derive(Debug)]
pub struct MessageReceiver {
    told: Receiver<Message>,
    waiting: Arc<AtomicUsize>,
}

impl MessageReceiver {
    fn wait(&self) -> Result<Message, RecvTimeoutError> {
        self.told.recv_timeout(TICK).inspect(|_| self.heard())
    }

    /// Waits a moment for messages, and gives those that come, the time before them: until nothing more is there, or what
    /// they changed is to be drawn. None when nobody can send any more.
    pub fn messages(&self) -> Option<impl Iterator<Item = Message>> {
        let first = match self.wait() {
            Ok(message) => Some(message),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        let until = Instant::now() + BATCH;
        let more = std::iter::from_fn(move || (Instant::now() < until).then(|| self.more()).flatten());
        Some([Message::Tick(now_unix_ns())].into_iter().chain(first).chain(more))
    }

    fn heard(&self) {
        self.waiting.fetch_sub(1, Ordering::AcqRel);
    }

    fn more(&self) -> Option<Message> {
        self.told.try_recv().ok().inspect(|_| self.heard())
    }
}

/// Makes the channel on which [`run()`] listens.
pub fn channel() -> (MessageSender, MessageReceiver) {
    let (tell, told) = channel_of();
    let waiting = Arc::new(AtomicUsize::new(0));
    (MessageSender { tell, waiting: Arc::clone(&waiting) }, MessageReceiver { told, waiting })
}

pub(super) fn now_unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
