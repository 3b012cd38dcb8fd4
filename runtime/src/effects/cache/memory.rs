//! The values of a cache in memory, up to a number of entries.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use xxhash_rust::xxh3::xxh3_64;

use crate::effects::kv::{Clock, Key, Stored};

/// Number of shards. Large enough that workers rarely contend for the same one.
const SHARDS: usize = 64;

/// Values that expire. If there are too many, one that was not read lately is removed for each that is added ("CLOCK":
/// F. Corbató, A Paging Experiment with the Multics System, 1968).
pub(super) struct Entries {
    shards: Box<[RwLock<Shard>]>,
    max_entries: usize,
    clock: Clock,
}

#[derive(Default)]
struct Shard {
    by_key: HashMap<Key, Entry>,
    /// Keys in the order in which they are considered for removal, each with the number of its entry.
    queue: VecDeque<(u64, Key)>,
    next_number: u64,
}

struct Entry {
    value: Stored,
    expires_ms: u64,
    number: u64,
    was_read: AtomicBool,
}

impl Entries {
    pub(super) fn new(max_entries: usize, clock: Clock) -> Self {
        // Few entries have few shards, so that the limit of each shard is not far from the mean.
        let shards = (max_entries / 64).clamp(1, SHARDS);
        let max_entries = max_entries.max(1).div_ceil(shards);
        Self { shards: (0..shards).map(|_| RwLock::default()).collect(), max_entries, clock }
    }

    fn shard(&self, key: &Key) -> &RwLock<Shard> {
        &self.shards[xxh3_64(key.as_bytes()) as usize % self.shards.len()]
    }

    pub(super) fn get(&self, key: &Key) -> Option<Stored> {
        let shard = self.shard(key).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.by_key.get(key).filter(|entry| !self.clock.is_past(entry.expires_ms))?;
        // A write would take the cache line from other threads.
        if !entry.was_read.load(Ordering::Relaxed) {
            entry.was_read.store(true, Ordering::Relaxed);
        }
        Some(entry.value.clone())
    }

    pub(super) fn put(&self, key: &Key, value: Stored, expires_in_ms: u64) {
        let expires_ms = self.clock.after(Some(expires_in_ms));
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = shard.by_key.get_mut(key) {
            entry.value = value;
            entry.expires_ms = expires_ms;
            return;
        }
        while shard.by_key.len() >= self.max_entries && shard.remove_one(&self.clock) {}
        let number = shard.next_number;
        shard.next_number += 1;
        shard.queue.push_back((number, key.clone()));
        let entry = Entry { value, expires_ms, number, was_read: AtomicBool::new(false) };
        shard.by_key.insert(key.clone(), entry);
    }

    pub(super) fn evict(&self, key: &Key) {
        let mut shard = self.shard(key).write().unwrap_or_else(PoisonError::into_inner);
        shard.by_key.remove(key);
        // The queue still has the key. It is cleared before it grows far beyond the entries.
        if shard.queue.len() > 2 * shard.by_key.len() + 16 {
            let Shard { by_key, queue, .. } = &mut *shard;
            queue.retain(|(number, key)| by_key.get(key).is_some_and(|entry| entry.number == *number));
        }
    }
}

impl Shard {
    /// Removes an entry that has expired or was not read since it was considered last. Returns false if there is none.
    fn remove_one(&mut self, clock: &Clock) -> bool {
        while let Some((number, key)) = self.queue.pop_front() {
            let Some(entry) = self.by_key.get(&key).filter(|entry| entry.number == number) else { continue };
            if entry.was_read.swap(false, Ordering::Relaxed) && !clock.is_past(entry.expires_ms) {
                self.queue.push_back((number, key));
                continue;
            }
            self.by_key.remove(&key);
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU64;
    use std::time::Duration;

    use super::*;

    fn entries(max_entries: usize) -> (Entries, Arc<AtomicU64>) {
        let now = Arc::new(AtomicU64::new(1));
        let clock = Clock::new({
            let now = Arc::clone(&now);
            move || Duration::from_millis(now.load(Ordering::Relaxed))
        });
        (Entries::new(max_entries, clock), now)
    }

    fn number(entries: &Entries, key: u64) -> Option<u64> {
        entries.get(&Key::from(key)).map(|value| value.get().unwrap())
    }

    #[test]
    fn values_expire() {
        let (entries, now) = entries(10);
        entries.put(&Key::from(1u64), Stored::new(7u64), 100);
        now.store(100, Ordering::Relaxed);
        assert_eq!(number(&entries, 1), Some(7));
        now.store(101, Ordering::Relaxed);
        assert_eq!(number(&entries, 1), None);
        entries.put(&Key::from(1u64), Stored::new(8u64), 100);
        assert_eq!(number(&entries, 1), Some(8));
        entries.evict(&Key::from(1u64));
        assert_eq!(number(&entries, 1), None);
    }

    #[test]
    fn entries_that_are_read_stay_and_others_make_room() {
        let (entries, _) = entries(10);
        for key in 0..1000u64 {
            entries.put(&Key::from(key), Stored::new(key), 1000);
            assert_eq!(number(&entries, 0), Some(0), "after {key}");
        }
        let shard = entries.shards[0].read().unwrap();
        assert_eq!((shard.by_key.len(), shard.queue.len()), (10, 10));
    }

    #[test]
    fn the_queue_does_not_grow_with_evictions() {
        let (entries, _) = entries(10);
        for _ in 0..10_000 {
            entries.put(&Key::from(1u64), Stored::new(1u64), 1000);
            entries.evict(&Key::from(1u64));
        }
        assert!(entries.shards[0].read().unwrap().queue.len() <= 17);
    }
}
