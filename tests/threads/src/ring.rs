//! A model of crossbeam's bounded channel in its array flavor (after Vyukov's bounded queue), for one receiver. It has
//! no lock that would order more than the operations of the original do.

use std::sync::{Arc, Mutex};

use loom::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Sender<T>(Arc<Ring<T>>);
pub(crate) struct Receiver<T>(Arc<Ring<T>>);

/// Error of a full channel.
#[derive(Debug)]
pub(crate) struct Full<T>(T);

struct Ring<T> {
    slots: Vec<Slot<T>>,
    head: AtomicUsize,
    tail: AtomicUsize,
}

struct Slot<T> {
    /// Turn of the slot: that of the thread that may write it, and one more for the thread that may read it.
    stamp: AtomicUsize,
    item: Mutex<Option<T>>,
}

pub(crate) fn bounded<T>(len: usize) -> (Sender<T>, Receiver<T>) {
    let slot = |at| Slot { stamp: AtomicUsize::new(2 * at), item: Mutex::default() };
    let ring =
        Ring { slots: (0..len).map(slot).collect(), head: AtomicUsize::new(0), tail: AtomicUsize::new(0) };
    let ring = Arc::new(ring);
    (Sender(Arc::clone(&ring)), Receiver(ring))
}

impl<T> Full<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Sender<T> {
    pub(crate) fn try_send(&self, item: T) -> Result<(), Full<T>> {
        let ring = &self.0;
        let mut tail = ring.tail.load(Ordering::Relaxed);
        loop {
            let slot = &ring.slots[tail % ring.slots.len()];
            let stamp = slot.stamp.load(Ordering::Acquire);
            if stamp < 2 * tail {
                return Err(Full(item));
            }
            if stamp > 2 * tail {
                tail = ring.tail.load(Ordering::Acquire);
                continue;
            }
            match ring.tail.compare_exchange(tail, tail + 1, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => {
                    *slot.item.lock().unwrap() = Some(item);
                    slot.stamp.store(2 * tail + 1, Ordering::Release);
                    return Ok(());
                }
                Err(now) => tail = now,
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.tail.load(Ordering::SeqCst) - self.0.head.load(Ordering::SeqCst)
    }
}

impl<T> Receiver<T> {
    pub(crate) fn try_recv(&self) -> Option<T> {
        let ring = &self.0;
        let head = ring.head.load(Ordering::Relaxed);
        let slot = &ring.slots[head % ring.slots.len()];
        while slot.stamp.load(Ordering::Acquire) != 2 * head + 1 {
            if self.is_empty() {
                return None;
            }
            // The slot is being written.
            loom::thread::yield_now();
        }
        let item = slot.item.lock().unwrap().take();
        ring.head.store(head + 1, Ordering::SeqCst);
        slot.stamp.store(2 * (head + ring.slots.len()), Ordering::Release);
        item
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.head.load(Ordering::SeqCst) == self.0.tail.load(Ordering::SeqCst)
    }
}
