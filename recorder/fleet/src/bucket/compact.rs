//! Packs the segments of an hour into few objects, and removes what is too old.
//!
//! A pack is there as a whole or not at all. The segments that it holds stay for a while, so that a reader which has listed
//! them can still read them, and are deleted by a later compaction. Two that run at the same time make packs with the same
//! blocks, which readers show once.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use zerver_recorder::NodeId;

use crate::bucket::bucket_url::BucketUrl;
use crate::bucket::format::pack::PackBuilder;
use crate::bucket::format::segment::{BlockRecords, Run, Tail, WholeSegment};
use crate::bucket::format::segment_name::{SegmentName, hour_end_ms, hour_of};
use crate::bucket::init::settings;
use crate::bucket::inventory::{Inventory, OpenPack, open_packs};
use crate::bucket::object_store::{Listed, ObjectStore, Part};
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};

/// Sizes from which on a segment of a pack and a pack are complete, in bytes.
const SEGMENT_BYTES: usize = 8 << 20;
const PACK_BYTES: usize = 64 << 20;
/// Number of segments that are read at the same time.
const AT_ONCE: usize = 32;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Settings of a compaction.
#[derive(Debug, Clone, Copy)]
pub struct CompactOptions {
    /// Time after the end of an hour when it is packed. A node that catches up later adds segments, which are packed then.
    pub settle: Duration,
    /// Time for which segments stay after they were packed.
    pub grace: Duration,
}

impl Default for CompactOptions {
    fn default() -> Self {
        let hour = Duration::from_secs(60 * 60);
        Self { settle: hour, grace: hour }
    }
}

/// Result of a compaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactOutcome {
    /// Number of segments that were packed.
    pub packed: u64,
    /// Number of packs that were written.
    pub packs: u64,
    /// Number of segments that were deleted, because a pack holds them.
    pub replaced: u64,
    /// Number of objects that were deleted because of their age.
    pub expired: u64,
    /// Names of objects that cannot be read, which stay as they are.
    pub damaged: Vec<String>,
}

/// Packs the segments of a fleet in a bucket, deletes those that were packed earlier, and what is older than the fleet keeps.
///
/// # Errors
/// If the bucket cannot be reached or written, or the fleet is in a database.
pub fn compact(url: &FleetUrl, options: CompactOptions) -> Result<CompactOutcome, FleetError> {
    match &url.location {
        Location::Bucket(url) => Compaction::new(url, options)?.run(),
        Location::Postgres(_) => Err(FleetError::lasting(
            "only a bucket is compacted",
            "a database drops old days by itself, while services ship to it",
        )),
    }
}

struct Compaction {
    store: ObjectStore,
    options: CompactOptions,
    outcome: CompactOutcome,
}

impl Compaction {
    fn new(url: &BucketUrl, options: CompactOptions) -> Result<Self, FleetError> {
        Ok(Self { store: ObjectStore::new(url)?, options, outcome: CompactOutcome::default() })
    }

    fn run(mut self) -> Result<CompactOutcome, FleetError> {
        let settings = settings(&self.store)?;
        let mut inventory = Inventory::read(&self.store)?;
        let now_ms = u64::try_from(inventory.now.as_millisecond()).unwrap_or_default();
        let oldest_ms = now_ms.saturating_sub(u64::from(settings.keep_days).saturating_mul(DAY_MS));
        self.expire(&mut inventory, oldest_ms)?;
        let settle = u64::try_from(self.options.settle.as_millis()).unwrap_or(u64::MAX);
        let settled_ms = now_ms.saturating_sub(settle);
        let mut hours: BTreeMap<String, Vec<(SegmentName, Listed)>> = BTreeMap::new();
        for (name, object) in std::mem::take(&mut inventory.live) {
            let hour = hour_of(name.time_ms);
            if hour_end_ms(&hour).is_some_and(|end| end <= settled_ms) {
                hours.entry(hour).or_default().push((name, object));
            }
        }
        let packs = inventory.packs.iter().filter(|(name, _)| hours.contains_key(&name.hour));
        let packs = open_packs(&self.store, packs, &mut self.outcome.damaged)?;
        for (hour, live) in hours {
            let packs = packs.get(&hour).map(Vec::as_slice).unwrap_or_default();
            let (packed, fresh): (Vec<_>, Vec<_>) = live
                .into_iter()
                .partition(|(name, _)| packs.iter().any(|pack| pack.covering(name).is_some()));
            self.delete_packed(packed, packs, &inventory)?;
            // One segment alone gains nothing.
            if fresh.len() > 1 {
                self.pack(&hour, fresh)?;
            }
        }
        Ok(self.outcome)
    }

    /// Deletes objects of which every request is too old.
    fn expire(&mut self, inventory: &mut Inventory, oldest_ms: u64) -> Result<(), FleetError> {
        let is_old = |hour: &str| hour_end_ms(hour).is_some_and(|end| end <= oldest_ms);
        let live = inventory.live.extract_if(.., |(name, _)| is_old(&hour_of(name.time_ms)));
        let mut keys: Vec<String> = live.map(|(_, object)| object.key).collect();
        let packs = inventory.packs.extract_if(.., |(name, _)| is_old(&name.hour));
        keys.extend(packs.map(|(_, object)| object.key));
        self.store.delete(&keys)?;
        self.outcome.expired += keys.len() as u64;
        Ok(())
    }

    /// Deletes segments that have been in a pack for some time, if that pack is readable.
    fn delete_packed(
        &mut self,
        packed: Vec<(SegmentName, Listed)>,
        packs: &[OpenPack],
        inventory: &Inventory,
    ) -> Result<(), FleetError> {
        let is_due = |pack: &&OpenPack| {
            // The time of an answer has no fractions of a second, so that a pack may seem to be of the future.
            let age = Duration::try_from(inventory.now.duration_since(pack.object.modified));
            age.unwrap_or_default() >= self.options.grace
        };
        let mut found = Vec::new();
        for (name, object) in packed {
            let pack = packs.iter().filter(is_due).find_map(|pack| Some((pack, pack.covering(&name)?)));
            if let Some((pack, segment)) = pack {
                let range = Some(segment.tail_at..segment.tail_at + segment.tail);
                found.push((name, object.key, Part { key: pack.object.key.clone(), range }));
            }
        }
        // Many segments of an hour have become one.
        let mut parts: Vec<Part> = found.iter().map(|(.., part)| part.clone()).collect();
        parts.sort_by_key(|part| (part.key.clone(), part.range.as_ref().map(|range| range.start)));
        parts.dedup();
        let tails: Vec<Option<Bytes>> = self.store.get_parts(&parts).into_iter().collect::<Result<_, _>>()?;
        let mut keys = Vec::new();
        for (name, key, part) in found {
            let tail = parts.iter().position(|there| *there == part).and_then(|at| tails[at].clone());
            let tail = tail.and_then(|tail| Tail::read(tail, name.node).ok());
            if tail.is_some_and(|tail| tail.block(name.first).is_some() && tail.block(name.last).is_some()) {
                keys.push(key);
            } else {
                self.outcome
                    .damaged
                    .push(format!("the object {}{} does not hold {key}", self.store.url.prefix, part.key));
            }
        }
        self.store.delete(&keys)?;
        self.outcome.replaced += keys.len() as u64;
        Ok(())
    }

    /// Writes the segments of an hour as packs.
    fn pack(&mut self, hour: &str, mut live: Vec<(SegmentName, Listed)>) -> Result<(), FleetError> {
        live.sort_by_key(|(name, _)| (name.node, name.first));
        let mut pack = PackBuilder::new(hour.to_owned());
        for of_node in live.chunk_by(|(one, _), (next, _)| one.node == next.node) {
            let mut merged = Merged::default();
            for some in of_node.chunks(AT_ONCE) {
                let parts = some.iter().map(|(_, object)| Part { key: object.key.clone(), range: None });
                let contents = self.store.get_parts(&parts.collect::<Vec<_>>());
                for ((name, object), content) in some.iter().zip(contents) {
                    let Some(content) = content? else { continue };
                    match WholeSegment::read(name, &content) {
                        Ok(whole) => merged.add(&whole),
                        Err(error) => self.damaged(&object.key, &error),
                    }
                    if merged.bytes >= SEGMENT_BYTES {
                        self.add(&mut pack, name.node, &mut merged);
                        self.write(hour, &mut pack, PACK_BYTES)?;
                    }
                }
            }
            if let Some((name, _)) = of_node.first() {
                self.add(&mut pack, name.node, &mut merged);
            }
            self.write(hour, &mut pack, PACK_BYTES)?;
        }
        self.write(hour, &mut pack, 0)
    }

    fn add(&mut self, pack: &mut PackBuilder, node: NodeId, merged: &mut Merged) {
        let Merged { blocks, runs, segments, .. } = std::mem::take(merged);
        match pack.add(node, &blocks, runs) {
            Ok(()) => self.outcome.packed += segments,
            Err(error) => self.damaged(&format!("of node {node}"), &error),
        }
    }

    fn damaged(&mut self, key: &str, error: &dyn std::fmt::Display) {
        self.outcome.damaged.push(format!("the object {}{key}: {error}", self.store.url.prefix));
    }

    /// Writes a pack that has a size, and begins a new one.
    fn write(&mut self, hour: &str, pack: &mut PackBuilder, size: usize) -> Result<(), FleetError> {
        if pack.is_empty() || pack.size() < size {
            return Ok(());
        }
        let full = std::mem::replace(pack, PackBuilder::new(hour.to_owned()));
        if let Some((name, content)) = full.finish() {
            self.store.put(&name.key(), Bytes::from(content), true)?;
            self.outcome.packs += 1;
        }
        Ok(())
    }
}

/// Segments of a node that become one.
#[derive(Debug, Default)]
struct Merged {
    blocks: Vec<BlockRecords>,
    runs: Vec<Run>,
    segments: u64,
    bytes: usize,
}

impl Merged {
    /// Adds the blocks that are not there yet.
    fn add(&mut self, whole: &WholeSegment) {
        self.runs.extend(whole.tail.runs.iter().copied());
        self.segments += 1;
        for block in whole.records() {
            if self.blocks.last().is_none_or(|last| last.seq < block.seq) {
                self.bytes += block.body.len() + block.summaries.len() + block.index.len();
                self.blocks.push(block);
            }
        }
    }
}
