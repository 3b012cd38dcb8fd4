//! Items that wait on one worker and could also run on another. The owner takes an item back when its turn comes, or an
//! idle worker steals it. Exactly one of them gets it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, PoisonError};

use super::park_state::ParkState;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// The stealable items of one worker.
pub(crate) struct StealQueue<K, T> {
    inner: Mutex<Inner<K, T>>,
    stealable: Arc<StealableCount>,
}

/// Number of stealable items on all workers, so that a check takes no lock.
#[derive(Debug, Default)]
pub(crate) struct StealableCount(AtomicUsize);

struct Inner<K, T> {
    /// Stolen in order of their keys.
    entries: BTreeMap<K, T>,
    /// Keys of stolen items that the owner has not removed from its run queue yet.
    stolen: Vec<K>,
}

impl<K: Copy + Ord, T> StealQueue<K, T> {
    pub(crate) fn new(stealable: Arc<StealableCount>) -> Self {
        Self { inner: Mutex::new(Inner { entries: BTreeMap::new(), stolen: Vec::new() }), stealable }
    }

    /// Adds an item. A worker that parks afterwards finds it; the caller must look for a worker that is parked already.
    pub(crate) fn push(&self, key: K, item: T) {
        self.change(|inner| {
            inner.entries.insert(key, item);
            self.stealable.0.fetch_add(1, Ordering::Relaxed);
        });
        // Pairs with the fence in `StealableCount::has_any`.
        fence(Ordering::SeqCst);
    }

    /// Removes an item for its owner. Returns `None` if another worker has stolen it.
    pub(crate) fn take_back(&self, key: K) -> Option<T> {
        self.change(|inner| self.decrement(inner.entries.remove(&key)))
    }

    /// Removes the first item for another worker.
    pub(crate) fn steal(&self) -> Option<T> {
        self.change(|inner| {
            let (key, item) = self.decrement(inner.entries.pop_first())?;
            inner.stolen.push(key);
            Some(item)
        })
    }

    /// Returns the keys of the items that were stolen since the last call.
    pub(crate) fn drain_stolen(&self) -> Vec<K> {
        self.change(|inner| mem::take(&mut inner.stolen))
    }

    /// Uncounts a removed item. Called under the lock, so that a worker that finds nothing here sees the new count too.
    fn decrement<R>(&self, removed: Option<R>) -> Option<R> {
        if removed.is_some() {
            self.stealable.0.fetch_sub(1, Ordering::Relaxed);
        }
        removed
    }

    fn change<R>(&self, change: impl FnOnce(&mut Inner<K, T>) -> R) -> R {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StealableCount {
    /// Parks a worker. Returns an item if there is one to take.
    pub(crate) fn park<T>(&self, park_state: &ParkState, take: impl FnOnce() -> Option<T>) -> Option<T> {
        // In this order, so that a thread that adds an item after the check finds the worker parked.
        park_state.park();
        if self.has_any() { take() } else { None }
    }

    /// Gives up the claim on a parked worker without giving it anything. Returns an item for the worker if one was added
    /// while the claim kept other threads from waking it.
    pub(crate) fn release<T>(
        &self,
        park_state: &ParkState,
        mut take: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        park_state.release();
        while self.has_any() && park_state.claim() {
            let item = take();
            if item.is_some() {
                return item;
            }
            park_state.release();
        }
        None
    }

    /// Returns true if any worker has a stealable item.
    pub(crate) fn has_any(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) > 0
    }
}
