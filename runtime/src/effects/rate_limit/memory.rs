//! Counts in memory.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_64;

use super::{Allowance, Limit, RateLimit};
use crate::effects::interpreter::{EffectContext, EffectResult, Interpreter, Started};
use crate::effects::kv::Key;

/// Number of shards. Large enough that workers rarely contend for the same one.
const SHARDS: usize = 64;

/// Number of counts of a shard at which those that are used up are removed for the first time.
const FIRST_SWEEP: usize = 64;

/// A limiter whose counts are in memory: performs the effects of [`Limit`]. It counts exactly, however many requests ask at
/// the same time. Counts that have no effect any more are removed.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    shards: [Mutex<Shard>; SHARDS],
    now: Box<dyn Fn() -> Duration + Send + Sync>,
}

struct Shard {
    /// Time at which the count of each key is used up, in microseconds.
    next_us: HashMap<Key, u64>,
    /// Number of counts at which those that are used up are removed.
    sweep_at: usize,
}

impl Memory {
    /// Creates a limiter without counts.
    pub fn new() -> Self {
        let opened = Instant::now();
        Self::with_clock(move || opened.elapsed())
    }

    /// Creates a limiter with a clock: a function that returns the time since some point, which never goes backwards.
    pub fn with_clock(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        let shard = || Mutex::new(Shard { next_us: HashMap::new(), sweep_at: FIRST_SWEEP });
        Self(Arc::new(Inner { shards: std::array::from_fn(|_| shard()), now: Box::new(now) }))
    }

    /// Decides about `cost` more, and counts them if they are allowed.
    pub fn check(&self, key: &Key, limit: Limit, cost: u32) -> Allowance {
        let shard = &self.0.shards[xxh3_64(key.as_bytes()) as usize % SHARDS];
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        // Within the lock, so that times are in the order of the counts.
        let now_us = u64::try_from((self.0.now)().as_micros()).unwrap_or(u64::MAX);
        let (allowance, next_us) = limit.decide(shard.next_us.get(key).copied(), now_us, cost);
        if let Some(next_us) = next_us {
            match shard.next_us.get_mut(key) {
                Some(known) => *known = next_us,
                None => shard.add(key.clone(), next_us, now_us),
            }
        }
        allowance
    }
}

impl Shard {
    fn add(&mut self, key: Key, next_us: u64, now_us: u64) {
        if self.next_us.len() >= self.sweep_at {
            self.next_us.retain(|_, next_us| *next_us > now_us);
            self.sweep_at = (2 * self.next_us.len()).max(FIRST_SWEEP);
        }
        self.next_us.insert(key, next_us);
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl Interpreter<RateLimit> for Memory {
    fn start(&self, args: &RateLimit, _context: &EffectContext) -> Started<EffectResult<RateLimit>> {
        Started::Ready(Ok(self.check(&args.key, args.limit, args.cost)))
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn threads_share_an_exact_count() {
        let limiter = Memory::with_clock(|| Duration::from_secs(1));
        let (limit, key) = (Limit::per_minute(1000), Key::from("a"));
        let allowed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let count = (0..500).filter(|_| limiter.check(&key, limit, 1).allowed).count();
                    allowed.fetch_add(count as u64, Ordering::Relaxed);
                });
            }
        });
        assert_eq!(allowed.into_inner(), 1000);
        assert!(limiter.check(&Key::from("b"), limit, 1).allowed, "keys are counted apart");
    }

    #[test]
    fn counts_that_are_used_up_are_removed() {
        let now = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&now);
        let limiter = Memory::with_clock(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        for client in 0..100_000_u64 {
            now.store(client, Ordering::Relaxed);
            assert!(limiter.check(&Key::from(client), Limit::per_second(1), 1).allowed);
        }
        let kept: usize = limiter.0.shards.iter().map(|shard| shard.lock().unwrap().next_us.len()).sum();
        assert!(kept <= SHARDS * (FIRST_SWEEP + 1), "{kept}");
    }
}
