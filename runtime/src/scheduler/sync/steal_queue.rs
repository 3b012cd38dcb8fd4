//! What waits on a worker and could as well run on another: its worker takes it out when its time has come, or any other
//! that has nothing to do. One of them gets it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, PoisonError};

use super::park_state::ParkState;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// Those of one worker.
pub(crate) struct StealQueue<K, T> {
    inner: Mutex<Inner<K, T>>,
    stealable: Arc<StealableCount>,
}

/// How many there are on all workers, so that looking takes no lock.
#[derive(Debug, Default)]
pub(crate) struct StealableCount(AtomicUsize);

struct Inner<K, T> {
    /// The first goes first.
    entries: BTreeMap<K, T>,
    /// Those that another worker has, and that this one does not know of yet.
    stolen: Vec<K>,
}

impl<K: Copy + Ord, T> StealQueue<K, T> {
    pub(crate) fn new(stealable: Arc<StealableCount>) -> Self {
        Self { inner: Mutex::new(Inner { entries: BTreeMap::new(), stolen: Vec::new() }), stealable }
    }

    /// This one waits. A worker that falls asleep afterwards finds it; who puts it here looks for one that sleeps already.
    pub(crate) fn push(&self, key: K, item: T) {
        self.change(|inner| {
            inner.entries.insert(key, item);
            self.stealable.0.fetch_add(1, Ordering::Relaxed);
        });
        // Pairs with the one in `StealableCount::has_any`.
        fence(Ordering::SeqCst);
    }

    /// It is to wait here no longer. None if another worker has it.
    pub(crate) fn take_back(&self, key: K) -> Option<T> {
        self.change(|inner| self.decrement(inner.entries.remove(&key)))
    }

    /// The first, for another worker.
    pub(crate) fn steal(&self) -> Option<T> {
        self.change(|inner| {
            let (key, item) = self.decrement(inner.entries.pop_first())?;
            inner.stolen.push(key);
            Some(item)
        })
    }

    /// Those that others have taken since.
    pub(crate) fn drain_stolen(&self) -> Vec<K> {
        self.change(|inner| mem::take(&mut inner.stolen))
    }

    /// Counted before others can look here, so that who has found nothing knows it.
    fn decrement<R>(&self, stolen: Option<R>) -> Option<R> {
        if stolen.is_some() {
            self.stealable.0.fetch_sub(1, Ordering::Relaxed);
        }
        stolen
    }

    fn change<R>(&self, change: impl FnOnce(&mut Inner<K, T>) -> R) -> R {
        change(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StealableCount {
    /// A worker falls asleep, unless there is something to take.
    pub(crate) fn park<T>(&self, park_state: &ParkState, take: impl FnOnce() -> Option<T>) -> Option<T> {
        // In this order: who offers something afterwards finds it asleep.
        park_state.park();
        if self.has_any() { take() } else { None }
    }

    /// Who has claimed a worker has nothing for it. It sleeps on, unless something has been offered while nobody else could
    /// claim it: that is for it.
    pub(crate) fn release<T>(
        &self,
        park_state: &ParkState,
        mut take: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        park_state.release();
        while self.has_any() && park_state.claim() {
            let stolen = take();
            if stolen.is_some() {
                return stolen;
            }
            park_state.release();
        }
        None
    }

    /// Whether any worker has one.
    pub(crate) fn has_any(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) > 0
    }
}
