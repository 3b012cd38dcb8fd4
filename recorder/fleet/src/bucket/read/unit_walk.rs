//! Walks blocks in the order of their latest request, and reads no more than it must: a segment is read only when nothing
//! that was read before can come before its blocks.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use zerver_recorder::{BlockIndex, Order, ReadError, Wanted};

use crate::bucket::format::segment_name::{Bounds, id_start};
use crate::bucket::read::catalog::{ClosedPack, Unit};
use crate::bucket::read::shared_bucket::SharedBucket;

/// Number of segments that are read at first, and the maximum; each time, four times as many as before.
const FIRST_BATCH: usize = 4;
const MAX_BATCH: usize = 64;

/// A walk over the blocks before one position.
pub(super) struct UnitWalk<'w> {
    shared: &'w SharedBucket,
    wanted: &'w Wanted<'w>,
    order: Order,
    end: u64,
    /// Segments and packs that were not read, by a time that no block in them exceeds, and their position.
    unread: BTreeMap<(u64, u64), Unit>,
    /// Blocks that were read, or what is wrong with them, by their time and position. The greatest comes first.
    waiting: BTreeMap<(u64, u64), Waiting>,
}

/// A block that waits for those that come before it.
struct Waiting {
    at: u64,
    index: Result<BlockIndex, ReadError>,
}

impl<'w> UnitWalk<'w> {
    pub(super) fn new(shared: &'w SharedBucket, wanted: &'w Wanted<'w>, order: Order, end: u64) -> Self {
        let (unread, waiting) = (BTreeMap::new(), BTreeMap::new());
        let mut walk = Self { shared, wanted, order, end, unread, waiting };
        let units = shared.units(0..end);
        let is_wanted = wanted_units(wanted, &units);
        for unit in units.into_iter().filter(|unit| is_wanted(&unit.bounds())) {
            walk.push(unit);
        }
        walk
    }

    fn push(&mut self, unit: Unit) {
        let time = match self.order {
            Order::NewestFirst => unit.bounds().end_ns(),
            Order::OldestFirst => u64::MAX - unit.bounds().start_ns(),
        };
        self.unread.insert((time, unit.positions().start), unit);
    }

    fn wait(&mut self, time: u64, at: u64, index: Result<BlockIndex, ReadError>) {
        let place = if self.order == Order::NewestFirst { at } else { u64::MAX - at };
        self.waiting.insert((time, place), Waiting { at, index });
    }

    /// Calls `f` with the position of each block, and its index or what is wrong with it, until it breaks.
    pub(super) fn run(
        mut self,
        f: &mut dyn FnMut(u64, Result<BlockIndex, ReadError>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut size = FIRST_BATCH;
        loop {
            let mut batch = Vec::new();
            while batch.len() < size
                && let Some(next) = self.unread.last_key_value().map(|((time, _), _)| *time)
                && (!batch.is_empty()
                    || self.waiting.last_key_value().is_none_or(|((time, _), _)| *time <= next))
            {
                batch.extend(self.unread.pop_last());
            }
            if !batch.is_empty() {
                size = (size * 4).min(MAX_BATCH);
                self.read(batch)?;
                continue;
            }
            let Some((_, Waiting { at, index })) = self.waiting.pop_last() else { return Ok(()) };
            if f(at, index).is_break() {
                return Ok(());
            }
        }
    }

    fn read(&mut self, batch: Vec<((u64, u64), Unit)>) -> Result<(), ReadError> {
        let (mut segments, mut times, mut packs) = (Vec::new(), Vec::new(), Vec::new());
        for ((time, _), unit) in batch {
            match unit {
                Unit::Segment(segment) => {
                    segments.push(segment);
                    times.push(time);
                }
                Unit::Pack(pack) => packs.push(pack),
            }
        }
        self.open(&packs)?;
        for ((segment, time), loaded) in segments.iter().zip(times).zip(self.shared.load(&segments)?) {
            let (segment, tail) = match loaded {
                Ok(Some(loaded)) => loaded,
                Ok(None) => continue,
                Err(error) => {
                    self.wait(time, segment.base, Err(error));
                    continue;
                }
            };
            for block in tail.tail.blocks() {
                let Some(at) = segment.position(block.seq).filter(|at| *at < self.end) else { continue };
                match BlockIndex::read(block.seq, &tail.tail.index(block)) {
                    Ok(index) => {
                        let max_ns = index.bounds().max_started_unix_ns;
                        let time = if self.order == Order::NewestFirst { max_ns } else { u64::MAX - max_ns };
                        self.wait(time, at, Ok(index));
                    }
                    Err(error) => {
                        let name = format!("block {} of node {}", block.seq, segment.node);
                        let (place, reason) = (self.shared.place(), error.to_string());
                        self.wait(time, at, Err(ReadError::Altered { place, block: name, reason }));
                    }
                }
            }
        }
        Ok(())
    }

    /// Replaces packs by their segments.
    fn open(&mut self, packs: &[Arc<ClosedPack>]) -> Result<(), ReadError> {
        self.shared.open_packs(packs)?;
        for pack in packs {
            let positions = pack.base..pack.base + pack.name.span;
            let units = self.shared.units(positions);
            let is_wanted = wanted_units(self.wanted, &units);
            for unit in units {
                match &unit {
                    Unit::Pack(pack) => {
                        let reason = pack.damage.as_deref().unwrap_or("it cannot be read");
                        let error = self.shared.damaged(&pack.name.key(), reason);
                        self.wait(u64::MAX, pack.base, Err(error));
                    }
                    Unit::Segment(segment) if is_wanted(&segment.bounds) => self.push(unit),
                    Unit::Segment(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// Returns a function that returns false for bounds in which nothing wanted can be.
fn wanted_units<'u>(wanted: &'u Wanted<'u>, units: &[Unit]) -> Box<dyn Fn(&Bounds) -> bool + 'u> {
    match *wanted {
        Wanted::Every | Wanted::Slowest(_) | Wanted::Fastest(_) => Box::new(|_| true),
        Wanted::Matching(query) => Box::new(|bounds| bounds.may_match(query)),
        Wanted::Ids(first, last) => Box::new(move |bounds| bounds.may_contain(first, last)),
        Wanted::AnyOf(ids) => Box::new(|bounds| ids.iter().any(|id| bounds.may_contain(*id, *id))),
        Wanted::Around(ids) => {
            let bounds: Vec<Bounds> = units.iter().map(Unit::bounds).collect();
            let nearest: Vec<(Option<u64>, Option<u64>)> = ids
                .iter()
                .map(|id| {
                    let id = id_start(*id);
                    let before = bounds.iter().map(|bounds| bounds.max_id).filter(|max| *max < id).max();
                    (before, bounds.iter().map(|bounds| bounds.min_id).filter(|min| *min > id).min())
                })
                .collect();
            Box::new(move |bounds| {
                ids.iter().any(|id| bounds.may_contain(*id, *id))
                    || nearest.iter().any(|(before, after)| {
                        *before == Some(bounds.max_id) || *after == Some(bounds.min_id)
                    })
            })
        }
    }
}
