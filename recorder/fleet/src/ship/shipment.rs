//! A round of shipping: everything that the spool has, and a report.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerver_recorder::{Backlog, BuildRecords, ClosedBlock, NodeId, ReadError, Spool, SpoolEnd, SpoolReader};

use crate::fault_point;
use crate::fleet_error::FleetError;
use crate::keys::wrapped_key::WrappedKey;
use crate::ship::destination::{Destination, traces};
use crate::ship::rate_quota::RateQuota;
use crate::ship::shipper_status::SharedStatus;

/// Maximum number of blocks that are sent at once, and of bytes.
const MAX_BLOCKS: usize = 64;
const MAX_BYTES: usize = 4 << 20;
/// Rate at which a node catches up after an outage, in bytes a second.
const MAX_BYTES_PER_SECOND: f64 = 4e6;

/// The reason why a round ended early.
#[derive(Debug)]
pub(super) enum ShipError {
    /// The spool cannot be read.
    Spool(ReadError),
    /// The destination does not take it.
    Fleet(FleetError),
}

impl From<ReadError> for ShipError {
    fn from(error: ReadError) -> Self {
        Self::Spool(error)
    }
}

impl From<FleetError> for ShipError {
    fn from(error: FleetError) -> Self {
        Self::Fleet(error)
    }
}

/// Ships what a spool has.
pub(super) struct Shipment {
    spool: Spool,
    destination: Box<dyn Destination>,
    quota: RateQuota,
    status: Arc<SharedStatus>,
    reader: Option<SpoolReader>,
    /// The store that is shipped, and the key of its next block.
    position: Option<(NodeId, u64)>,
    declared: Option<BuildRecords>,
    /// Data keys that the fleet has, by their ids.
    shared: BTreeSet<[u8; 8]>,
}

impl Shipment {
    pub(super) fn new(
        spool: Spool,
        destination: Box<dyn Destination>,
        quota: RateQuota,
        status: Arc<SharedStatus>,
    ) -> Self {
        let (reader, position, declared, shared) = (None, None, None, BTreeSet::new());
        Self { spool, destination, quota, status, reader, position, declared, shared }
    }

    /// Ships every closed block. `pause` waits for a time, and returns false if there is none left.
    pub(super) fn run(&mut self, mut pause: impl FnMut(Duration) -> bool) -> Result<(), ShipError> {
        let end = self.spool.end();
        let Some(node) = end.node else { return Ok(()) };
        let reader = match self.reader.take().filter(SpoolReader::is_in_place) {
            Some(reader) => reader,
            None => SpoolReader::open(self.spool.dir())?,
        };
        fault_point::reached("the spool is open");
        let result = self.ship_all(&reader, node, end, &mut pause);
        self.reader = Some(reader);
        if result.is_err() {
            // The destination may come back as it was earlier, from a backup.
            self.position = None;
            self.shared.clear();
        }
        result
    }

    fn ship_all(
        &mut self,
        reader: &SpoolReader,
        node: NodeId,
        end: SpoolEnd,
        pause: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<(), ShipError> {
        self.declare(reader)?;
        fault_point::reached("the build is described");
        self.share_keys(reader, node)?;
        fault_point::reached("the keys are shared");
        let mut next = match self.position {
            Some((known, next)) if known == node => next,
            _ => self.destination.wanted(node)?,
        };
        fault_point::reached("the next block is known");
        self.destination.maintain();
        fault_point::reached("the fleet is maintained");
        loop {
            let Some(blocks) = reader.closed_blocks(end, next, MAX_BLOCKS, MAX_BYTES)? else { return Ok(()) };
            let (blocks, is_shipped) = self.alike(&blocks);
            let Some(last) = blocks.last() else { break };
            let Some(backlog) = reader.backlog(end, last.seq + 1)? else { return Ok(()) };
            fault_point::reached("blocks are read");
            let started = Instant::now();
            next = if is_shipped {
                self.send(node, blocks, backlog)?
            } else {
                let next = self.destination.leave(node, blocks, backlog)?;
                self.status.left(traces(blocks), backlog);
                fault_point::reached("blocks were left out");
                next
            };
            self.quota.settle(next);
            self.position = Some((node, next));
            let bytes = blocks.iter().map(|block| block.body.len() + block.summaries.len());
            let bytes: usize = if is_shipped { bytes.sum() } else { 0 };
            let due = Duration::from_secs_f64(bytes as f64 / MAX_BYTES_PER_SECOND);
            let is_behind = is_shipped && (blocks.len() == MAX_BLOCKS || bytes > MAX_BYTES);
            if is_behind && !pause(due.saturating_sub(started.elapsed())) {
                return Ok(());
            }
        }
        // Blocks that are damaged are left out.
        next = next.max(end.closed);
        let Some(backlog) = reader.backlog(end, next)? else { return Ok(()) };
        self.send(node, &[], backlog)?;
        self.position = Some((node, next));
        Ok(())
    }

    /// Returns the first blocks that are all shipped, or all left in the spool, and which of both.
    fn alike<'b>(&mut self, blocks: &'b [ClosedBlock]) -> (&'b [ClosedBlock], bool) {
        let Some((first, rest)) = blocks.split_first() else { return (blocks, true) };
        let is_shipped = self.quota.admits(first);
        let others = rest.iter().position(|block| self.quota.admits(block) != is_shipped);
        (blocks.get(..others.map_or(blocks.len(), |others| others + 1)).unwrap_or(blocks), is_shipped)
    }

    /// Sends blocks with a report. Returns the key of the block that is wanted next.
    fn send(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<u64, ShipError> {
        let sent = self.destination.send(node, blocks, left)?;
        fault_point::reached("blocks or a report were acknowledged");
        self.status.shipped(sent.traces, sent.blocks, left);
        Ok(sent.next)
    }

    /// Describes the build, once for each version of its description.
    fn declare(&mut self, reader: &SpoolReader) -> Result<(), ShipError> {
        let Some(build) = reader.build()? else { return Ok(()) };
        if self.declared.as_ref() == Some(&build) {
            return Ok(());
        }
        self.destination.declare(&build)?;
        self.declared = Some(build);
        Ok(())
    }

    /// Wraps the data keys of the store for the fleet, before the blocks that are sealed under them. Without a key of the fleet,
    /// nothing is shipped: the secrets would be lost with the store.
    fn share_keys(&mut self, reader: &SpoolReader, node: NodeId) -> Result<(), ShipError> {
        let Some(hash_key) = self.spool.hash_key() else { return Ok(()) };
        let keys = reader.data_keys(|id| self.shared.contains(&id))?;
        if keys.is_empty() {
            return Ok(());
        }
        let Some(offered) = self.destination.current_key()? else {
            return Err(ShipError::Fleet(FleetError::lasting(
                "the fleet has no key for which secrets could be sealed",
                "run `zerver fleet key new` once, or remove fleet.hash_key from the settings of this service",
            )));
        };
        if !hash_key.has_proved(offered.public.bytes(), &offered.proof) {
            return Err(ShipError::Fleet(FleetError::lasting(
                format!(
                    "the key {} of the fleet was not made with the hash key of this service",
                    offered.public.id()
                ),
                "give the service the file that `zerver fleet key new` names as its hash key; if that is the one it has, the public                  key was exchanged",
            )));
        }
        for key in keys {
            let wrapped = WrappedKey::new(&key, &offered.public)
                .map_err(|error| FleetError::passing(format!("cannot wrap a data key: {error}")))?;
            self.destination.share_key(node, &wrapped)?;
            self.shared.insert(key.id());
        }
        Ok(())
    }
}
