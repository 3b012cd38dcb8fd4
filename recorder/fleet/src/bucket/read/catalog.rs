//! The objects of a namespace, as far as a process knows them: the position of each block, and where it lies.
//!
//! Positions are given in the order in which objects are found, so that what a reader has not seen has greater ones. A block
//! keeps its position when its segment is packed. Each belongs to one segment, even if two objects hold it.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use zerver_recorder::NodeId;

use crate::bucket::format::pack::PackedSegment;
use crate::bucket::format::segment_name::{Bounds, PackName, SegmentName, hour_of};

/// Where the bytes of a segment are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) key: String,
    /// Place of the bodies in the object, in bytes.
    pub(super) bodies_at: u64,
    /// Place of the tail in the object, in bytes.
    pub(super) tail: Range<u64>,
}

impl Source {
    fn packed(key: &str, packed: &PackedSegment) -> Self {
        let tail = packed.tail_at..packed.tail_at + packed.tail;
        Self { key: key.to_owned(), bodies_at: packed.bodies_at, tail }
    }
}

/// Consecutive blocks of a node, and their positions.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) node: NodeId,
    /// Keys of the first and the last block.
    pub(super) first: u64,
    pub(super) last: u64,
    /// Position of the first block.
    pub(super) base: u64,
    pub(super) bounds: Bounds,
    /// Hour in the key.
    pub(super) hour: String,
    pub(super) source: Source,
}

impl Segment {
    /// Returns the positions of the blocks.
    pub(super) const fn positions(&self) -> Range<u64> {
        self.base..self.base + (self.last - self.first) + 1
    }

    /// Returns the position of a block by its key.
    pub(super) fn position(&self, seq: u64) -> Option<u64> {
        (self.first..=self.last).contains(&seq).then(|| self.base + (seq - self.first))
    }
}

/// A pack whose directory has not been read, and the positions that are reserved for its blocks.
#[derive(Debug)]
pub(super) struct ClosedPack {
    pub(super) name: PackName,
    pub(super) size: u64,
    pub(super) base: u64,
    /// The reason why it cannot be read.
    pub(super) damage: Option<String>,
}

/// A segment, or a pack whose segments are not known yet.
#[derive(Debug, Clone)]
pub(super) enum Unit {
    Segment(Arc<Segment>),
    Pack(Arc<ClosedPack>),
}

impl Unit {
    pub(super) fn bounds(&self) -> Bounds {
        match self {
            Self::Segment(segment) => segment.bounds,
            Self::Pack(pack) => pack.name.bounds,
        }
    }

    pub(super) fn positions(&self) -> Range<u64> {
        match self {
            Self::Segment(segment) => segment.positions(),
            Self::Pack(pack) => pack.base..pack.base + pack.name.span,
        }
    }
}

/// The objects that are known.
#[derive(Debug)]
pub(super) struct Catalog {
    /// By position.
    units: BTreeMap<u64, Unit>,
    /// Keys of all objects that were found.
    keys: HashSet<String>,
    /// The last block of each range of blocks that has positions, by node and first block.
    claimed: BTreeMap<(NodeId, u64), u64>,
    /// Segments of packs whose directory was read, by node and first block.
    packed: BTreeMap<(NodeId, u64), (u64, Source)>,
    next: u64,
}

impl Default for Catalog {
    fn default() -> Self {
        let (units, keys, claimed, packed) = Default::default();
        Self { units, keys, claimed, packed, next: 1 }
    }
}

impl Catalog {
    /// Returns the positions that blocks may have.
    pub(super) fn range(&self) -> Range<u64> {
        self.units.keys().next().copied().unwrap_or(self.next)..self.next
    }

    /// Iterates over what lies in a range of positions, in their order.
    pub(super) fn units(&self, range: Range<u64>) -> impl DoubleEndedIterator<Item = &Unit> {
        let before = self.units.range(..range.start).next_back().map_or(range.start, |(base, _)| *base);
        let end = range.end.max(before);
        self.units
            .range(before..end)
            .map(|(_, unit)| unit)
            .filter(move |unit| unit.positions().end > range.start)
    }

    /// Returns what has a position.
    pub(super) fn unit_at(&self, at: u64) -> Option<&Unit> {
        self.units(at..at.saturating_add(1)).next()
    }

    /// Adds objects, the one with the earliest requests first. What is known already is left out.
    pub(super) fn add(&mut self, live: Vec<(SegmentName, u64)>, packs: Vec<(PackName, u64)>) {
        enum Found {
            Live(SegmentName, u64),
            Pack(PackName, u64),
        }
        let live =
            live.into_iter().map(|(name, size)| (name.bounds.max_ms, name.key(), Found::Live(name, size)));
        let packs =
            packs.into_iter().map(|(name, size)| (name.bounds.max_ms, name.key(), Found::Pack(name, size)));
        let mut found: Vec<_> = live.chain(packs).filter(|(_, key, _)| !self.keys.contains(key)).collect();
        found.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        for (_, key, found) in found {
            match found {
                Found::Live(name, size) => {
                    let tail = size.saturating_sub(name.tail)..size;
                    let source = Source { key: key.clone(), bodies_at: 0, tail };
                    let (hour, range) = (hour_of(name.time_ms), (name.first, name.last));
                    let mut base = self.next;
                    self.add_segments(&mut base, name.node, range, name.bounds, &hour, &source);
                    self.next = base;
                }
                Found::Pack(name, size) => {
                    let base = self.next;
                    self.next = base.saturating_add(name.span);
                    if name.span > 0 {
                        self.units.insert(
                            base,
                            Unit::Pack(Arc::new(ClosedPack { name, size, base, damage: None })),
                        );
                    }
                }
            }
            self.keys.insert(key);
        }
    }

    /// Takes the segments of a pack, whose directory was read, or what is wrong with it.
    pub(super) fn open(&mut self, pack: &ClosedPack, directory: Result<Vec<PackedSegment>, String>) {
        if !matches!(self.units.get(&pack.base), Some(Unit::Pack(_))) {
            return;
        }
        let mut segments = match directory {
            Ok(segments) => segments,
            Err(damage) => {
                let ClosedPack { name, size, base, .. } = pack;
                let pack = ClosedPack { name: name.clone(), size: *size, base: *base, damage: Some(damage) };
                self.units.insert(pack.base, Unit::Pack(Arc::new(pack)));
                return;
            }
        };
        self.units.remove(&pack.base);
        segments.sort_by_key(|segment| (segment.bounds.max_ms, segment.node(), segment.first));
        let (mut base, key) = (pack.base, pack.name.key());
        for packed in segments {
            let source = Source::packed(&key, &packed);
            let range = (packed.first, packed.last);
            self.add_segments(&mut base, packed.node(), range, packed.bounds, &pack.name.hour, &source);
            self.packed.insert((packed.node(), packed.first), (packed.last, source));
        }
    }

    /// Adds the blocks of a range that have no position yet, from a position on.
    fn add_segments(
        &mut self,
        base: &mut u64,
        node: NodeId,
        range: (u64, u64),
        bounds: Bounds,
        hour: &str,
        source: &Source,
    ) {
        for (first, last) in self.claim(node, range) {
            let bounds = if (first, last) == range { bounds } else { Bounds { dropped: 0, ..bounds } };
            let (hour, source) = (hour.to_owned(), source.clone());
            let segment = Segment { node, first, last, base: *base, bounds, hour, source };
            let end = segment.positions().end;
            self.units.insert(*base, Unit::Segment(Arc::new(segment)));
            *base = end;
        }
    }

    /// Returns the parts of a range of blocks that have no position, which now have one.
    fn claim(&mut self, node: NodeId, (first, last): (u64, u64)) -> Vec<(u64, u64)> {
        let before = self.claimed.range((node, 0)..=(node, first)).next_back().map(|(_, last)| *last);
        let mut free_from = before.filter(|end| *end >= first).map_or(Some(first), |end| end.checked_add(1));
        let mut free = Vec::new();
        for ((_, start), end) in self.claimed.range((node, first)..=(node, last)) {
            if let Some(from) = free_from.filter(|from| from < start) {
                free.push((from, start - 1));
            }
            free_from = free_from.max(end.checked_add(1));
        }
        if let Some(from) = free_from.filter(|from| *from <= last) {
            free.push((from, last));
        }
        self.claimed.extend(free.iter().map(|(first, last)| ((node, *first), *last)));
        free
    }

    /// Returns the packs of hours of which there are segments outside of them too.
    pub(super) fn overlapping_packs(&self) -> Vec<Arc<ClosedPack>> {
        let segments = self.units.values().filter_map(|unit| match unit {
            Unit::Segment(segment) => Some(segment.hour.as_str()),
            Unit::Pack(_) => None,
        });
        let hours: HashSet<&str> = segments.collect();
        let packs = self.units.values().filter_map(|unit| match unit {
            Unit::Pack(pack) if hours.contains(pack.name.hour.as_str()) => Some(Arc::clone(pack)),
            _ => None,
        });
        packs.collect()
    }

    /// Returns the packs of an hour whose directory was not read.
    pub(super) fn closed_packs(&self, hour: &str) -> Vec<Arc<ClosedPack>> {
        let packs = self.units.values().filter_map(|unit| match unit {
            Unit::Pack(pack) if pack.name.hour == hour && pack.damage.is_none() => Some(Arc::clone(pack)),
            _ => None,
        });
        packs.collect()
    }

    /// Returns the segment in the place of one whose object is gone: the same blocks in a pack. Forgets it if there is none.
    pub(super) fn replace(&mut self, lost: &Segment) -> Option<Arc<Segment>> {
        let found = self.packed.range((lost.node, 0)..=(lost.node, lost.first)).next_back();
        let source = found.filter(|(_, (last, source))| *last >= lost.last && *source != lost.source);
        let Some((_, (_, source))) = source else {
            self.units.remove(&lost.base);
            return None;
        };
        let Segment { node, first, last, base, bounds, ref hour, .. } = *lost;
        let segment = Segment { node, first, last, base, bounds, hour: hour.clone(), source: source.clone() };
        let segment = Arc::new(segment);
        self.units.insert(base, Unit::Segment(Arc::clone(&segment)));
        Some(segment)
    }

    /// Forgets a pack that was removed.
    pub(super) fn forget(&mut self, pack: &ClosedPack) {
        if matches!(self.units.get(&pack.base), Some(Unit::Pack(_))) {
            self.units.remove(&pack.base);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_block_has_one_position_however_segments_overlap(
            ranges in prop::collection::vec((0..3_u64, 0..60_u64, 0..20_u64), 1..30),
        ) {
            let mut catalog = Catalog::default();
            let mut wanted = BTreeSet::new();
            for (node, first, length) in ranges {
                let bounds = Bounds { traces: 1, dropped: 0, min_ms: first, max_ms: first, min_id: 0, max_id: 0 };
                let (node, last) = (NodeId(node), first + length);
                catalog.add(vec![(SegmentName { time_ms: 0, node, first, last, bounds, tail: 1 }, 10)], vec![]);
                wanted.extend((first..=last).map(|seq| (node, seq)));
            }
            let (mut found, mut positions) = (BTreeSet::new(), BTreeSet::new());
            for unit in catalog.units(catalog.range()) {
                let Unit::Segment(segment) = unit else { unreachable!() };
                for seq in segment.first..=segment.last {
                    prop_assert!(found.insert((segment.node, seq)), "{:?} {}", segment.node, seq);
                    let at = segment.position(seq).unwrap();
                    prop_assert!(positions.insert(at) && catalog.range().contains(&at));
                    prop_assert!(matches!(catalog.unit_at(at), Some(Unit::Segment(there)) if there.base == segment.base));
                }
            }
            prop_assert_eq!(found, wanted);
        }
    }
}
