//! Moves old days from a database to a bucket: writes, reads again, and only then removes.

use std::collections::BTreeSet;

use bytes::Bytes;
use zerver_recorder::NodeId;

use crate::bucket::format::pack::PackBuilder;
use crate::bucket::format::records::{self, node_key};
use crate::bucket::format::segment::{BlockRecords, Run};
use crate::bucket::format::segment_name::hour_of;
use crate::bucket::init::settings;
use crate::bucket::keys::{copy_public, put_data_key};
use crate::bucket::object_store::ObjectStore;
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};
use crate::postgres::archived_days::ArchivedDays;

/// Sizes from which on a segment and a pack are complete, in bytes.
const SEGMENT_BYTES: usize = 8 << 20;
const PACK_BYTES: usize = 64 << 20;
/// Attempts to move a day to which a node adds meanwhile.
const ATTEMPTS: usize = 3;
const HOUR_NS: u64 = 60 * 60 * 1_000_000_000;
const DAY_NS: u64 = 24 * HOUR_NS;

/// Result of an archive run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArchiveOutcome {
    /// Number of days that were moved.
    pub days: u64,
    /// Number of blocks that were moved.
    pub blocks: u64,
    /// Number of objects that hold them.
    pub packs: u64,
    /// Size of these objects, in bytes.
    pub bytes: u64,
}

/// Moves the days of a fleet in a database that are older than some days to a fleet in a bucket, the oldest first. Calls
/// `progress` with the number of each day, counted from 1970, before it is moved. May be interrupted and started again.
///
/// # Errors
/// If either cannot be reached or written, a block is damaged, or the fleet has another archive. Days that were moved before
/// stay moved.
pub fn archive(
    from: &FleetUrl,
    to: &FleetUrl,
    older_than_days: u32,
    progress: &mut dyn FnMut(i32),
) -> Result<ArchiveOutcome, FleetError> {
    let (Location::Postgres(database), Location::Bucket(bucket)) = (&from.location, &to.location) else {
        return Err(FleetError::lasting(
            "an archive is a bucket, and what moves there is in a database",
            "zerver fleet archive --store 'postgres://user@host/database?ns=shop_prod' 's3://bucket/prefix?ns=shop_prod'",
        ));
    };
    let store = ObjectStore::new(bucket)?;
    settings(&store)?;
    let mut days = ArchivedDays::open(database)?;
    let place = to.to_string();
    match &days.archive {
        Some(known) if *known != place => {
            return Err(FleetError::lasting(
                format!("the archive of the namespace {} is {known}", from.namespace()),
                "a fleet has one archive, which its readers know",
            ));
        }
        Some(_) => {}
        None => days.set_archive(&place)?,
    }
    let mut run = ArchiveRun { store, days, outcome: ArchiveOutcome::default() };
    let older_than = i32::try_from(older_than_days).unwrap_or(i32::MAX);
    let old = run.days.days_before(run.days.today.saturating_sub(older_than))?;
    if !old.is_empty() {
        run.copy_origins()?;
    }
    for day in old {
        progress(day);
        run.move_day(day)?;
    }
    Ok(run.outcome)
}

struct ArchiveRun {
    store: ObjectStore,
    days: ArchivedDays,
    outcome: ArchiveOutcome,
}

/// Result of an attempt to copy a day.
#[derive(Default)]
struct CopiedDay {
    keys: BTreeSet<String>,
    blocks: u64,
    bytes: u64,
}

impl ArchiveRun {
    fn move_day(&mut self, day: i32) -> Result<(), FleetError> {
        let mut earlier = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let copied = self.copy(day)?;
            if self.days.drop(day, copied.blocks)? {
                // Packs of an attempt that was too early hold blocks that others hold now.
                let unneeded: Vec<String> = earlier.difference(&copied.keys).cloned().collect();
                self.store.delete(&unneeded)?;
                let ArchiveOutcome { days, blocks, packs, bytes } = &mut self.outcome;
                *days += 1;
                *blocks += copied.blocks;
                *packs += copied.keys.len() as u64;
                *bytes += copied.bytes;
                return Ok(());
            }
            earlier.extend(copied.keys);
        }
        Err(FleetError::passing("a node adds to a day that is to be moved; try again when it has caught up"))
    }

    fn copy(&mut self, day: i32) -> Result<CopiedDay, FleetError> {
        let mut copied = CopiedDay::default();
        let start = u64::try_from(day).unwrap_or_default().saturating_mul(DAY_NS);
        for hour in 0..24 {
            let from = start.saturating_add(hour * HOUR_NS);
            // The last day has everything that lies later.
            let until = if hour == 23 && day == i32::MAX { u64::MAX } else { from.saturating_add(HOUR_NS) };
            self.copy_hour(day, (from, until), &mut copied)?;
        }
        Ok(copied)
    }

    fn copy_hour(&mut self, day: i32, span: (u64, u64), copied: &mut CopiedDay) -> Result<(), FleetError> {
        let hour = hour_of(span.0 / 1_000_000);
        let mut pack = PackBuilder::new(hour.clone());
        let (mut segment, mut bytes): (Vec<BlockRecords>, usize) = (Vec::new(), 0);
        let mut of: Option<NodeId> = None;
        let mut after = None;
        loop {
            let blocks = self.days.blocks(day, span, after)?;
            let Some((node, last)) = blocks.last() else { break };
            after = Some((*node, last.seq));
            copied.blocks += blocks.len() as u64;
            for (node, block) in blocks {
                if let Some(previous) = of.filter(|previous| *previous != node || bytes >= SEGMENT_BYTES) {
                    add(&mut pack, previous, &mut segment)?;
                    bytes = 0;
                    if pack.size() >= PACK_BYTES {
                        self.write(std::mem::replace(&mut pack, PackBuilder::new(hour.clone())), copied)?;
                    }
                }
                of = Some(node);
                bytes += block.body.len() + block.summaries.len() + block.index.len();
                segment.push(block);
            }
        }
        if let Some(node) = of {
            add(&mut pack, node, &mut segment)?;
        }
        self.write(pack, copied)
    }

    /// Writes a pack, and reads it again.
    fn write(&self, pack: PackBuilder, copied: &mut CopiedDay) -> Result<(), FleetError> {
        let Some((name, content)) = pack.finish() else { return Ok(()) };
        let (key, content) = (name.key(), Bytes::from(content));
        self.store.put(&key, content.clone(), true)?;
        if self.store.get(&key)?.as_ref() != Some(&content) {
            let prefix = &self.store.url.prefix;
            return Err(FleetError::lasting(
                format!("the object {prefix}{key} is not what was written"),
                "remove it and try again; nothing was removed from the database",
            ));
        }
        copied.bytes += content.len() as u64;
        copied.keys.insert(key);
        Ok(())
    }

    /// Copies what is known about nodes and builds, and the keys, so that the archive can be read by itself.
    fn copy_origins(&mut self) -> Result<(), FleetError> {
        for (node, report) in self.days.reports()? {
            self.store.put(&node_key(node), records::write(&report), false)?;
        }
        for build in self.days.builds()? {
            let (key, content) = records::write_build(&build);
            self.store.put(&key, content, false)?;
        }
        copy_public(&self.store, &self.days.public_keys()?)?;
        for (name, wrapped) in self.days.data_keys()? {
            put_data_key(&self.store, name, &wrapped)?;
        }
        Ok(())
    }
}

fn add(pack: &mut PackBuilder, node: NodeId, segment: &mut Vec<BlockRecords>) -> Result<(), FleetError> {
    let blocks = std::mem::take(segment);
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(()) };
    let (first, last) = (first.seq, last.seq);
    // Other blocks of the node may be in the database, so that nothing is known of gaps.
    let run = Run { first, last, after: 0 };
    pack.add(node, &blocks, vec![run]).map_err(|error| {
        FleetError::lasting(
            format!("a block between {first} and {last} of node {node} is not what was recorded: {error}"),
            "`zerver doctor` names it; its day stays in the database until it is repaired or removed",
        )
    })
}
