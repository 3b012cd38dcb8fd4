//! A bounded queue with one consumer. Producers never wait; items that do not fit are counted. The consumer may sleep,
//! and is then woken.

use std::time::Duration;

use crate::sync::{
    AtomicBool, AtomicU64, OnceLock, Ordering, Receiver, Sender, Thread, bounded, current, fence,
    park_timeout,
};

pub(crate) struct Inbox<T> {
    sender: Sender<T>,
    /// True while the consumer sleeps until it is woken. It is not woken from a nap, because waking it costs more than
    /// everything else here.
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

    /// Adds an item, or returns it if the queue is full.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        if let Err(back) = self.sender.try_send(item) {
            self.count_drop();
            return Err(back.into_inner());
        }
        // Pairs with the fence in `sleep`: either the consumer sees the item, or this thread sees that the consumer
        // sleeps.
        fence(Ordering::SeqCst);
        if self.is_asleep.load(Ordering::Relaxed) && self.is_asleep.swap(false, Ordering::Relaxed) {
            self.wake();
        }
        Ok(())
    }

    /// Counts an item that does not fit.
    pub(crate) fn count_drop(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.sender.len() as u64
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Registers the current thread as the consumer.
    pub(crate) fn attach(&self) {
        let _ = self.consumer.set(current());
    }

    /// Puts the consumer to sleep until there is an item or it is woken, but not longer than `at_most`.
    pub(crate) fn sleep(&self, receiver: &Receiver<T>, at_most: Duration) {
        // Not a plain store, which loom would allow between a swap and its read.
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
