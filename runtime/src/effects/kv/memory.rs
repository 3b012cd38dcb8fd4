//! In-memory store.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;
use zerver_engine::EffectError;

use super::addition::sum;
use super::expiry::{Clock, NEVER};
use super::{Answer, Key, Op, Stored};
use crate::effects::interpreter::{EffectContext, EffectResult, Interpreter, Started};

/// Number of shards. Large enough that workers rarely contend for the same one.
const SHARDS: usize = 64;

/// Maximum number of expired entries that a write removes from its shard. More than one, so that more are removed than
/// added.
const SWEPT_PER_WRITE: usize = 4;

/// A store in memory. Its entries do not outlive the process. It answers immediately, and returns a value without
/// copying it if the value is read as the type that was put.
///
/// A clone is another handle of the same store. The store keeps everything that is put into it; only entries that
/// expire are removed.
///
/// ```
/// use zerver::effects::kv;
/// let store = kv::Memory::new().entry(("stock", "tea"), 12);
/// # let _ = store;
/// ```
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    shards: Box<[Shard]>,
    clock: Clock,
}

/// Aligned so that neighboring shards do not share cache lines.
#[repr(align(128))]
#[derive(Default)]
struct Shard(RwLock<Entries>);

#[derive(Default)]
struct Entries {
    by_key: BTreeMap<Key, Entry>,
    /// Keys of the entries that expire, soonest first.
    by_expiry: BTreeSet<(u64, Key)>,
}

struct Entry {
    value: Stored,
    expires_ms: u64,
}

impl Memory {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::with_entry_clock(Clock::real())
    }

    /// Creates an empty store with a clock: a function that returns the time since the Unix epoch, which determines
    /// when entries expire.
    pub fn with_clock(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self::with_entry_clock(Clock::new(now))
    }

    fn with_entry_clock(clock: Clock) -> Self {
        Self(Arc::new(Inner { shards: (0..SHARDS).map(|_| Shard::default()).collect(), clock }))
    }

    /// Adds an entry.
    #[must_use]
    pub fn entry<T: Serialize + Send + Sync + 'static>(self, key: impl Into<Key>, value: T) -> Self {
        let key = key.into();
        self.write(&key).set(&key, Stored::new(value), NEVER);
        self
    }

    /// Performs an operation.
    ///
    /// # Errors
    /// `invalid` if the key is too long or a sum overflows; `malformed` if a number is added to a value that is not a
    /// number.
    pub fn perform(&self, op: &Op) -> Result<Answer, EffectError> {
        op.check()?;
        let clock = &self.0.clock;
        Ok(match op {
            Op::Get { key } => match self.read(key).live(key, clock) {
                Some(entry) => Answer::Found(entry.value.clone()),
                None => Answer::Absent,
            },
            Op::Put { key, value, expires_in_ms } => {
                let expires_ms = clock.after(*expires_in_ms);
                let mut entries = self.write(key);
                entries.sweep(clock);
                entries.set(key, value.clone(), expires_ms);
                Answer::Stored
            }
            Op::PutIfAbsent { key, value, expires_in_ms } => {
                let mut entries = self.write(key);
                entries.sweep(clock);
                match entries.live(key, clock) {
                    Some(entry) => Answer::Existing(entry.value.clone()),
                    None => {
                        entries.set(key, value.clone(), clock.after(*expires_in_ms));
                        Answer::Stored
                    }
                }
            }
            Op::Replace { key, from, value, expires_in_ms } => {
                let mut entries = self.write(key);
                entries.sweep(clock);
                match entries.live(key, clock) {
                    Some(entry) if entry.value == *from => {
                        entries.set(key, value.clone(), clock.after(*expires_in_ms));
                        Answer::Stored
                    }
                    Some(entry) => Answer::Existing(entry.value.clone()),
                    None => Answer::Absent,
                }
            }
            Op::DeleteIf { key, value } => {
                let mut entries = self.write(key);
                match entries.live(key, clock) {
                    Some(entry) if entry.value == *value => {
                        entries.remove(key);
                        Answer::Deleted(1)
                    }
                    Some(entry) => Answer::Existing(entry.value.clone()),
                    None => Answer::Absent,
                }
            }
            Op::Add { key, delta, expires_in_ms } => {
                let mut entries = self.write(key);
                entries.sweep(clock);
                let (sum, expires_ms) = match entries.live(key, clock) {
                    Some(entry) => (sum(key, &entry.value, *delta)?, entry.expires_ms),
                    None => (*delta, clock.after(*expires_in_ms)),
                };
                entries.set(key, Stored::new(sum), expires_ms);
                Answer::Number(sum)
            }
            Op::Delete { key } => {
                let mut entries = self.write(key);
                match entries.remove(key) {
                    Some(entry) if !clock.is_past(entry.expires_ms) => Answer::Deleted(1),
                    _ => Answer::Absent,
                }
            }
            Op::DeleteAll { prefix } => {
                let mut shards: Vec<_> = self.0.shards.iter().map(Shard::write).collect();
                let mut deleted = 0;
                for entries in &mut shards {
                    let keys: Vec<_> =
                        entries.with_prefix(prefix, None).map(|(key, _)| key.clone()).collect();
                    for entry in keys.iter().filter_map(|key| entries.remove(key)) {
                        deleted += u64::from(!clock.is_past(entry.expires_ms));
                    }
                }
                Answer::Deleted(deleted)
            }
            Op::List { prefix, after, limit } => {
                // All shards are locked together, so that the list is a consistent snapshot.
                let shards: Vec<_> = self.0.shards.iter().map(Shard::read).collect();
                let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
                let mut found: Vec<(&Key, &Entry)> = Vec::new();
                for entries in &shards {
                    let live = entries.with_prefix(prefix, after.as_ref());
                    found.extend(live.filter(|(_, entry)| !clock.is_past(entry.expires_ms)).take(limit));
                }
                found.sort_unstable_by_key(|(key, _)| *key);
                found.truncate(limit);
                Answer::Entries(
                    found.into_iter().map(|(key, entry)| (key.clone(), entry.value.clone())).collect(),
                )
            }
        })
    }

    fn shard(&self, key: &Key) -> &Shard {
        &self.0.shards[xxh3_64(key.as_bytes()) as usize % SHARDS]
    }

    fn read(&self, key: &Key) -> RwLockReadGuard<'_, Entries> {
        self.shard(key).read()
    }

    fn write(&self, key: &Key) -> RwLockWriteGuard<'_, Entries> {
        self.shard(key).write()
    }
}

// A poisoned shard is still consistent: while it is locked, values are only cloned and dropped as pointers.
impl Shard {
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn live(&self, key: &Key, clock: &Clock) -> Option<&Entry> {
        self.by_key.get(key).filter(|entry| !clock.is_past(entry.expires_ms))
    }

    fn with_prefix<'a>(
        &'a self,
        prefix: &'a Key,
        after: Option<&'a Key>,
    ) -> impl Iterator<Item = (&'a Key, &'a Entry)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.by_key
            .range::<Key, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.as_bytes().starts_with(prefix.as_bytes()))
    }

    fn set(&mut self, key: &Key, value: Stored, expires_ms: u64) {
        let old = self.by_key.insert(key.clone(), Entry { value, expires_ms });
        if let Some(old) = old.filter(|old| old.expires_ms != NEVER) {
            self.by_expiry.remove(&(old.expires_ms, key.clone()));
        }
        if expires_ms != NEVER {
            self.by_expiry.insert((expires_ms, key.clone()));
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.by_key.remove(key)?;
        if entry.expires_ms != NEVER {
            self.by_expiry.remove(&(entry.expires_ms, key.clone()));
        }
        Some(entry)
    }

    fn sweep(&mut self, clock: &Clock) {
        for _ in 0..SWEPT_PER_WRITE {
            match self.by_expiry.first() {
                Some((expires_ms, _)) if clock.is_past(*expires_ms) => {}
                _ => return,
            }
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.by_key.remove(&key);
            }
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let len: usize = self.0.shards.iter().map(|shard| shard.read().by_key.len()).sum();
        write!(f, "kv::Memory({len} entries)")
    }
}

impl Interpreter<Op> for Memory {
    fn start(&self, op: &Op, _context: &EffectContext) -> Started<EffectResult<Op>> {
        Started::Ready(self.perform(op))
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}
