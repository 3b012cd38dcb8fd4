//! Operations of a store and their answers.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zerver_engine::{EffectError, EffectErrorKind, EffectKind};
use zerver_trace::ValueError;
use zerver_trace::value::Encoder;

use super::{Key, MAX_KEY_LEN, Stored};

/// An operation of a store: the effect of kind `kv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Op {
    /// Reads the value of a key.
    Get {
        /// Key.
        key: Key,
    },
    /// Sets the value of a key.
    Put {
        /// Key.
        key: Key,
        /// Value.
        value: Stored,
        /// Time after which the value expires, in milliseconds; `None` means never.
        expires_in_ms: Option<u64>,
    },
    /// Sets the value of a key if it has none.
    PutIfAbsent {
        /// Key.
        key: Key,
        /// Value.
        value: Stored,
        /// Time after which the value expires, in milliseconds; `None` means never.
        expires_in_ms: Option<u64>,
    },
    /// Sets the value of a key if it has this one.
    Replace {
        /// Key.
        key: Key,
        /// Value that the key must have. Values are equal if they are encoded as the same bytes.
        from: Stored,
        /// New value.
        value: Stored,
        /// Time after which the new value expires, in milliseconds; `None` means never.
        expires_in_ms: Option<u64>,
    },
    /// Deletes the value of a key if it is this one.
    DeleteIf {
        /// Key.
        key: Key,
        /// Value that the key must have.
        value: Stored,
    },
    /// Adds to a number. A key without a value counts as 0.
    Add {
        /// Key.
        key: Key,
        /// Number to add.
        delta: i64,
        /// Time after which a number that starts with this call expires, in milliseconds. An existing number keeps its
        /// time.
        expires_in_ms: Option<u64>,
    },
    /// Deletes the value of a key.
    Delete {
        /// Key.
        key: Key,
    },
    /// Deletes the values of all keys that start with these parts.
    DeleteAll {
        /// First parts of the keys.
        prefix: Key,
    },
    /// Reads the entries whose keys start with these parts, in the order of the keys.
    List {
        /// First parts of the keys.
        prefix: Key,
        /// Key after which the entries start.
        after: Option<Key>,
        /// Maximum number of entries.
        limit: u32,
    },
}

/// An answer of a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The value. Answers [`Op::Get`].
    Found(Stored),
    /// The key has no value. Answers [`Op::Get`], [`Op::Delete`], [`Op::Replace`] and [`Op::DeleteIf`].
    Absent,
    /// The value was written. Answers [`Op::Put`], [`Op::PutIfAbsent`] and [`Op::Replace`].
    Stored,
    /// Nothing was changed, because the key has this value. Answers [`Op::PutIfAbsent`], [`Op::Replace`] and [`Op::DeleteIf`].
    Existing(Stored),
    /// The sum. Answers [`Op::Add`].
    Number(i64),
    /// Number of deleted values. Answers [`Op::Delete`], [`Op::DeleteIf`] and [`Op::DeleteAll`].
    Deleted(u64),
    /// The entries. Answers [`Op::List`].
    Entries(Vec<(Key, Stored)>),
}

impl Op {
    /// Returns the key of the operation, or the first parts of its keys.
    pub const fn key(&self) -> &Key {
        match self {
            Self::Get { key }
            | Self::Put { key, .. }
            | Self::PutIfAbsent { key, .. }
            | Self::Replace { key, .. }
            | Self::DeleteIf { key, .. }
            | Self::Add { key, .. }
            | Self::Delete { key } => key,
            Self::DeleteAll { prefix } | Self::List { prefix, .. } => prefix,
        }
    }

    /// Returns true if the operation does not change the store.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::List { .. })
    }

    /// Rejects an operation whose key is too long.
    pub(super) fn check(&self) -> Result<(), EffectError> {
        let len = self.key().as_bytes().len();
        if len > MAX_KEY_LEN {
            let message = format!("the key has {len} bytes; at most {MAX_KEY_LEN} are allowed");
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

    fn output_summary(answer: &Answer) -> String {
        answer.to_string()
    }

    fn encode_output(answer: &Answer, out: &mut Encoder) -> Result<(), ValueError> {
        match answer {
            Answer::Found(value) => out.variant_of("Found", |out| value.record(out)),
            other => out.put(other),
        }
    }

    fn is_safe(&self) -> bool {
        self.is_read()
    }

    /// Returns true except for additions, and for changes whose answer depends on an earlier attempt.
    fn is_idempotent(&self) -> bool {
        !matches!(
            self,
            Self::Add { .. } | Self::PutIfAbsent { .. } | Self::Replace { .. } | Self::DeleteIf { .. }
        )
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expires_in_ms = match self {
            Self::Get { key } => return write!(f, "get {key}"),
            Self::Delete { key } => return write!(f, "delete {key}"),
            Self::DeleteIf { key, .. } => return write!(f, "delete {key} if unchanged"),
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
            Self::Replace { key, expires_in_ms, .. } => {
                write!(f, "replace {key} if unchanged")?;
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
    fn an_answer_is_recorded_as_it_serializes() {
        let value = || Stored::new(vec![Some("a"), None]);
        for answer in [
            Answer::Found(value()),
            Answer::Found(Stored::encoded(Value::from_serialize(&("b", 2)).unwrap())),
            Answer::Existing(value()),
            Answer::Entries(vec![(Key::from(("a", 1)), value())]),
        ] {
            let serialized = Value::from_serialize(&answer).unwrap();
            assert_eq!(Value::from_recordable(&*Call::output::<Op>(answer)).unwrap(), serialized);
        }
    }
}
