//! A key-value store: effects that read and write it, and two stores that perform them, [`Memory`] and [`Disk`].
//!
//! ```
//! use zerver::effects::kv;
//! use zerver::prelude::*;
//!
//! #[derive(Clone, Slot, Serialize, Deserialize)]
//! struct Todo { id: u64, title: String }
//!
//! fn load(id: u64) -> Effect<Todo> {
//!     kv::get(("todo", id)).or_not_found("todo", id)
//! }
//!
//! fn save(todo: Todo) -> Effect<()> {
//!     kv::put(("todo", todo.id), todo)
//! }
//!
//! /// Counts the requests of an address within one minute.
//! fn hits(address: &str) -> Effect<i64> {
//!     kv::expires_in(1.minutes()).add(("hits", address), 1)
//! }
//! ```
//!
//! A value is stored in a self-describing form, so that its type may change between two versions of a program. It is
//! read as the requested type. If it does not fit that type, the effect fails with an error that names the position.
//! [`Memory`] also keeps the typed value, which is returned without decoding if the type is the same.
//!
//! A write may still happen after its request has stopped waiting for it, because its time limit has passed or the
//! client has left.

mod addition;
#[cfg(feature = "kv-disk")]
mod disk;
mod expiry;
mod key;
mod memory;
mod operation;
mod stored_value;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerver_engine::{Call, Effect, EffectError, EffectErrorKind, EffectKind, Failure, FailureKind, Shared};
use zerver_trace::ValueError;

#[cfg(feature = "kv-disk")]
#[cfg_attr(docsrs, doc(cfg(feature = "kv-disk")))]
pub use disk::{Disk, DiskBuilder, DiskStats, OpenError};
pub(in crate::effects) use expiry::Clock;
pub use key::{Key, KeyPart, MAX_KEY_LEN, ParseKeyError, Part};
pub use memory::Memory;
pub use operation::{Answer, Op};
pub use stored_value::Stored;

/// Maximum number of entries that [`list`] returns.
pub const MAX_LISTED: u32 = 10_000;

/// Reads a copy of the value of a key, or `None` if the key has no value. [`get_shared`] does not copy.
pub fn get<T>(key: impl Into<Key>) -> Effect<Option<T>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let key = key.into();
    kv_effect(Op::Get { key: key.clone() }, move |answer| match answer {
        Answer::Found(value) => value.get().map(Some).map_err(|error| unreadable(&key, error)),
        Answer::Absent => Ok(None),
        other => Err(unexpected(&key, other)),
    })
}

/// Reads the value of a key. It is shared with the store if the store holds it as this type.
pub fn get_shared<T>(key: impl Into<Key>) -> Effect<Option<Shared<T>>>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let key = key.into();
    kv_effect(Op::Get { key: key.clone() }, move |answer| match answer {
        Answer::Found(value) => value.get_shared().map(Some).map_err(|error| unreadable(&key, error)),
        Answer::Absent => Ok(None),
        other => Err(unexpected(&key, other)),
    })
}

/// Reads the entries whose keys start with the parts of `prefix`, including the key `prefix` itself, in the order of
/// the keys.
///
/// Fails with `too_large` if there are more than [`MAX_LISTED`]; [`page`] reads them in parts.
pub fn list<T>(prefix: impl Into<Key>) -> Effect<Vec<(Key, T)>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let prefix = prefix.into();
    let op = Op::List { prefix: prefix.clone(), after: None, limit: MAX_LISTED + 1 };
    kv_effect(op, move |answer| match answer {
        Answer::Entries(entries) if entries.len() > MAX_LISTED as usize => {
            let cause =
                KvError(format!("more than {MAX_LISTED} entries in {prefix}; kv::page reads them in parts"));
            Err(Failure::new(FailureKind::TooLarge, "kv").because(&cause))
        }
        answer => read_entries(&prefix, answer),
    })
}

/// Reads the first entries, at most `limit`, whose keys start with the parts of `prefix` and come after `after`, the
/// last key of the previous page.
pub fn page<T>(prefix: impl Into<Key>, after: Option<Key>, limit: u32) -> Effect<Vec<(Key, T)>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let prefix = prefix.into();
    let op = Op::List { prefix: prefix.clone(), after, limit };
    kv_effect(op, move |answer| read_entries(&prefix, answer))
}

/// Sets the value of a key. It does not expire.
pub fn put<T: Serialize + Send + Sync + 'static>(key: impl Into<Key>, value: T) -> Effect<()> {
    Writing::WITHOUT_EXPIRY.put(key, value)
}

/// Sets the value of a key to one that is shared with the store. It does not expire.
pub fn put_shared<T: Serialize + Send + Sync + 'static>(key: impl Into<Key>, value: Shared<T>) -> Effect<()> {
    Writing::WITHOUT_EXPIRY.put_shared(key, value)
}

/// Sets the value of a key if it has none. It does not expire. If several calls run concurrently, exactly one succeeds.
pub fn put_if_absent<T>(key: impl Into<Key>, value: T) -> Effect<Put<T>>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    Writing::WITHOUT_EXPIRY.put_if_absent(key, value)
}

/// Sets the value of a key if it is `from`: values are equal if they are encoded as the same bytes. The new value does not
/// expire. If several calls replace the same value concurrently, exactly one succeeds. A call that fails has the value that the
/// key has instead, if it has one.
pub fn replace<T>(key: impl Into<Key>, from: T, to: T) -> Effect<Put<Option<T>>>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    Writing::WITHOUT_EXPIRY.replace(key, from, to)
}

/// Adds to a number and returns the sum. A key without a value counts as 0.
pub fn add(key: impl Into<Key>, delta: i64) -> Effect<i64> {
    Writing::WITHOUT_EXPIRY.add(key, delta)
}

/// Deletes the value of a key. Returns true if there was one.
pub fn delete(key: impl Into<Key>) -> Effect<bool> {
    let key = key.into();
    kv_effect(Op::Delete { key: key.clone() }, move |answer| match answer {
        Answer::Deleted(n) => Ok(*n > 0),
        Answer::Absent => Ok(false),
        other => Err(unexpected(&key, other)),
    })
}

/// Deletes the value of a key if it is `value`. Returns true if it was.
pub fn delete_if<T: Serialize + Send + Sync + 'static>(key: impl Into<Key>, value: T) -> Effect<bool> {
    let key = key.into();
    let op = Op::DeleteIf { key: key.clone(), value: Stored::new(value) };
    kv_effect(op, move |answer| match answer {
        Answer::Deleted(n) => Ok(*n > 0),
        Answer::Absent | Answer::Existing(_) => Ok(false),
        other => Err(unexpected(&key, other)),
    })
}

/// Deletes the values of all keys that start with the parts of `prefix`, including `prefix` itself. Returns their
/// number.
pub fn delete_all(prefix: impl Into<Key>) -> Effect<u64> {
    let prefix = prefix.into();
    kv_effect(Op::DeleteAll { prefix: prefix.clone() }, move |answer| match answer {
        Answer::Deleted(n) => Ok(*n),
        other => Err(unexpected(&prefix, other)),
    })
}

/// Makes a write expire after this time, counted from the write: `kv::expires_in(1.minutes()).put(key, value)`.
pub const fn expires_in(time: Duration) -> Writing {
    Writing { expires_in: Some(time) }
}

/// Options of a write. See [`expires_in`].
#[derive(Debug, Clone, Copy)]
pub struct Writing {
    expires_in: Option<Duration>,
}

impl Writing {
    const WITHOUT_EXPIRY: Self = Self { expires_in: None };

    /// Like [`put`].
    pub fn put<T: Serialize + Send + Sync + 'static>(self, key: impl Into<Key>, value: T) -> Effect<()> {
        self.put_stored(key.into(), Stored::new(value))
    }

    /// Like [`put_shared`].
    pub fn put_shared<T>(self, key: impl Into<Key>, value: Shared<T>) -> Effect<()>
    where
        T: Serialize + Send + Sync + 'static,
    {
        self.put_stored(key.into(), Stored::shared(value))
    }

    fn put_stored(self, key: Key, value: Stored) -> Effect<()> {
        let op = Op::Put { key: key.clone(), value, expires_in_ms: self.expires_in_ms() };
        kv_effect(op, move |answer| match answer {
            Answer::Stored => Ok(()),
            other => Err(unexpected(&key, other)),
        })
    }

    /// Like [`put_if_absent`].
    pub fn put_if_absent<T>(self, key: impl Into<Key>, value: T) -> Effect<Put<T>>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let key = key.into();
        let value = Stored::new(value);
        let op = Op::PutIfAbsent { key: key.clone(), value, expires_in_ms: self.expires_in_ms() };
        kv_effect(op, move |answer| match answer {
            Answer::Stored => Ok(Put::Stored),
            Answer::Existing(value) => {
                value.get().map(Put::Existing).map_err(|error| unreadable(&key, error))
            }
            other => Err(unexpected(&key, other)),
        })
    }

    /// Like [`replace`].
    pub fn replace<T>(self, key: impl Into<Key>, from: T, to: T) -> Effect<Put<Option<T>>>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let key = key.into();
        let (from, value) = (Stored::new(from), Stored::new(to));
        let op = Op::Replace { key: key.clone(), from, value, expires_in_ms: self.expires_in_ms() };
        kv_effect(op, move |answer| match answer {
            Answer::Stored => Ok(Put::Stored),
            Answer::Absent => Ok(Put::Existing(None)),
            Answer::Existing(value) => {
                value.get().map(|value| Put::Existing(Some(value))).map_err(|error| unreadable(&key, error))
            }
            other => Err(unexpected(&key, other)),
        })
    }

    /// Like [`add`]. The time applies to a number that starts with this call. Later additions do not extend it, so the
    /// number counts within a fixed window.
    pub fn add(self, key: impl Into<Key>, delta: i64) -> Effect<i64> {
        let key = key.into();
        let op = Op::Add { key: key.clone(), delta, expires_in_ms: self.expires_in_ms() };
        kv_effect(op, move |answer| match answer {
            Answer::Number(n) => Ok(*n),
            other => Err(unexpected(&key, other)),
        })
    }

    fn expires_in_ms(self) -> Option<u64> {
        self.expires_in.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Result of [`put_if_absent`] and [`replace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put<T> {
    /// The value was written.
    Stored,
    /// The key already had this value.
    Existing(T),
}

impl<T> Put<T> {
    /// Returns true if the value was written.
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Stored)
    }

    /// Returns the value that the key already had.
    pub fn existing(self) -> Option<T> {
        match self {
            Self::Stored => None,
            Self::Existing(value) => Some(value),
        }
    }
}

fn kv_effect<T: Send + 'static>(
    op: Op,
    read: impl Fn(&Answer) -> Result<T, Failure> + Send + 'static,
) -> Effect<T> {
    Effect::from_call::<Op>(Call::new(op), move |answer: Result<&Answer, EffectError>| match answer {
        Ok(answer) => read(answer),
        // The store is part of the service, so a malformed value is an internal error.
        Err(error) if error.kind == EffectErrorKind::Malformed => {
            Err(Failure::internal(Op::KIND).because(&error))
        }
        Err(error) => Err(Failure::from_effect(Op::KIND, &error)),
    })
}

fn read_entries<T>(prefix: &Key, answer: &Answer) -> Result<Vec<(Key, T)>, Failure>
where
    T: DeserializeOwned + Clone + 'static,
{
    let Answer::Entries(entries) = answer else { return Err(unexpected(prefix, answer)) };
    let read = |(key, value): &(Key, Stored)| match value.get() {
        Ok(value) => Ok((key.clone(), value)),
        Err(error) => Err(unreadable(key, error)),
    };
    entries.iter().map(read).collect()
}

/// The reason why an answer of the store cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct KvError(String);

fn unreadable(key: &Key, error: ValueError) -> Failure {
    Failure::internal("kv").because(&KvError(format!("the value of {key} has another type: {error}")))
}

fn unexpected(key: &Key, answer: &Answer) -> Failure {
    Failure::internal("kv").because(&KvError(format!("unexpected answer for {key}: {answer}")))
}
