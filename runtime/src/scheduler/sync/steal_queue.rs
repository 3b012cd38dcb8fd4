//! What waits on a worker and could as well run on another: its worker takes it out when its time has come, or any other
//! that has nothing to do. One of them gets it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, PoisonError};

use super::park_state::Idle;
use crate::sync::{AtomicUsize, Mutex, Ordering, fence};

/// Those of one worker.
pub(crate) struct Offers<K, T> {
    open: Mutex<Open<K, T>>,
    offered: Arc<Offered>,
}

/// How many there are on all workers, so that looking takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Offered(AtomicUsize);

struct Open<K, T> {
    /// The first goes first.
    all: BTreeMap<K, T>,
    /// Those that another worker has, and that this one does not know of yet.
    taken: Vec<K>,
}

impl<K: Copy + Ord, T> Offers<K, T> {
    pub(crate) fn new(offered: Arc<Offered>) -> Self {
        Self { open: Mutex::new(Open { all: BTreeMap::new(), taken: Vec::new() }), offered }
    }

    /// This one waits. A worker that falls asleep afterwards finds it; who puts it here looks for one that sleeps already.
    pub(crate) fn put(&self, key: K, what: T) {
        self.change(|open| {
            open.all.insert(key, what);
            self.offered.0.fetch_add(1, Ordering::Relaxed);
        });
        // Pairs with the one in `Offered::is_any`.
        fence(Ordering::SeqCst);
    }

    /// It is to wait here no longer. None if another worker has it.
    pub(crate) fn take_back(&self, key: K) -> Option<T> {
        self.change(|open| self.one_less(open.all.remove(&key)))
    }

    /// The first, for another worker.
    pub(crate) fn take(&self) -> Option<T> {
        self.change(|open| {
            let (key, what) = self.one_less(open.all.pop_first())?;
            open.taken.push(key);
            Some(what)
        })
    }

    /// Those that others have taken since.
    pub(crate) fn taken(&self) -> Vec<K> {
        self.change(|open| mem::take(&mut open.taken))
    }

    /// Counted before others can look here, so that who has found nothing knows it.
    fn one_less<R>(&self, taken: Option<R>) -> Option<R> {
        if taken.is_some() {
            self.offered.0.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn change<R>(&self, change: impl FnOnce(&mut Open<K, T>) -> R) -> R {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Offered {
    /// A worker falls asleep, unless there is something to take.
    pub(crate) fn falls_asleep<T>(&self, idle: &Idle, take: impl FnOnce() -> Option<T>) -> Option<T> {
        // In this order: who offers something afterwards finds it asleep.
        idle.sleeps();
        if self.is_any() { take() } else { None }
    }

    /// Who has claimed a worker has nothing for it. It sleeps on, unless something has been offered while nobody else could
    /// claim it: that is for it.
    pub(crate) fn give_up<T>(&self, idle: &Idle, mut take: impl FnMut() -> Option<T>) -> Option<T> {
        idle.give_up();
        while self.is_any() && idle.claim() {
            let taken = take();
            if taken.is_some() {
                return taken;
            }
            idle.give_up();
        }
        None
    }

    /// Whether any worker has one.
    pub(crate) fn is_any(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) > 0
    }
}
