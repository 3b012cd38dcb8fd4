//! The interpreter of caches: it looks values up, lets one request at a time obtain a value, and stores it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use zerver_engine::EffectError;
use zerver_trace::Value;

use super::flight::{Flights, Landing, Leader, Lease, Part};
use super::memory::Entries;
use super::operation::{Answer, Op};
use crate::effects::interpreter::{BoxFuture, EffectContext, EffectResult, Interpreter, Started};
use crate::effects::kv::{Clock, Key, Stored};

/// Maximum number of entries of the cache that a service has by default.
const MAX_ENTRIES: usize = 10_000;

/// Version of the form in which values are given to a [`Store`].
const VERSION: u8 = 1;

/// A store outside of the process, such as Redis, which several processes share. Keys are text, and values are bytes.
pub trait Store: Send + Sync + 'static {
    /// Returns the value of a key.
    fn get(&self, key: String) -> BoxFuture<Result<Option<Bytes>, EffectError>>;

    /// Sets the value of a key. It expires after this time.
    fn put(&self, key: String, value: Bytes, expires_in: Duration) -> BoxFuture<Result<(), EffectError>>;

    /// Deletes the value of a key.
    fn evict(&self, key: String) -> BoxFuture<Result<(), EffectError>>;
}

/// A cache: performs the effects of [`cached`](super::cached()). A clone is another handle of the same cache.
///
/// ```
/// use zerver::effects::cache::Cache;
/// use zerver::prelude::*;
///
/// let app = App::new().interpreter(Cache::in_memory(100_000));
/// # let _ = app;
/// ```
#[derive(Clone)]
pub struct Cache(Arc<Inner>);

struct Inner {
    values: Values,
    flights: Arc<Flights>,
}

enum Values {
    Memory(Entries),
    Store(Box<dyn Store>),
}

impl Cache {
    /// Creates a cache in memory with at most about this number of entries. Further ones replace those that were not read
    /// lately.
    pub fn in_memory(max_entries: usize) -> Self {
        Self::new(Values::Memory(Entries::new(max_entries, Clock::real())))
    }

    /// Creates a cache in memory with a clock: a function that returns the time since the Unix epoch, which determines when
    /// values expire.
    pub fn in_memory_with_clock(
        max_entries: usize,
        now: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self::new(Values::Memory(Entries::new(max_entries, Clock::new(now))))
    }

    /// Creates a cache whose values are in a store outside of the process. If the store fails, each value is obtained as if
    /// it were not there.
    pub fn over(store: impl Store) -> Self {
        Self::new(Values::Store(Box::new(store)))
    }

    fn new(values: Values) -> Self {
        Self(Arc::new(Inner { values, flights: Arc::default() }))
    }

    fn get(&self, key: &Key) -> Started<EffectResult<Op>> {
        if let Some(value) = self.in_memory_value(key) {
            return Started::Ready(Ok(Answer::Hit(value)));
        }
        let (cache, key) = (self.clone(), key.clone());
        match self.0.flights.join(&key) {
            Part::Lead(leader) => match &self.0.values {
                // The value may have arrived since the first look.
                Values::Memory(_) => Started::Ready(Ok(self.lead(leader, self.in_memory_value(&key)))),
                Values::Store(_) => {
                    Started::Pending(Box::pin(async move { Ok(cache.look_up(leader, key).await) }))
                }
            },
            Part::Wait(receiver) => Started::Pending(Box::pin(async move {
                Ok(match receiver.await {
                    Ok(Landing::Value(value)) => Answer::Waited(value),
                    Ok(Landing::Failed(failure)) => Answer::Failed(failure),
                    Ok(Landing::Lead(leader)) => cache.lead(leader, None),
                    Err(_) => Answer::Miss { lease: Lease::none(), error: None },
                })
            })),
        }
    }

    fn in_memory_value(&self, key: &Key) -> Option<Stored> {
        match &self.0.values {
            Values::Memory(entries) => entries.get(key),
            Values::Store(_) => None,
        }
    }

    /// Returns the answer for the request that obtains a value.
    #[expect(clippy::unused_self, reason = "reads as a part of the cache")]
    fn lead(&self, leader: Leader, found: Option<Stored>) -> Answer {
        match found {
            Some(value) => {
                leader.land(&value);
                Answer::Hit(value)
            }
            None => Answer::Miss { lease: Lease::new(leader), error: None },
        }
    }

    /// Asks the store, once for all requests that want the value.
    async fn look_up(&self, leader: Leader, key: Key) -> Answer {
        let Values::Store(store) = &self.0.values else { return self.lead(leader, None) };
        match store.get(key.to_string()).await {
            // What another version of the program has stored in another form is not a value.
            Ok(found) => self.lead(leader, found.and_then(|bytes| decode(&bytes))),
            Err(error) => Answer::Miss { lease: Lease::new(leader), error: Some(error.to_string()) },
        }
    }

    fn put(&self, key: &Key, value: &Stored, expires_in_ms: u64, lease: &Lease) -> Started<EffectResult<Op>> {
        let Values::Store(_) = &self.0.values else {
            if let Values::Memory(entries) = &self.0.values {
                entries.put(key, value.clone(), expires_in_ms);
            }
            // After the value is stored, so that a request which comes now finds it.
            if let Some(leader) = lease.take() {
                leader.land(value);
            }
            return Started::Ready(Ok(Answer::Stored));
        };
        // Owned by the future, so that another request takes over if this one ends while it stores the value.
        let leader = lease.take();
        let (cache, key, value) = (self.clone(), key.clone(), value.clone());
        Started::Pending(Box::pin(async move {
            let Values::Store(store) = &cache.0.values else { return Ok(Answer::Stored) };
            let stored = match encode(&value) {
                Ok(bytes) => {
                    store.put(key.to_string(), bytes, Duration::from_millis(expires_in_ms.max(1))).await
                }
                Err(error) => {
                    Err(EffectError::new(zerver_engine::EffectErrorKind::Invalid, error.to_string()))
                }
            };
            if let Some(leader) = leader {
                leader.land(&value);
            }
            Ok(match stored {
                Ok(()) => Answer::Stored,
                Err(error) => Answer::NotStored { error: error.to_string() },
            })
        }))
    }

    fn evict(&self, key: &Key) -> Started<EffectResult<Op>> {
        match &self.0.values {
            Values::Memory(entries) => {
                entries.evict(key);
                Started::Ready(Ok(Answer::Evicted))
            }
            Values::Store(store) => {
                let evicting = store.evict(key.to_string());
                Started::Pending(Box::pin(async move { evicting.await.map(|()| Answer::Evicted) }))
            }
        }
    }
}

/// A cache in memory for 10,000 entries.
impl Default for Cache {
    fn default() -> Self {
        Self::in_memory(MAX_ENTRIES)
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cache")
    }
}

impl Interpreter<Op> for Cache {
    fn start(&self, op: &Op, _context: &EffectContext) -> Started<EffectResult<Op>> {
        match op {
            Op::Get { key } => self.get(key),
            Op::Put { key, value, expires_in_ms, lease } => self.put(key, value, *expires_in_ms, lease),
            Op::Evict { key } => self.evict(key),
        }
    }

    fn needs_runtime(&self) -> bool {
        matches!(self.0.values, Values::Store(_))
    }
}

/// Returns a value in a form that does not depend on its type: a version, and the tokens of the value.
fn encode(value: &Stored) -> Result<Bytes, zerver_trace::ValueError> {
    let value = value.value()?;
    let mut bytes = Vec::with_capacity(1 + value.tokens().len());
    bytes.push(VERSION);
    bytes.extend_from_slice(value.tokens());
    Ok(bytes.into())
}

fn decode(bytes: &[u8]) -> Option<Stored> {
    let (&VERSION, tokens) = bytes.split_first()? else { return None };
    Value::from_tokens(tokens.to_vec()).ok().map(Stored::encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_for_a_store_survive_and_damaged_ones_are_misses() {
        let bytes = encode(&Stored::new(("a", 7, vec![1.5]))).unwrap();
        assert_eq!(decode(&bytes).unwrap().get(), Ok(("a".to_owned(), 7, vec![1.5])));
        for damaged in [&bytes[1..], &bytes[..bytes.len() - 1], &[], &[VERSION], b"text"] {
            assert!(decode(damaged).is_none(), "{damaged:?}");
        }
    }
}
