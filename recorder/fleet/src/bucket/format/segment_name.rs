//! The names of segments and packs, which say what is in them.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use zerver_recorder::{BlockIndex, ClosedBlock, NodeId};
use zerver_trace::{Query, RequestId};

use crate::bucket::{LIVE, PACKS};

const MS_NS: u64 = 1_000_000;
/// Limits of what a name may say, so that sums of positions cannot overflow. Real ones are far smaller.
pub(crate) const MAX_BLOCKS: u64 = 1 << 32;
const MAX_SPAN: u64 = 1 << 40;
const MAX_SEQ: u64 = 1 << 62;

/// Bounds of the requests of several blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounds {
    /// Number of traces.
    pub(crate) traces: u64,
    /// Requests before the blocks that were dropped because the queue was full.
    pub(crate) dropped: u64,
    /// Earliest start of a request, rounded down, in milliseconds since the Unix epoch.
    pub(crate) min_ms: u64,
    /// Latest start of a request, rounded down, in milliseconds since the Unix epoch.
    pub(crate) max_ms: u64,
    /// The first 48 bits of the lowest id, which are its time.
    pub(crate) min_id: u64,
    /// The first 48 bits of the highest id.
    pub(crate) max_id: u64,
}

impl Bounds {
    pub(crate) fn of(block: &ClosedBlock) -> Self {
        Self::of_index(&block.index)
    }

    pub(crate) fn of_index(index: &BlockIndex) -> Self {
        let bounds = index.bounds();
        Self {
            traces: u64::from(bounds.count),
            dropped: bounds.dropped,
            min_ms: bounds.min_started_unix_ns / MS_NS,
            max_ms: bounds.max_started_unix_ns / MS_NS,
            min_id: id_start(bounds.min_id),
            max_id: id_start(bounds.max_id),
        }
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            traces: self.traces.saturating_add(other.traces),
            dropped: self.dropped.saturating_add(other.dropped),
            min_ms: self.min_ms.min(other.min_ms),
            max_ms: self.max_ms.max(other.max_ms),
            min_id: self.min_id.min(other.min_id),
            max_id: self.max_id.max(other.max_id),
        }
    }

    /// Returns a time that no request began after, in nanoseconds since the Unix epoch.
    pub(crate) const fn end_ns(self) -> u64 {
        self.max_ms.saturating_add(1).saturating_mul(MS_NS)
    }

    /// Returns a time that no request began before, in nanoseconds since the Unix epoch.
    pub(crate) const fn start_ns(self) -> u64 {
        self.min_ms.saturating_mul(MS_NS)
    }

    /// Returns true if a request may match a query, as far as its time says.
    pub(crate) fn may_match(self, query: &Query) -> bool {
        query.since_unix_ns.is_none_or(|since| self.end_ns() > since)
            && query.until_unix_ns.is_none_or(|until| self.start_ns() < until)
            && query.in_progress_unix_ns.is_none_or(|(_, until)| self.start_ns() <= until)
    }

    /// Returns true if an id between two may be there.
    pub(crate) const fn may_contain(self, first: RequestId, last: RequestId) -> bool {
        self.min_id <= id_start(last) && id_start(first) <= self.max_id
    }

    fn write(self, name: &mut String) {
        let Self { traces, dropped, min_ms, max_ms, min_id, max_id } = self;
        // Writing to a string cannot fail.
        let _ = write!(name, "-{traces}-{dropped}-{min_ms}-{max_ms}-{min_id:012x}-{max_id:012x}");
    }

    fn read<'p>(parts: &mut impl Iterator<Item = &'p str>) -> Option<Self> {
        let (traces, dropped) = (decimal(parts.next()?)?, decimal(parts.next()?)?);
        let (min_ms, max_ms) = (decimal(parts.next()?)?, decimal(parts.next()?)?);
        let (min_id, max_id) = (hexadecimal(parts.next()?, 12)?, hexadecimal(parts.next()?, 12)?);
        (min_ms <= max_ms).then_some(Self { traces, dropped, min_ms, max_ms, min_id, max_id })
    }
}

/// The name of a segment: consecutive blocks of a node, all of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentName {
    /// The hour, in milliseconds since the Unix epoch, and the time of the first block in it.
    pub(crate) time_ms: u64,
    pub(crate) node: NodeId,
    /// Keys of the first and the last block.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bounds: Bounds,
    /// Length of the end of the object, from the summaries on, in bytes.
    pub(crate) tail: u64,
}

impl SegmentName {
    /// Returns the start of the keys of segments that begin with a block.
    pub(crate) fn start(block: &ClosedBlock, node: NodeId) -> String {
        start(Bounds::of(block).max_ms, node, block.seq)
    }

    /// Returns the key.
    pub(crate) fn key(&self) -> String {
        let mut key = start(self.time_ms, self.node, self.first);
        let _ = write!(key, "{}", self.last);
        self.bounds.write(&mut key);
        let _ = write!(key, "-{}", self.tail);
        key
    }

    /// Reads a key. Returns `None` if no segment has it.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (hour, rest) = key.strip_prefix(LIVE)?.split_once('/')?;
        let mut parts = rest.split('-');
        let time_ms = read_time(hour, parts.next()?)?;
        let node = NodeId(hexadecimal(parts.next()?, 16)?);
        let (first, last) = (decimal(parts.next()?)?, decimal(parts.next()?)?);
        let bounds = Bounds::read(&mut parts)?;
        let name = Self { time_ms, node, first, last, bounds, tail: decimal(parts.next()?)? };
        // Only one key stands for a segment.
        let is_possible = first <= last && last < MAX_SEQ && last - first < MAX_BLOCKS;
        (is_possible && name.key() == key).then_some(name)
    }
}

/// The name of a pack: segments of one hour, with a directory at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackName {
    /// The hour: its first two digits are those of the day, and so on.
    pub(crate) hour: String,
    pub(crate) bounds: Bounds,
    /// Number of positions of its blocks.
    pub(crate) span: u64,
    /// Length of the directory, in bytes.
    pub(crate) directory: u64,
    /// The first 64 bits of the hash of the directory.
    pub(crate) hash: u64,
}

impl PackName {
    pub(crate) fn key(&self) -> String {
        let Self { hour, bounds, span, directory, hash } = self;
        let mut key = format!("{PACKS}{hour}/{hash:016x}");
        bounds.write(&mut key);
        let _ = write!(key, "-{span}-{directory}");
        key
    }

    /// Reads a key. Returns `None` if no pack has it.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let (hour, rest) = key.strip_prefix(PACKS)?.split_once('/')?;
        read_time(hour, "0000")?;
        let mut parts = rest.split('-');
        let hash = hexadecimal(parts.next()?, 16)?;
        let bounds = Bounds::read(&mut parts)?;
        let (span, directory) = (decimal(parts.next()?)?, decimal(parts.next()?)?);
        let name = Self { hour: hour.to_owned(), bounds, span, directory, hash };
        (span <= MAX_SPAN && name.key() == key).then_some(name)
    }
}

/// Returns the first 48 bits of an id, which are its time in milliseconds if it is a version 7 UUID.
pub(crate) const fn id_start(id: RequestId) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// Returns the hour of a time, as keys have it: `2026120103`.
pub(crate) fn hour_of(unix_ms: u64) -> String {
    time(unix_ms).strftime("%Y%m%d%H").to_string()
}

/// Returns the end of an hour, in milliseconds since the Unix epoch.
pub(crate) fn hour_end_ms(hour: &str) -> Option<u64> {
    Some(read_time(hour, "0000")? + 60 * 60 * 1000)
}

fn start(time_ms: u64, node: NodeId, first: u64) -> String {
    format!("{LIVE}{}/{}-{node}-{first}-", hour_of(time_ms), time(time_ms).strftime("%M%S"))
}

/// Returns the start of the keys of segments that begin at a time or later.
pub(crate) fn live_since(unix_ms: u64) -> String {
    format!("{LIVE}{}/{}", hour_of(unix_ms), time(unix_ms).strftime("%M%S"))
}

fn time(unix_ms: u64) -> jiff::Zoned {
    // No clock that works shows a later time.
    let ms = i64::try_from(unix_ms).unwrap_or(i64::MAX).min(253_370_764_800_000);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC)
}

/// Reads an hour, and the minutes and seconds in it.
fn read_time(hour: &str, rest: &str) -> Option<u64> {
    if hour.len() != 10
        || rest.len() != 4
        || !hour.bytes().chain(rest.bytes()).all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let field = |text: &str, from: usize, until: usize| text.get(from..until)?.parse::<i8>().ok();
    let date = jiff::civil::DateTime::new(
        hour.get(..4)?.parse().ok()?,
        field(hour, 4, 6)?,
        field(hour, 6, 8)?,
        field(hour, 8, 10)?,
        field(rest, 0, 2)?,
        field(rest, 2, 4)?,
        0,
    );
    let time = date.ok()?.to_zoned(TimeZone::UTC).ok()?;
    u64::try_from(time.timestamp().as_millisecond()).ok()
}

/// Reads a number that is written without leading zeros.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn hexadecimal(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits).then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bounds() -> impl Strategy<Value = Bounds> {
        (any::<(u64, u64)>(), 0..4_000_000_000_000_u64, 0..4_000_000_000_u64, 0..1_u64 << 48, 0..1_u64 << 48)
            .prop_map(|((traces, dropped), min_ms, span, min_id, max_id)| Bounds {
                traces,
                dropped,
                min_ms,
                max_ms: min_ms + span,
                min_id,
                max_id,
            })
    }

    proptest! {
        #[test]
        fn names_are_read_as_they_were_written(
            bounds in bounds(),
            seconds in 0..253_000_000_000_u64,
            node in any::<u64>(),
            first in any::<u32>(),
            blocks in 0..1000_u64,
            tail in any::<u64>(),
        ) {
            let first = u64::from(first);
            let name = SegmentName {
                time_ms: seconds * 1000,
                node: NodeId(node),
                first,
                last: first + blocks,
                bounds,
                tail,
            };
            prop_assert_eq!(SegmentName::parse(&name.key()), Some(name.clone()));
            prop_assert!(name.key() >= live_since(name.time_ms));
            prop_assert!(name.key() < live_since(name.time_ms + 1000));
            let pack = PackName { hour: hour_of(name.time_ms), bounds, span: blocks, directory: tail, hash: node };
            prop_assert_eq!(PackName::parse(&pack.key()), Some(pack));
        }

        #[test]
        fn no_other_key_is_taken_for_a_name(key in "(live/|packs/)?[0-9]{0,10}/?[0-9a-f-]{0,80}") {
            prop_assert!(SegmentName::parse(&key).is_none_or(|name| name.key() == key));
            prop_assert!(PackName::parse(&key).is_none_or(|name| name.key() == key));
        }
    }

    #[test]
    fn a_key_shows_the_hour_the_node_and_the_blocks() {
        let name = SegmentName {
            time_ms: 1_796_094_123_000,
            node: NodeId(0xab),
            first: 17,
            last: 19,
            bounds: Bounds {
                traces: 120,
                dropped: 0,
                min_ms: 1_796_094_120_000,
                max_ms: 1_796_094_125_000,
                min_id: 1,
                max_id: 2,
            },
            tail: 4000,
        };
        assert_eq!(
            name.key(),
            "live/2026120103/0203-00000000000000ab-17-19-120-0-1796094120000-1796094125000-000000000001-000000000002-4000"
        );
        assert_eq!(hour_end_ms("2026120103"), Some(1_796_097_600_000));
        let endless = SegmentName { first: 0, last: u64::MAX, ..name.clone() }.key();
        let hash = PackName {
            hour: hour_of(name.time_ms),
            bounds: name.bounds,
            span: u64::MAX,
            directory: 1,
            hash: 1,
        };
        let wide = hash.key();
        for foreign in
            ["live/notes.txt", "live/2026120103/", "live/2026139902/0000-1", "packs/x/y", "", &endless, &wide]
        {
            assert_eq!(SegmentName::parse(foreign), None, "{foreign}");
            assert_eq!(PackName::parse(foreign), None, "{foreign}");
        }
    }
}
