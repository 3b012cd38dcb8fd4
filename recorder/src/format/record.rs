//! Records: an envelope of 32 bytes in little endian, followed by a body.
//!
//! | bytes | contents |
//! |---|---|
//! | 4 | magic, `zvr1` |
//! | 2 | schema: major and minor version |
//! | 1 | kind of record |
//! | 1 | flags: 1 if the body is compressed with zstd; 2 if only its second part is, whose offset precedes the body in 4 bytes |
//! | 8 | key under which the record is stored, so that a record in the wrong place is noticed |
//! | 4 | length of the decompressed body |
//! | 4 | length of the body |
//! | 8 | XXH3 of all of the above and of the body |
//!
//! Must not know what a body contains.

use std::borrow::Cow;
use std::cell::RefCell;

use xxhash_rust::xxh3::Xxh3;

use super::format_error::FormatError;
use super::schema::{OLDEST, OLDEST_PORTABLE, SCHEMA, Schema};
use super::schema_check::check_schema;

/// Maximum length of a decompressed body, in bytes.
pub(crate) const MAX_RAW: usize = 8 << 20;
/// Minimum length of a body that is worth compressing, in bytes.
const MIN_COMPRESSED: usize = 256;

/// Compression level of zstd. Repetitions within a block were removed already; a higher level takes more time than it
/// is worth.
const LEVEL: i32 = -1;

const MAGIC: [u8; 4] = *b"zvr1";
const ENVELOPE: usize = 32;
const COMPRESSED: u8 = 1;
const END_COMPRESSED: u8 = 2;

/// Kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum RecordKind {
    Block = 1,
    BlockIndex = 2,
    Summaries = 3,
    StoreMeta = 4,
    FlowCatalog = 5,
    Portable = 6,
    StoreOrigin = 7,
    BlockGroup = 8,
    FlowDeclarations = 9,
    StoreNode = 10,
    DataKey = 11,
}

thread_local! {
    /// Compressor and output buffer, which are reused: a block should not allocate large buffers.
    static COMPRESSOR: RefCell<(Option<zstd::bulk::Compressor<'static>>, Vec<u8>)> =
        const { RefCell::new((None, Vec::new())) };
    /// Decompressor, likewise.
    static DECOMPRESSOR: RefCell<Option<zstd::bulk::Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Decompresses into a buffer, and returns the length of what it wrote.
fn decompress(bytes: &[u8], buffer: &mut [u8]) -> std::io::Result<usize> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(known) => known.decompress_to_buffer(bytes, buffer),
        None => decompressor.insert(zstd::bulk::Decompressor::new()?).decompress_to_buffer(bytes, buffer),
    })
}

/// Calls `f` with the compressed bytes. Returns `None` if compression does not make them smaller.
fn with_compressed<T>(raw: &[u8], f: impl FnOnce(&[u8]) -> T) -> Option<T> {
    COMPRESSOR.with_borrow_mut(|(compressor, room)| {
        if compressor.is_none() {
            *compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        // The buffer has no more room than the input, so input that does not shrink fails.
        if room.len() < raw.len() {
            room.resize(raw.len(), 0);
        }
        let len = compressor.as_mut()?.compress_to_buffer(raw, &mut room[..raw.len()]).ok()?;
        Some(f(&room[..len]))
    })
}

/// Encodes a record, compressed if that makes it smaller.
pub(crate) fn write(kind: RecordKind, key: u64, raw: &[u8]) -> Vec<u8> {
    write_split(kind, key, &[], raw)
}

/// Encodes a record whose body has two parts, of which the first is not worth compressing. That part is given in pieces.
pub(crate) fn write_split(kind: RecordKind, key: u64, plain: &[&[u8]], rest: &[u8]) -> Vec<u8> {
    let plain_len = plain.iter().map(|part| part.len()).sum::<usize>();
    let raw_len = plain_len + rest.len();
    let small = if rest.len() < MIN_COMPRESSED {
        None
    } else {
        with_compressed(rest, |rest| match plain_len {
            0 => assemble(kind, key, raw_len, COMPRESSED, &[], &[], rest),
            _ => assemble(kind, key, raw_len, END_COMPRESSED, &(plain_len as u32).to_le_bytes(), plain, rest),
        })
    };
    small.unwrap_or_else(|| assemble(kind, key, raw_len, 0, &[], plain, rest))
}

fn assemble(
    kind: RecordKind,
    key: u64,
    raw_len: usize,
    flags: u8,
    begins: &[u8],
    plain: &[&[u8]],
    rest: &[u8],
) -> Vec<u8> {
    let len = begins.len() + plain.iter().map(|part| part.len()).sum::<usize>() + rest.len();
    let mut out = Vec::with_capacity(ENVELOPE + len);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&SCHEMA.to_bytes());
    out.extend_from_slice(&[kind as u8, flags]);
    out.extend_from_slice(&key.to_le_bytes());
    out.extend_from_slice(&(raw_len as u32).to_le_bytes());
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(begins);
    plain.iter().for_each(|part| out.extend_from_slice(part));
    out.extend_from_slice(rest);
    let sum = checksum(&out);
    out[24..32].copy_from_slice(&sum.to_le_bytes());
    out
}

fn checksum(record: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(&record[..24]);
    hasher.update(&record[ENVELOPE..]);
    hasher.digest()
}

/// The fields of a plausible envelope.
struct Envelope {
    kind: u8,
    flags: u8,
    key: u64,
    raw_len: usize,
    len: usize,
}

fn read_envelope(bytes: &[u8]) -> Result<Envelope, FormatError> {
    let known = bytes.len().min(4);
    if bytes[..known] != MAGIC[..known] {
        return Err(FormatError::Foreign);
    }
    let Some(head) = bytes.first_chunk::<ENVELOPE>() else {
        return Err(FormatError::Truncated { len: bytes.len() });
    };
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let oldest = if head[6] == RecordKind::Portable as u8 { OLDEST_PORTABLE } else { OLDEST };
    check_schema(Schema::from_bytes([head[4], head[5]]), oldest)?;
    let envelope = Envelope {
        kind: head[6],
        flags: head[7],
        key: u64::from(number(8)) | u64::from(number(12)) << 32,
        raw_len: number(16) as usize,
        len: ENVELOPE + number(20) as usize,
    };
    if envelope.raw_len > MAX_RAW || envelope.len > ENVELOPE + MAX_RAW {
        return Err(FormatError::TooLarge);
    }
    match bytes.get(..envelope.len) {
        None => Err(FormatError::Truncated { len: bytes.len() }),
        Some(record) if checksum(record).to_le_bytes() != head[24..32] => Err(FormatError::Checksum),
        Some(_) => Ok(envelope),
    }
}

/// Returns true if the bytes begin like a record, readable or not.
pub(crate) fn has_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Returns the body of a record, which must have this kind and this key, and occupy all of `bytes`.
pub(crate) fn read(kind: RecordKind, key: u64, bytes: &[u8]) -> Result<Cow<'_, [u8]>, FormatError> {
    let envelope = read_envelope(bytes)?;
    if bytes.len() > envelope.len {
        return Err(FormatError::Trailing(bytes.len() - envelope.len));
    }
    if envelope.kind != kind as u8 || envelope.key != key {
        return Err(FormatError::Misplaced);
    }
    let body = &bytes[ENVELOPE..];
    let malformed = || FormatError::Malformed("the length does not match the header".to_owned());
    let (plain, rest) = match envelope.flags {
        COMPRESSED => (&[][..], body),
        END_COMPRESSED => {
            let (begins, body) = body.split_first_chunk().ok_or_else(malformed)?;
            body.split_at_checked(u32::from_le_bytes(*begins) as usize).ok_or_else(malformed)?
        }
        _ if body.len() == envelope.raw_len => return Ok(Cow::Borrowed(body)),
        _ => return Err(FormatError::Checksum),
    };
    let left = envelope.raw_len.checked_sub(plain.len()).ok_or_else(malformed)?;
    let mut raw = vec![0; envelope.raw_len];
    let (head, tail) = raw.split_at_mut(plain.len());
    head.copy_from_slice(plain);
    match decompress(rest, tail) {
        Ok(len) if len == left => Ok(Cow::Owned(raw)),
        Ok(_) => Err(malformed()),
        Err(error) => Err(FormatError::Malformed(error.to_string())),
    }
}

/// Returns the record under another key.
pub(crate) fn with_key(mut record: Vec<u8>, key: u64) -> Vec<u8> {
    record[8..16].copy_from_slice(&key.to_le_bytes());
    let sum = checksum(&record);
    record[24..32].copy_from_slice(&sum.to_le_bytes());
    record
}

/// Returns the schema of a valid record.
pub(crate) fn schema_of(record: &[u8]) -> Schema {
    record.get(4..).and_then(|rest| rest.first_chunk()).map_or(SCHEMA, |schema| Schema::from_bytes(*schema))
}

/// Finds the undamaged records of one kind anywhere in `bytes`, and returns them with their keys.
pub(crate) fn find_all(kind: RecordKind, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    memchr::memmem::find_iter(bytes, &MAGIC).filter_map(move |at| {
        let found = read_envelope(&bytes[at..]).ok()?;
        (found.kind == kind as u8).then(|| (found.key, &bytes[at..at + found.len]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_only_under_its_kind_and_key() {
        for len in [0, 1, 255, 256, 5_000, 300_000] {
            let raw: Vec<u8> = (0..len).map(|n: u32| (n / 7) as u8).collect();
            let parts = write_split(RecordKind::Block, 7, &[&raw[..raw.len() / 3]], &raw[raw.len() / 3..]);
            assert_eq!(read(RecordKind::Block, 7, &parts).unwrap(), raw);
            assert!(parts.len() < 1000 + raw.len() / 2);
            let record = write(RecordKind::Block, 7, &raw);
            assert_eq!(read(RecordKind::Block, 7, &record).unwrap(), raw);
            assert_eq!(read(RecordKind::BlockIndex, 7, &record), Err(FormatError::Misplaced));
            assert_eq!(read(RecordKind::Block, 8, &record), Err(FormatError::Misplaced));
            assert_eq!(read(RecordKind::Block, 1 << 40, &with_key(record.clone(), 1 << 40)).unwrap(), raw);
            assert!(read(RecordKind::Block, 7, &record[..record.len() - 1]).is_err());
            let longer = [&record[..], &[0]].concat();
            assert_eq!(read(RecordKind::Block, 7, &longer), Err(FormatError::Trailing(1)));
            assert_eq!(find_all(RecordKind::Block, &[b"zvr1noise", &longer[..]].concat()).count(), 1);
        }
    }

    #[test]
    fn every_flipped_bit_is_an_error() {
        let record = write(RecordKind::BlockIndex, 3, &[9; 300]);
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(read(RecordKind::BlockIndex, 3, &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_length_that_is_not_true_is_an_error() {
        // A length beyond the maximum, with a checksum that matches.
        let mut record = write(RecordKind::Block, 1, &[0; 10_000]);
        record[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        let sum = checksum(&record);
        record[24..32].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(read(RecordKind::Block, 1, &record), Err(FormatError::TooLarge));
        // A body that decompresses to more than the envelope states.
        record[16..20].copy_from_slice(&100u32.to_le_bytes());
        let sum = checksum(&record);
        record[24..32].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(read(RecordKind::Block, 1, &record), Err(FormatError::Malformed(_))));
        // A second part that begins after the end, or is longer than the whole body.
        let record = write_split(RecordKind::Block, 1, &[&[1; 500]], &[0; 10_000]);
        for (at, number) in [(32, u32::MAX), (32, 400), (16, 499), (16, 10_499), (16, 10_501)] {
            let mut record = record.clone();
            record[at..at + 4].copy_from_slice(&number.to_le_bytes());
            let sum = checksum(&record);
            record[24..32].copy_from_slice(&sum.to_le_bytes());
            assert!(
                matches!(read(RecordKind::Block, 1, &record), Err(FormatError::Malformed(_))),
                "{at} {number}"
            );
        }
    }
}
