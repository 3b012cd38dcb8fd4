//! The one place that knows how bytes are laid out: the header of the file, the envelope around every record, and the
//! codec inside it. Must not know what a record means, nor where it is kept.
//!
//! A record is 32 bytes of envelope in little endian and then its body:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | magic, `zvr1` |
//! | 2 | schema version |
//! | 1 | kind of record |
//! | 1 | flags: 1 where the body is compressed with zstd; 2 where only its end is, and then four bytes say where that begins |
//! | 8 | key: the number under which it is kept, so that a record in the wrong place is found out |
//! | 4 | length of the body once decompressed |
//! | 4 | length of the body |
//! | 8 | XXH3 of all of the above and of the body |

use std::borrow::Cow;
use std::cell::RefCell;

use bincode::config::{Configuration, LittleEndian, Varint};
use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use bincode::{Decode, Encode};
use thiserror::Error;
use xxhash_rust::xxh3::Xxh3;
use zerver_trace::{Origin, Recorded, Redaction, bounded_decode};

/// The schema that this build writes. Since 2 a trace says which worker it was on, and blocks have shapes; since 3 it
/// has the scheme and the authority of its request, tells the time an answer lay ready from the time of its effect, and
/// says what was changed in it to be kept.
pub(crate) const SCHEMA: u16 = 3;
/// The oldest schema of a store that this build reads,
const OLDEST: u16 = 3;
/// and that of a portable file.
const OLDEST_PORTABLE: u16 = 1;

/// The longest body of a record, once decompressed, in bytes.
pub(crate) const MAX_RAW: usize = 8 << 20;
/// Below this a body is not worth compressing.
const MIN_COMPRESSED: usize = 256;

/// Of zstd. What repeats within a block is there once as it is; what more effort would find is not worth its time.
const LEVEL: i32 = -1;

const MAGIC: [u8; 4] = *b"zvr1";
const ENVELOPE: usize = 32;
const COMPRESSED: u8 = 1;
const END_COMPRESSED: u8 = 2;

/// The length of the header of the file: one page, so that all after it stays aligned.
pub(crate) const HEADER_LEN: usize = 4096;
const HEADER_MAGIC: &[u8; 16] = b"zerver store\r\n\x1a\n";

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Block = 1,
    Head = 2,
    Summaries = 3,
    Extent = 4,
    Catalog = 5,
    Portable = 6,
}

/// Why bytes are not a record that this build can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// They do not begin as zerver's do.
    #[error("this was not written by zerver")]
    Foreign,
    /// A later release wrote it.
    #[error("schema {found} is newer than {SCHEMA}, which this build reads; use a newer zerver")]
    Newer {
        /// Its schema.
        found: u16,
    },
    /// A release too old wrote it.
    #[error("schema {found} is older than {oldest}, the oldest which this build reads; use an older zerver")]
    Older {
        /// Its schema.
        found: u16,
        /// The oldest that is read.
        oldest: u16,
    },
    /// It ends too early.
    #[error("it ends after {len} bytes, too early")]
    Truncated {
        /// Its length.
        len: usize,
    },
    /// Something follows its end.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    /// Its checksum does not match: it was changed after it was written.
    #[error("its checksum does not match; it was damaged after it was written")]
    Checksum,
    /// It is a record, and not the one that should be here.
    #[error("another record is in its place")]
    Misplaced,
    /// It is, or says that it is, larger than any record may be.
    #[error("it is larger than a record may be")]
    TooLarge,
    /// The checksum matches, and the contents make no sense.
    #[error("its contents make no sense: {0}")]
    Malformed(String),
}

/// Whether this build reads a schema.
fn readable(found: u16, oldest: u16) -> Result<(), FormatError> {
    match found {
        _ if found > SCHEMA => Err(FormatError::Newer { found }),
        _ if found < oldest => Err(FormatError::Older { found, oldest }),
        _ => Ok(()),
    }
}

/// The header of a new file.
pub(crate) fn file_header() -> Vec<u8> {
    let mut header = vec![0; HEADER_LEN];
    header[..16].copy_from_slice(HEADER_MAGIC);
    header[16..18].copy_from_slice(&SCHEMA.to_le_bytes());
    header
}

/// Checks the header of a file; `head` is its first bytes, of which [`HEADER_LEN`] are wanted.
pub(crate) fn check_file_header(head: &[u8]) -> Result<(), FormatError> {
    let known = head.len().min(16);
    if head[..known] != HEADER_MAGIC[..known] || head.is_empty() {
        return Err(FormatError::Foreign);
    }
    let Some(schema) = head.get(16..).and_then(|rest| rest.first_chunk()) else {
        return Err(FormatError::Truncated { len: head.len() });
    };
    readable(u16::from_le_bytes(*schema), OLDEST)?;
    match head.get(18..HEADER_LEN) {
        None => Err(FormatError::Truncated { len: head.len() }),
        Some(rest) if rest.iter().any(|&byte| byte != 0) => Err(FormatError::Checksum),
        Some(_) => Ok(()),
    }
}

thread_local! {
    /// The compressor, and room for what it makes, so that large pieces of memory do not come and go with each block.
    static COMPRESSOR: RefCell<(Option<zstd::bulk::Compressor<'static>>, Vec<u8>)> =
        const { RefCell::new((None, Vec::new())) };
}

/// Calls `f` with the compressed bytes; not if they do not get smaller.
fn compressed<T>(raw: &[u8], f: impl FnOnce(&[u8]) -> T) -> Option<T> {
    COMPRESSOR.with_borrow_mut(|(compressor, room)| {
        if compressor.is_none() {
            *compressor = zstd::bulk::Compressor::new(LEVEL).ok();
        }
        // With no more room than the bytes have, whatever does not shrink fails.
        if room.len() < raw.len() {
            room.resize(raw.len(), 0);
        }
        let len = compressor.as_mut()?.compress_to_buffer(raw, &mut room[..raw.len()]).ok()?;
        Some(f(&room[..len]))
    })
}

/// Puts the envelope around a body, compressed where that makes it smaller.
pub(crate) fn seal_record(kind: Kind, key: u64, raw: &[u8]) -> Vec<u8> {
    seal_parts(kind, key, &[], raw)
}

/// The same for a body in two parts, of which the first is not worth trying to compress.
pub(crate) fn seal_parts(kind: Kind, key: u64, plain: &[u8], rest: &[u8]) -> Vec<u8> {
    let raw_len = plain.len() + rest.len();
    let small = if rest.len() < MIN_COMPRESSED {
        None
    } else {
        compressed(rest, |rest| match plain {
            [] => envelop(kind, key, raw_len, COMPRESSED, &[rest]),
            _ => {
                let begins = (plain.len() as u32).to_le_bytes();
                envelop(kind, key, raw_len, END_COMPRESSED, &[&begins, plain, rest])
            }
        })
    };
    small.unwrap_or_else(|| envelop(kind, key, raw_len, 0, &[plain, rest]))
}

fn envelop(kind: Kind, key: u64, raw_len: usize, flags: u8, body: &[&[u8]]) -> Vec<u8> {
    let len = body.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(ENVELOPE + len);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&SCHEMA.to_le_bytes());
    out.extend_from_slice(&[kind as u8, flags]);
    out.extend_from_slice(&key.to_le_bytes());
    out.extend_from_slice(&(raw_len as u32).to_le_bytes());
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    body.iter().for_each(|part| out.extend_from_slice(part));
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

/// The envelope at the start of some bytes, as far as it is plausible.
struct Envelope {
    kind: u8,
    flags: u8,
    key: u64,
    raw_len: usize,
    len: usize,
}

fn envelope(bytes: &[u8]) -> Result<Envelope, FormatError> {
    let known = bytes.len().min(4);
    if bytes[..known] != MAGIC[..known] {
        return Err(FormatError::Foreign);
    }
    let Some(head) = bytes.first_chunk::<ENVELOPE>() else {
        return Err(FormatError::Truncated { len: bytes.len() });
    };
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let oldest = if head[6] == Kind::Portable as u8 { OLDEST_PORTABLE } else { OLDEST };
    readable(u16::from_le_bytes([head[4], head[5]]), oldest)?;
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

/// Whether some bytes begin as a record does, readable or not.
pub(crate) fn begins_as_record(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The body of a record which must be of this kind, under this key, and end where the bytes end.
pub(crate) fn open_record(kind: Kind, key: u64, bytes: &[u8]) -> Result<Cow<'_, [u8]>, FormatError> {
    let envelope = envelope(bytes)?;
    if bytes.len() > envelope.len {
        return Err(FormatError::Trailing(bytes.len() - envelope.len));
    }
    if envelope.kind != kind as u8 || envelope.key != key {
        return Err(FormatError::Misplaced);
    }
    let body = &bytes[ENVELOPE..];
    let odd = || FormatError::Malformed("its length is not what it says".to_owned());
    let (plain, rest) = match envelope.flags {
        COMPRESSED => (&[][..], body),
        END_COMPRESSED => {
            let (begins, body) = body.split_first_chunk().ok_or_else(odd)?;
            body.split_at_checked(u32::from_le_bytes(*begins) as usize).ok_or_else(odd)?
        }
        _ if body.len() == envelope.raw_len => return Ok(Cow::Borrowed(body)),
        _ => return Err(FormatError::Checksum),
    };
    let left = envelope.raw_len.checked_sub(plain.len()).ok_or_else(odd)?;
    let rest =
        zstd::bulk::decompress(rest, left).map_err(|error| FormatError::Malformed(error.to_string()))?;
    if rest.len() != left {
        return Err(odd());
    }
    Ok(Cow::Owned(if plain.is_empty() { rest } else { [plain, &rest].concat() }))
}

/// The same record under another key.
pub(crate) fn rekeyed(mut record: Vec<u8>, key: u64) -> Vec<u8> {
    record[8..16].copy_from_slice(&key.to_le_bytes());
    let sum = checksum(&record);
    record[24..32].copy_from_slice(&sum.to_le_bytes());
    record
}

/// The schema of a record that was opened.
pub(crate) fn schema(record: &[u8]) -> u16 {
    record.get(4..).and_then(|rest| rest.first_chunk()).map_or(SCHEMA, |schema| u16::from_le_bytes(*schema))
}

/// What a trace of an older schema would be in this one: what has been added at its end since is not known.
pub(crate) fn as_now(schema: u16, trace: &[u8]) -> Cow<'_, [u8]> {
    if schema >= 3 {
        return Cow::Borrowed(trace);
    }
    let mut now = trace.to_vec();
    if schema < 2 {
        encode_into(None::<u16>, &mut now);
    }
    encode_into(Origin::<Recorded>::NotRecorded, &mut now);
    encode_into(Redaction::default(), &mut now);
    encode_into(false, &mut now);
    Cow::Owned(now)
}

/// The whole records of one kind that lie anywhere in some bytes: their keys and where they are.
pub(crate) fn carve(kind: Kind, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    memchr::memmem::find_iter(bytes, &MAGIC).filter_map(move |at| {
        let found = envelope(&bytes[at..]).ok()?;
        (found.kind == kind as u8).then(|| (found.key, &bytes[at..at + found.len]))
    })
}

const fn config() -> Configuration<LittleEndian, Varint> {
    bincode::config::standard()
}

struct Append<'a>(&'a mut Vec<u8>);

impl Writer for Append<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends what `value` encodes to.
pub(crate) fn encode_into<T: Encode>(value: T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail, and nothing that is recorded has a type which cannot be encoded.
    let _ = bincode::encode_into_writer(value, Append(out), config());
}

/// The same for a text, which most are.
pub(crate) fn encode_text_into(text: &str, out: &mut Vec<u8>) {
    const SHORT: usize = 250;
    if text.len() <= SHORT {
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    } else {
        encode_into(text, out);
    }
}

/// What `value` encodes to.
pub(crate) fn encode<T: Encode>(value: T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// Decodes from the start of some bytes, and says what is left of them.
pub(crate) fn decode_prefix<T: Decode<()>>(bytes: &[u8]) -> Result<(T, &[u8]), FormatError> {
    match bounded_decode::decode_prefix(bytes) {
        Ok((value, used)) => Ok((value, &bytes[used..])),
        Err(bincode::error::DecodeError::LimitExceeded) => Err(FormatError::TooLarge),
        Err(error) => Err(FormatError::Malformed(error.to_string())),
    }
}

/// Decodes the whole of some bytes.
pub(crate) fn decode<T: Decode<()>>(bytes: &[u8]) -> Result<T, FormatError> {
    match decode_prefix(bytes)? {
        (value, []) => Ok(value),
        (_, rest) => Err(FormatError::Trailing(rest.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_opens_as_what_it_was_sealed_as_and_as_nothing_else() {
        for len in [0, 1, 255, 256, 5_000, 300_000] {
            let raw: Vec<u8> = (0..len).map(|n: u32| (n / 7) as u8).collect();
            let parts = seal_parts(Kind::Block, 7, &raw[..raw.len() / 3], &raw[raw.len() / 3..]);
            assert_eq!(open_record(Kind::Block, 7, &parts).unwrap(), raw);
            assert!(parts.len() < 1000 + raw.len() / 2);
            let record = seal_record(Kind::Block, 7, &raw);
            assert_eq!(open_record(Kind::Block, 7, &record).unwrap(), raw);
            assert_eq!(open_record(Kind::Head, 7, &record), Err(FormatError::Misplaced));
            assert_eq!(open_record(Kind::Block, 8, &record), Err(FormatError::Misplaced));
            assert_eq!(open_record(Kind::Block, 1 << 40, &rekeyed(record.clone(), 1 << 40)).unwrap(), raw);
            assert!(open_record(Kind::Block, 7, &record[..record.len() - 1]).is_err());
            let longer = [&record[..], &[0]].concat();
            assert_eq!(open_record(Kind::Block, 7, &longer), Err(FormatError::Trailing(1)));
            assert_eq!(carve(Kind::Block, &[b"zvr1noise", &longer[..]].concat()).count(), 1);
        }
    }

    #[test]
    fn texts_encode_as_texts() {
        for len in [0, 1, 249, 250, 251, 252, 70_000] {
            let (text, mut out) = ("x".repeat(len), Vec::new());
            encode_text_into(&text, &mut out);
            assert_eq!(out, encode(&text));
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let record = seal_record(Kind::Head, 3, &[9; 300]);
        for bit in 0..record.len() * 8 {
            let mut damaged = record.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(open_record(Kind::Head, 3, &damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn bombs_are_errors() {
        // A record that says it is larger than any may be, with a checksum that matches.
        let mut record = seal_record(Kind::Block, 1, &[0; 10_000]);
        record[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        let sum = checksum(&record);
        record[24..32].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(open_record(Kind::Block, 1, &record), Err(FormatError::TooLarge));
        // And one that decompresses to more than it says.
        record[16..20].copy_from_slice(&100u32.to_le_bytes());
        let sum = checksum(&record);
        record[24..32].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(open_record(Kind::Block, 1, &record), Err(FormatError::Malformed(_))));
        // One whose end begins after it, or is longer than all of it.
        let record = seal_parts(Kind::Block, 1, &[1; 500], &[0; 10_000]);
        for (at, number) in [(32, u32::MAX), (32, 400), (16, 499), (16, 10_499), (16, 10_501)] {
            let mut record = record.clone();
            record[at..at + 4].copy_from_slice(&number.to_le_bytes());
            let sum = checksum(&record);
            record[24..32].copy_from_slice(&sum.to_le_bytes());
            assert!(
                matches!(open_record(Kind::Block, 1, &record), Err(FormatError::Malformed(_))),
                "{at} {number}"
            );
        }
        // Lengths within the body.
        for bomb in
            [&[253, 255, 255, 255, 255, 255, 255, 255, 127][..], &[252, 0, 0, 0, 128], &[252, 0, 0, 0, 4]]
        {
            assert!(decode::<Vec<u64>>(bomb).is_err());
            assert!(decode::<Vec<Vec<String>>>(bomb).is_err());
            assert!(decode::<String>(bomb).is_err());
        }
        assert_eq!(decode::<u8>(&[1, 2]), Err(FormatError::Trailing(1)));
    }

    #[test]
    fn the_header_of_a_file_says_whether_it_can_be_read() {
        let header = file_header();
        assert_eq!(check_file_header(&header), Ok(()));
        assert_eq!(check_file_header(b"SQLite format 3\0"), Err(FormatError::Foreign));
        assert_eq!(check_file_header(b"SQ"), Err(FormatError::Foreign));
        assert_eq!(check_file_header(&header[..100]), Err(FormatError::Truncated { len: 100 }));
        let with = |schema: u16| {
            let mut header = header.clone();
            header[16..18].copy_from_slice(&schema.to_le_bytes());
            check_file_header(&header)
        };
        assert_eq!(with(SCHEMA + 1), Err(FormatError::Newer { found: SCHEMA + 1 }));
        assert_eq!(with(0), Err(FormatError::Older { found: 0, oldest: OLDEST }));
    }
}
