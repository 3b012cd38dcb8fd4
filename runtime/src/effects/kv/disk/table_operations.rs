//! Performs operations on the tables of the database.

use std::ops::Bound;

use redb::{ReadableTable, Table, WriteTransaction};
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_trace::Value;

use super::database_file::{DUE, ENTRIES, Fault};
use super::entry_format;
use super::entry_format::Record;
use crate::effects::kv::addition::sum;
use crate::effects::kv::expiry::{Clock, NEVER};
use crate::effects::kv::{Answer, Key, Op, Stored};

/// Maximum number of expired entries that a write removes. More than one, so that more are removed than added.
const SWEPT_PER_WRITE: usize = 4;

/// Answer or error of an operation, or a fault of the file.
pub(super) type Applied = Result<Result<Answer, EffectError>, Fault>;

/// Performs an operation that only reads.
pub(super) fn read(
    entries: &impl ReadableTable<&'static [u8], &'static [u8]>,
    op: &Op,
    clock: &Clock,
) -> Applied {
    match op {
        Op::Get { key } => {
            let Some(entry) = entries.get(key.as_bytes())? else { return Ok(Ok(Answer::Absent)) };
            Ok(entry_format::decode(key.as_bytes(), entry.value()).map(|record| {
                if clock.is_past(record.expires_ms) { Answer::Absent } else { Answer::Found(record.value) }
            }))
        }
        Op::List { prefix, after, limit } => {
            let limit = usize::try_from(*limit).unwrap_or(usize::MAX);
            let mut listed = Vec::new();
            let start = match after {
                Some(after) if after >= prefix => Bound::Excluded(after.as_bytes()),
                _ => Bound::Included(prefix.as_bytes()),
            };
            for entry in entries.range::<&[u8]>((start, Bound::Unbounded))? {
                let (key, entry) = entry?;
                if listed.len() == limit || !key.value().starts_with(prefix.as_bytes()) {
                    break;
                }
                let record = match entry_format::decode(key.value(), entry.value()) {
                    Ok(record) => record,
                    Err(error) => return Ok(Err(error)),
                };
                if clock.is_past(record.expires_ms) {
                    continue;
                }
                match Key::from_bytes(key.value()) {
                    Some(key) => listed.push((key, record.value)),
                    None => {
                        let message = format!("a key that starts with {prefix} is damaged");
                        return Ok(Err(EffectError::new(EffectErrorKind::Internal, message)));
                    }
                }
            }
            Ok(Ok(Answer::Entries(listed)))
        }
        _ => Ok(Err(EffectError::new(EffectErrorKind::Internal, "not a read"))),
    }
}

/// The tables, open for writing.
pub(super) struct Tables<'a> {
    entries: Table<'a, &'static [u8], &'static [u8]>,
    due: Table<'a, (u64, &'static [u8]), ()>,
    clock: &'a Clock,
}

impl<'a> Tables<'a> {
    pub(super) fn open(write: &'a WriteTransaction, clock: &'a Clock) -> Result<Self, Fault> {
        Ok(Self { entries: write.open_table(ENTRIES)?, due: write.open_table(DUE)?, clock })
    }

    /// Performs an operation. `tokens` are the tokens of the value to put, if any.
    pub(super) fn perform(&mut self, op: &Op, tokens: &[u8]) -> Applied {
        self.sweep()?;
        match op {
            Op::Get { .. } | Op::List { .. } => read(&self.entries, op, self.clock),
            Op::Put { key, expires_in_ms, .. } => {
                self.set(key, tokens, self.clock.after(*expires_in_ms))?;
                Ok(Ok(Answer::Stored))
            }
            Op::PutIfAbsent { key, expires_in_ms, .. } => match self.live(key)? {
                Ok(Some(record)) => Ok(Ok(Answer::Existing(record.value))),
                Ok(None) => {
                    self.set(key, tokens, self.clock.after(*expires_in_ms))?;
                    Ok(Ok(Answer::Stored))
                }
                Err(error) => Ok(Err(error)),
            },
            Op::Replace { key, from, expires_in_ms, .. } => match self.live(key)? {
                Ok(Some(record)) if record.value == *from => {
                    self.set(key, tokens, self.clock.after(*expires_in_ms))?;
                    Ok(Ok(Answer::Stored))
                }
                Ok(other) => Ok(Ok(other.map_or(Answer::Absent, |record| Answer::Existing(record.value)))),
                Err(error) => Ok(Err(error)),
            },
            Op::DeleteIf { key, value } => match self.live(key)? {
                Ok(Some(record)) if record.value == *value => {
                    self.remove(key.as_bytes())?;
                    Ok(Ok(Answer::Deleted(1)))
                }
                Ok(other) => Ok(Ok(other.map_or(Answer::Absent, |record| Answer::Existing(record.value)))),
                Err(error) => Ok(Err(error)),
            },
            Op::Add { key, delta, expires_in_ms } => {
                let (sum, expires_ms) = match self.live(key)? {
                    Ok(Some(record)) => match sum(key, &record.value, *delta) {
                        Ok(sum) => (sum, record.expires_ms),
                        Err(error) => return Ok(Err(error)),
                    },
                    Ok(None) => (*delta, self.clock.after(*expires_in_ms)),
                    Err(error) => return Ok(Err(error)),
                };
                match Value::from_serialize(&sum) {
                    Ok(value) => self.set(key, value.tokens(), expires_ms)?,
                    Err(error) => return Ok(Err(unstorable(key, &error))),
                }
                Ok(Ok(Answer::Number(sum)))
            }
            Op::Delete { key } => Ok(Ok(match self.remove(key.as_bytes())? {
                Some(expires_ms) if !self.clock.is_past(expires_ms) => Answer::Deleted(1),
                _ => Answer::Absent,
            })),
            Op::DeleteAll { prefix } => {
                let mut keys = Vec::new();
                for entry in self.entries.range::<&[u8]>(prefix.as_bytes()..)? {
                    let (key, _) = entry?;
                    if !key.value().starts_with(prefix.as_bytes()) {
                        break;
                    }
                    keys.push(key.value().to_owned());
                }
                let mut deleted = 0;
                for key in keys {
                    let is_live =
                        self.remove(&key)?.is_some_and(|expires_ms| !self.clock.is_past(expires_ms));
                    deleted += u64::from(is_live);
                }
                Ok(Ok(Answer::Deleted(deleted)))
            }
        }
    }

    fn live(&self, key: &Key) -> Result<Result<Option<Record>, EffectError>, Fault> {
        let Some(entry) = self.entries.get(key.as_bytes())? else { return Ok(Ok(None)) };
        let record = entry_format::decode(key.as_bytes(), entry.value());
        Ok(record.map(|record| (!self.clock.is_past(record.expires_ms)).then_some(record)))
    }

    fn set(&mut self, key: &Key, tokens: &[u8], expires_ms: u64) -> Result<(), Fault> {
        let key = key.as_bytes();
        let new = entry_format::encode(key, expires_ms, tokens);
        let old = self.entries.insert(key, &*new)?.and_then(|old| entry_format::expires_ms(old.value()));
        self.remove_expiry(key, old)?;
        if expires_ms != NEVER {
            self.due.insert((expires_ms, key), ())?;
        }
        Ok(())
    }

    /// Removes an entry. Returns the time at which it would have expired, or `None` if there was no entry.
    fn remove(&mut self, key: &[u8]) -> Result<Option<u64>, Fault> {
        let Some(old) = self.entries.remove(key)?.map(|old| entry_format::expires_ms(old.value())) else {
            return Ok(None);
        };
        self.remove_expiry(key, old)?;
        Ok(Some(old.unwrap_or(NEVER)))
    }

    fn remove_expiry(&mut self, key: &[u8], expires_ms: Option<u64>) -> Result<(), Fault> {
        if let Some(expires_ms) = expires_ms.filter(|&expires_ms| expires_ms != NEVER) {
            self.due.remove((expires_ms, key))?;
        }
        Ok(())
    }

    fn sweep(&mut self) -> Result<(), Fault> {
        for _ in 0..SWEPT_PER_WRITE {
            let Some((first, _)) = self.due.first()? else { return Ok(()) };
            let (expires_ms, key) = first.value();
            if !self.clock.is_past(expires_ms) {
                return Ok(());
            }
            let key = key.to_owned();
            drop(first);
            self.due.remove((expires_ms, &*key))?;
            self.entries.remove(&*key)?;
        }
        Ok(())
    }
}

/// Returns the tokens of the value that an operation puts. `None` if it puts no value.
pub(super) fn tokens(op: &Op) -> Result<Option<Value>, EffectError> {
    match op {
        Op::Put { key, value, .. } | Op::PutIfAbsent { key, value, .. } | Op::Replace { key, value, .. } => {
            Stored::value(value).map(Some).map_err(|error| unstorable(key, &error))
        }
        _ => Ok(None),
    }
}

fn unstorable(key: &Key, error: &zerver_trace::ValueError) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, format!("the value for {key} cannot be stored: {error}"))
}
