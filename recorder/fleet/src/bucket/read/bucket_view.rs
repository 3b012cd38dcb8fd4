//! The blocks of a bucket before one position.

use std::collections::VecDeque;
use std::fmt::Display;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use zerver_recorder::{
    BlockIndex, BlockPart, BlocksView, BuildRecord, NodeId, Order, ReadError, StoreCounts, Wanted,
};

use crate::block_visits::{self, Found};
use crate::bucket::BUILDS;
use crate::bucket::format::records::read_build;
use crate::bucket::node_reports::reports;
use crate::bucket::object_store::Part;
use crate::bucket::read::catalog::Unit;
use crate::bucket::read::shared_bucket::{Loaded, SharedBucket};
use crate::bucket::read::unit_walk::UnitWalk;

/// Number of segments that are read at the same time for positions.
const AT_ONCE: usize = 16;
/// Number of builds that are described.
const MAX_BUILDS: usize = 64;

/// The blocks of a bucket at one moment.
pub(crate) struct BucketView {
    shared: Arc<SharedBucket>,
    range: Range<u64>,
}

impl BucketView {
    pub(super) fn new(shared: Arc<SharedBucket>) -> Self {
        let range = shared.range();
        Self { shared, range }
    }

    /// Reads the tail of the segment that has a position.
    fn load(&self, at: u64) -> Loaded {
        let Some(segment) = self.shared.segment_at(at)? else { return Ok(None) };
        self.shared.load(&[segment])?.pop().transpose().map(Option::flatten)
    }

    /// Reads the next positions of a range, which is then shorter.
    fn next_positions(
        &self,
        left: &mut Range<u64>,
        order: Order,
        found: &mut VecDeque<u64>,
    ) -> Result<(), ReadError> {
        let mut units = self.shared.units(left.clone());
        if order == Order::NewestFirst {
            units.reverse();
        }
        units.truncate(AT_ONCE);
        let packs: Vec<_> = units
            .iter()
            .filter_map(|unit| match unit {
                Unit::Pack(pack) if pack.damage.is_none() => Some(Arc::clone(pack)),
                _ => None,
            })
            .collect();
        if !packs.is_empty() {
            return self.shared.open_packs(&packs);
        }
        let segments: Vec<_> = units
            .iter()
            .filter_map(|unit| match unit {
                Unit::Segment(segment) => Some(Arc::clone(segment)),
                Unit::Pack(_) => None,
            })
            .collect();
        let mut loaded = segments.iter().zip(self.shared.load(&segments)?).peekable();
        let range = left.clone();
        for unit in &units {
            let mut positions = match unit {
                // Reading it says what is wrong.
                Unit::Pack(pack) => vec![pack.base],
                Unit::Segment(_) => match loaded.next() {
                    Some((_, Ok(Some((segment, tail))))) => {
                        tail.tail.blocks().iter().filter_map(|block| segment.position(block.seq)).collect()
                    }
                    Some((segment, Err(_))) => vec![segment.base],
                    _ => Vec::new(),
                },
            };
            if order == Order::NewestFirst {
                positions.reverse();
            }
            found.extend(positions.into_iter().filter(|at| range.contains(at)));
            match order {
                Order::OldestFirst => left.start = left.start.max(unit.positions().end),
                Order::NewestFirst => left.end = left.end.min(unit.positions().start),
            }
        }
        if units.is_empty() {
            *left = 0..0;
        }
        Ok(())
    }
}

impl BlocksView for BucketView {
    fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    fn counts(&self) -> Result<StoreCounts, ReadError> {
        let reports = reports(self.shared.store()).map_err(|error| self.shared.outage(error))?;
        let mut counts = StoreCounts::default();
        for (_, _, report) in reports {
            counts.recorded = counts.recorded.saturating_add(report.recorded);
            counts.not_kept = counts.not_kept.saturating_add(report.not_kept);
            counts.dropped = counts.dropped.saturating_add(report.dropped);
        }
        Ok(counts)
    }

    fn dropped(&self) -> Result<u64, ReadError> {
        let units = self.shared.units(self.range.clone());
        Ok(units.iter().map(|unit| unit.bounds().dropped).fold(0, u64::saturating_add))
    }

    fn walk(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let find =
            |found: &mut Found<'_>| UnitWalk::new(&self.shared, wanted, order, self.range.end).run(found);
        block_visits::each(find, may_contain, f)
    }

    fn walk_readable(
        &self,
        wanted: &Wanted<'_>,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError> {
        let find = |found: &mut Found<'_>| {
            UnitWalk::new(&self.shared, wanted, Order::NewestFirst, self.range.end).run(found)
        };
        block_visits::each_readable(find, may_contain, f)
    }

    fn positions(
        &self,
        range: Range<u64>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<u64, ReadError>> + '_> {
        let mut left = range.start.max(self.range.start)..range.end.min(self.range.end);
        let mut found = VecDeque::new();
        Box::new(std::iter::from_fn(move || {
            loop {
                if let Some(at) = found.pop_front() {
                    return Some(Ok(at));
                }
                if left.is_empty() {
                    return None;
                }
                if let Err(error) = self.next_positions(&mut left, order, &mut found) {
                    left = 0..0;
                    return Some(Err(error));
                }
            }
        }))
    }

    fn read(&self, part: BlockPart, at: u64, f: &mut dyn FnMut(u64, &[u8])) -> Result<(), ReadError> {
        let Some((segment, tail)) = self.load(at)? else { return Ok(()) };
        let seq = segment.first + (at - segment.base);
        let Some(block) = tail.tail.block(seq) else { return Ok(()) };
        match part {
            BlockPart::Index => f(seq, &tail.tail.index(block)),
            BlockPart::Summaries => f(seq, &tail.tail.summaries(block)),
            BlockPart::Body => {
                if let Some(body) = self.shared.body(&segment, &tail, block)? {
                    f(seq, &body);
                }
            }
        }
        Ok(())
    }

    fn build_records(&self, kind: BuildRecord) -> Result<Vec<Vec<u8>>, ReadError> {
        let store = self.shared.store();
        let listing = store.list(BUILDS, None).map_err(|error| self.shared.outage(error))?;
        let mut builds = listing.objects;
        builds.sort_by(|one, other| (other.modified, &other.key).cmp(&(one.modified, &one.key)));
        builds.truncate(MAX_BUILDS);
        let parts: Vec<Part> =
            builds.into_iter().map(|object| Part { key: object.key, range: None }).collect();
        let mut records = Vec::new();
        for (part, content) in parts.iter().zip(store.get_parts(&parts)) {
            let Some(content) = content.map_err(|error| self.shared.outage(error))? else { continue };
            let record = read_build(&content, kind).map_err(|error| self.shared.damaged(&part.key, error))?;
            records.extend(record.map(|record| record.to_vec()));
        }
        Ok(records)
    }

    fn is_merged(&self) -> bool {
        true
    }

    fn node(&self, at: u64) -> Option<NodeId> {
        self.shared.known_segment_at(at).map(|segment| segment.node)
    }

    fn damaged(&self, what: &str, error: &dyn Display) -> ReadError {
        ReadError::Altered { place: self.shared.place(), block: what.to_owned(), reason: error.to_string() }
    }

    fn block_name(&self, at: u64) -> String {
        match self.shared.known_segment_at(at) {
            Some(segment) => {
                format!("block {} of node {}", segment.first + (at - segment.base), segment.node)
            }
            None => format!("block {at}"),
        }
    }
}
