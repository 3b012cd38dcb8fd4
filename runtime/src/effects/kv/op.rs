//! What can be asked of a store, and what it answers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::{EffectError, EffectErrorKind, EffectKind};
use zerver_trace::ValueError;
use zerver_trace::value::Encoder;

use super::{Key, MAX_KEY_LEN, Stored};

/// What is asked of a store: the effect of kind `kv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// The value of a key.
    Get {
        /// The key.
        key: Key,
    },
    /// Sets the value of a key.
    Put {
        /// The key.
        key: Key,
        /// The value.
        value: Stored,
        /// After which time it is gone; none means never.
        expires_in_ms: Option<u64>,
    },
    /// Sets the value of a key that has none.
    PutIfAbsent {
        /// The key.
        key: Key,
        /// The value.
        value: Stored,
        /// After which time it is gone; none means never.
        expires_in_ms: Option<u64>,
    },
    /// Adds to a number. A key without a value counts from 0.
    Add {
        /// The key.
        key: Key,
        /// What is added.
        delta: i64,
        /// After which time a number that began now is gone; one that was there keeps its time.
        expires_in_ms: Option<u64>,
    },
    /// Takes the value of a key away.
    Delete {
        /// The key.
        key: Key,
    },
    /// Takes the values away of all keys that begin with these parts.
    DeleteAll {
        /// The parts.
        prefix: Key,
    },
    /// The entries whose keys begin with these parts, in the order of their keys.
    List {
        /// The parts.
        prefix: Key,
        /// Only those after this key.
        after: Option<Key>,
        /// At most so many.
        limit: u32,
    },
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The value: to [`Op::Get`].
    Found(Stored),
    /// There is nothing: to [`Op::Get`] and [`Op::Delete`].
    Absent,
    /// It is written: to [`Op::Put`] and [`Op::PutIfAbsent`].
    Stored,
    /// It is not written, for this was there: to [`Op::PutIfAbsent`].
    Existing(Stored),
    /// The new number: to [`Op::Add`].
    Number(i64),
    /// So many are gone: to [`Op::Delete`] and [`Op::DeleteAll`].
    Deleted(u64),
    /// Entries: to [`Op::List`].
    Entries(Vec<(Key, Stored)>),
}

impl Op {
    /// The key, or the first parts of the keys, that it is about.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Get { key }
            | Self::Put { key, .. }
            | Self::PutIfAbsent { key, .. }
            | Self::Add { key, .. }
            | Self::Delete { key } => key,
            Self::DeleteAll { prefix } | Self::List { prefix, .. } => prefix,
        }
    }

    /// Whether it leaves the store as it is.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::List { .. })
    }

    /// What all stores refuse.
    pub(super) fn check(&self) -> Result<(), EffectError> {
        let len = self.key().as_bytes().len();
        if len > MAX_KEY_LEN {
            let message = format!("a key of {len} bytes, and {MAX_KEY_LEN} are allowed");
            return Err(EffectError::new(EffectErrorKind::Invalid, message));
        }
        Ok(())
    }
}

impl EffectKind for Op {
    const KIND: &'static str = "kv";
    type Output = Answer;

    fn summary(&self) -> String {
        self.to_string()
    }

    fn outcome(answer: &Answer) -> String {
        answer.to_string()
    }

    fn record(answer: &Answer, out: &mut Encoder) -> Result<(), ValueError> {
        match answer {
            Answer::Found(value) => out.variant_of("Found", |out| value.record(out)),
            other => out.put(other),
        }
    }

    fn is_safe(&self) -> bool {
        self.is_read()
    }

    /// All but an addition, and a put that tells whether it was the first.
    fn is_idempotent(&self) -> bool {
        !matches!(self, Self::Add { .. } | Self::PutIfAbsent { .. })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expires_in_ms = match self {
            Self::Get { key } => return write!(f, "get {key}"),
            Self::Delete { key } => return write!(f, "delete {key}"),
            Self::DeleteAll { prefix } => return write!(f, "delete all {prefix}"),
            Self::List { prefix, after: None, .. } => return write!(f, "list {prefix}"),
            Self::List { prefix, after: Some(after), .. } => return write!(f, "list {prefix} after {after}"),
            Self::Put { key, expires_in_ms, .. } => {
                write!(f, "put {key}")?;
                expires_in_ms
            }
            Self::PutIfAbsent { key, expires_in_ms, .. } => {
                write!(f, "put {key} if absent")?;
                expires_in_ms
            }
            Self::Add { key, delta, expires_in_ms } => {
                write!(f, "add {delta} to {key}")?;
                expires_in_ms
            }
        };
        match expires_in_ms {
            Some(ms) => write!(f, " for {:?}", Duration::from_millis(*ms)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(_) => f.write_str("found"),
            Self::Absent => f.write_str("absent"),
            Self::Stored => f.write_str("stored"),
            Self::Existing(_) => f.write_str("existing"),
            Self::Number(n) => n.fmt(f),
            Self::Deleted(n) => write!(f, "{n} deleted"),
            Self::Entries(entries) if entries.len() == 1 => f.write_str("1 entry"),
            Self::Entries(entries) => write!(f, "{} entries", entries.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use zerver_engine::Call;
    use zerver_trace::Value;

    use super::*;

    #[test]
    fn an_answer_is_recorded_as_it_serialises() {
        let value = || Stored::new(vec![Some("a"), None]);
        for answer in [
            Answer::Found(value()),
            Answer::Found(Stored::encoded(Value::from_serialize(&("b", 2)).unwrap())),
            Answer::Existing(value()),
            Answer::Entries(vec![(Key::from(("a", 1)), value())]),
        ] {
            let serialised = Value::from_serialize(&answer).unwrap();
            assert_eq!(Value::from_recordable(&*Call::output::<Op>(answer)).unwrap(), serialised);
        }
    }
}
