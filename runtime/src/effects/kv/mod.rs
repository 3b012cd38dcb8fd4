//! A store of keys and values: what steps ask for, and two stores that perform it, [`Memory`] and [`Disk`].
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
//! /// At most so many a minute from each address.
//! fn hits(address: &str) -> Effect<i64> {
//!     kv::expires_in(1.minutes()).add(("hits", address), 1)
//! }
//! ```
//!
//! Values are kept as they describe themselves, so that a type may change between two versions of a program: a value
//! is read as the type that is asked for, and one that does not fit is a failure which says where. [`Memory`] keeps
//! them as their type besides, so that the same type gets them without being decoded.
//!
//! A write that nobody waits for any more, because its time was over or the client went away, may still happen.

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
pub use key::{Key, KeyPart, MAX_KEY_LEN, ParseKeyError, Part};
pub use memory::Memory;
pub use operation::{Answer, Op};
pub use stored_value::Stored;

/// How many entries [`list`] gives before it gives up.
pub const MAX_LISTED: u32 = 10_000;

/// The value of a key; none if there is none. A copy: see [`get_shared`] for one that is none.
pub fn get<T>(key: impl Into<Key>) -> Effect<Option<T>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let key = key.into();
    ask(Op::Get { key: key.clone() }, move |answer| match answer {
        Answer::Found(value) => value.get().map(Some).map_err(|error| unreadable(&key, error)),
        Answer::Absent => Ok(None),
        other => Err(unexpected(&key, other)),
    })
}

/// The value of a key, shared with the store where the store holds it as this type.
pub fn get_shared<T>(key: impl Into<Key>) -> Effect<Option<Shared<T>>>
where
    T: DeserializeOwned + Send + Sync + 'static,
{
    let key = key.into();
    ask(Op::Get { key: key.clone() }, move |answer| match answer {
        Answer::Found(value) => value.get_shared().map(Some).map_err(|error| unreadable(&key, error)),
        Answer::Absent => Ok(None),
        other => Err(unexpected(&key, other)),
    })
}

/// The entries whose keys begin with these parts, that of exactly these parts included, in the order of the keys.
///
/// Fails with `too_large` where there are more than [`MAX_LISTED`]; [`page`] gives them in parts.
pub fn list<T>(prefix: impl Into<Key>) -> Effect<Vec<(Key, T)>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let prefix = prefix.into();
    let op = Op::List { prefix: prefix.clone(), after: None, limit: MAX_LISTED + 1 };
    ask(op, move |answer| match answer {
        Answer::Entries(entries) if entries.len() > MAX_LISTED as usize => {
            let cause =
                KvError(format!("over {MAX_LISTED} entries in {prefix}; kv::page gives them in parts"));
            Err(Failure::new(FailureKind::TooLarge, "kv").because(&cause))
        }
        answer => read_entries(&prefix, answer),
    })
}

/// The first entries, at most `limit` of them, whose keys begin with these parts and come after `after`: the last key
/// of the page before.
pub fn page<T>(prefix: impl Into<Key>, after: Option<Key>, limit: u32) -> Effect<Vec<(Key, T)>>
where
    T: DeserializeOwned + Clone + Send + 'static,
{
    let prefix = prefix.into();
    let op = Op::List { prefix: prefix.clone(), after, limit };
    ask(op, move |answer| read_entries(&prefix, answer))
}

/// Sets the value of a key, for good.
pub fn put<T: Serialize + Send + Sync + 'static>(key: impl Into<Key>, value: T) -> Effect<()> {
    Writing::FOR_GOOD.put(key, value)
}

/// Sets the value of a key, for good, to one that is shared with the store.
pub fn put_shared<T: Serialize + Send + Sync + 'static>(key: impl Into<Key>, value: Shared<T>) -> Effect<()> {
    Writing::FOR_GOOD.put_shared(key, value)
}

/// Sets the value of a key that has none, for good. Of many who try at the same time, one succeeds.
pub fn put_if_absent<T>(key: impl Into<Key>, value: T) -> Effect<Put<T>>
where
    T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
{
    Writing::FOR_GOOD.put_if_absent(key, value)
}

/// Adds to a number and gives the sum. A key without a value counts from 0.
pub fn add(key: impl Into<Key>, delta: i64) -> Effect<i64> {
    Writing::FOR_GOOD.add(key, delta)
}

/// Takes the value of a key away; gives whether there was one.
pub fn delete(key: impl Into<Key>) -> Effect<bool> {
    let key = key.into();
    ask(Op::Delete { key: key.clone() }, move |answer| match answer {
        Answer::Deleted(n) => Ok(*n > 0),
        Answer::Absent => Ok(false),
        other => Err(unexpected(&key, other)),
    })
}

/// Takes the values away of all keys that begin with these parts, that of exactly these parts included; gives how many.
pub fn delete_all(prefix: impl Into<Key>) -> Effect<u64> {
    let prefix = prefix.into();
    ask(Op::DeleteAll { prefix: prefix.clone() }, move |answer| match answer {
        Answer::Deleted(n) => Ok(*n),
        other => Err(unexpected(&prefix, other)),
    })
}

/// Writes what is gone after a time, counted from the write: `kv::expires_in(1.minutes()).put(key, value)`.
pub const fn expires_in(time: Duration) -> Writing {
    Writing { expires_in: Some(time) }
}

/// How to write. See [`expires_in`].
#[derive(Debug, Clone, Copy)]
pub struct Writing {
    expires_in: Option<Duration>,
}

impl Writing {
    const FOR_GOOD: Self = Self { expires_in: None };

    /// As [`put`].
    pub fn put<T: Serialize + Send + Sync + 'static>(self, key: impl Into<Key>, value: T) -> Effect<()> {
        self.put_stored(key.into(), Stored::new(value))
    }

    /// As [`put_shared`].
    pub fn put_shared<T>(self, key: impl Into<Key>, value: Shared<T>) -> Effect<()>
    where
        T: Serialize + Send + Sync + 'static,
    {
        self.put_stored(key.into(), Stored::shared(value))
    }

    fn put_stored(self, key: Key, value: Stored) -> Effect<()> {
        let op = Op::Put { key: key.clone(), value, expires_in_ms: self.expires_in_ms() };
        ask(op, move |answer| match answer {
            Answer::Stored => Ok(()),
            other => Err(unexpected(&key, other)),
        })
    }

    /// As [`put_if_absent`].
    pub fn put_if_absent<T>(self, key: impl Into<Key>, value: T) -> Effect<Put<T>>
    where
        T: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
    {
        let key = key.into();
        let value = Stored::new(value);
        let op = Op::PutIfAbsent { key: key.clone(), value, expires_in_ms: self.expires_in_ms() };
        ask(op, move |answer| match answer {
            Answer::Stored => Ok(Put::Stored),
            Answer::Existing(value) => {
                value.get().map(Put::Existing).map_err(|error| unreadable(&key, error))
            }
            other => Err(unexpected(&key, other)),
        })
    }

    /// As [`add`]. The time is that of the number which begins with it; adding to it later does not prolong it: a
    /// window for counting.
    pub fn add(self, key: impl Into<Key>, delta: i64) -> Effect<i64> {
        let key = key.into();
        let op = Op::Add { key: key.clone(), delta, expires_in_ms: self.expires_in_ms() };
        ask(op, move |answer| match answer {
            Answer::Number(n) => Ok(*n),
            other => Err(unexpected(&key, other)),
        })
    }

    fn expires_in_ms(self) -> Option<u64> {
        self.expires_in.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Whether [`put_if_absent`] has written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put<T> {
    /// It has.
    Stored,
    /// It has not, for this was there.
    Existing(T),
}

impl<T> Put<T> {
    /// Whether it has written.
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Stored)
    }

    /// What was there.
    pub fn existing(self) -> Option<T> {
        match self {
            Self::Stored => None,
            Self::Existing(value) => Some(value),
        }
    }
}

fn ask<T: Send + 'static>(
    op: Op,
    read: impl Fn(&Answer) -> Result<T, Failure> + Send + 'static,
) -> Effect<T> {
    Effect::from_call::<Op>(Call::new(op), move |answer: Result<&Answer, EffectError>| match answer {
        Ok(answer) => read(answer),
        // The store is part of the service: what it holds is nobody else's mistake.
        Err(error) if error.kind == EffectErrorKind::Malformed => {
            Err(Failure::internal(Op::KIND).because(&error))
        }
        Err(error) => Err(Failure::from_effect(Op::KIND, &error)),
    })
}

/// What an addition gives.
fn sum(key: &Key, value: &Stored, delta: i64) -> Result<i64, EffectError> {
    let number: i64 = value.get().map_err(|error| {
        EffectError::new(EffectErrorKind::Malformed, format!("the value of {key} is no number: {error}"))
    })?;
    number.checked_add(delta).ok_or_else(|| {
        EffectError::new(EffectErrorKind::Invalid, format!("{number} and {delta} do not add up in 64 bits"))
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

/// Why an answer could not be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct KvError(String);

fn unreadable(key: &Key, error: ValueError) -> Failure {
    Failure::internal("kv").because(&KvError(format!("the value of {key} is of another type: {error}")))
}

fn unexpected(key: &Key, answer: &Answer) -> Failure {
    Failure::internal("kv").because(&KvError(format!("an answer about {key} that does not fit: {answer}")))
}
