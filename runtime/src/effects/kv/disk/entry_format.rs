//! Format of an entry on disk: version, checksum, expiry time, and the tokens of the value.
//!
//! The checksum also covers the key, so that a value under a wrong key is detected.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_trace::Value;

use crate::effects::kv::{Key, Stored};

const VERSION: u8 = 1;
const HEAD: usize = 1 + 8;

/// A decoded entry.
pub(super) struct Record {
    pub(super) expires_ms: u64,
    pub(super) value: Stored,
}

pub(super) fn encode(key: &[u8], expires_ms: u64, tokens: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEAD + 8 + tokens.len());
    record.push(VERSION);
    record.extend_from_slice(&[0; 8]);
    record.extend_from_slice(&expires_ms.to_le_bytes());
    record.extend_from_slice(tokens);
    let checksum = checksum(key, &record[HEAD..]);
    record[1..HEAD].copy_from_slice(&checksum.to_le_bytes());
    record
}

pub(super) fn decode(key: &[u8], record: &[u8]) -> Result<Record, EffectError> {
    parse(key, record).map_err(|reason| {
        let key = Key::from_bytes(key).map_or_else(|| format!("{key:?}"), |key| key.to_string());
        EffectError::new(EffectErrorKind::Internal, format!("the entry of {key} is damaged: {reason}"))
    })
}

/// Expiry time of an entry. The rest of the entry is not checked and may be damaged.
pub(super) fn expires_ms(record: &[u8]) -> Option<u64> {
    let (bytes, _) = record.get(HEAD..)?.split_first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

fn parse(key: &[u8], record: &[u8]) -> Result<Record, String> {
    let Some((&[version, ref expected @ ..], body)) = record.split_first_chunk::<HEAD>() else {
        return Err("it is too short".to_owned());
    };
    if version != VERSION {
        return Err(format!("it has version {version}, but this program supports only {VERSION}"));
    }
    if checksum(key, body).to_le_bytes() != *expected {
        return Err("its checksum does not match".to_owned());
    }
    let Some((expires_ms, tokens)) = body.split_first_chunk() else {
        return Err("it is too short".to_owned());
    };
    let value = Value::from_tokens(tokens.to_vec()).map_err(|error| error.to_string())?;
    Ok(Record { expires_ms: u64::from_le_bytes(*expires_ms), value: Stored::encoded(value) })
}

fn checksum(key: &[u8], body: &[u8]) -> u64 {
    xxh3_64_with_seed(body, xxh3_64(key))
}
