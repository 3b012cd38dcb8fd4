//! The bounded way to the one thread that takes: whoever puts something in never waits, and what finds no room is
//! counted. The consumer may sleep, and is woken.

use std::time::Duration;

use crate::sync::{
    AtomicBool, AtomicU64, OnceLock, Ordering, Receiver, Sender, Thread, bounded, current, fence,
    park_timeout,
};

pub(crate) struct Inbox<T> {
    sender: Sender<T>,
    /// Whether the consumer sleeps until it is woken; while it naps, it is left alone, for waking it costs more than all
    /// else here.
    is_asleep: AtomicBool,
    consumer: OnceLock<Thread>,
    dropped: AtomicU64,
}

impl<T> Inbox<T> {
    pub(crate) fn new(len: usize) -> (Self, Receiver<T>) {
        let (sender, receiver) = bounded(len);
        let inbox = Self {
            sender,
            is_asleep: AtomicBool::new(false),
            consumer: OnceLock::new(),
            dropped: AtomicU64::new(0),
        };
        (inbox, receiver)
    }

    /// Puts something in. Where there is no room for it, it comes back.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if let Err(back) = self.sender.try_send(item) {
            self.count_drop();
            return Err(back.into_inner());
        }
        // Against the fence in `sleep`: either the consumer sees the item, or this sees that it sleeps.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) && self.is_asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
        Ok(())
    }

    /// There is no room for one.
    pub(crate) fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.sender.len() as u64
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Says which thread is the consumer; called by itself.
    pub(crate) fn attach(&self) {
        let _ = self.consumer.set(current());
    }

    /// The consumer sleeps until there is something for it, or somebody wakes it, but no longer than `at_most`.
    pub(crate) fn sleep(&self, receiver: &Receiver<T>, at_most: Duration) {
        // No plain store: loom takes one for possible that comes between a swap and what that has read.
        self.is_asleep.swap(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if receiver.is_empty() {
            park_timeout(at_most);
        }
        self.is_asleep.swap(false, Ordering::Relaxed);
    }

    pub(crate) fn wake(&self) {
        if let Some(consumer) = self.consumer.get() {
            consumer.unpark();
        }
    }
}
