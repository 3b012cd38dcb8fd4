//! The seam between the shipper and the place to which it ships.

use zerver_recorder::{Backlog, BuildRecords, ClosedBlock, NodeId};

use crate::bucket::bucket_destination::BucketDestination;
use crate::fleet_error::FleetError;
use crate::fleet_url::{FleetUrl, Location};
use crate::keys::key_status::OfferedKey;
use crate::keys::wrapped_key::WrappedKey;
use crate::postgres::postgres_destination::PostgresDestination;

/// Takes the blocks of a node. What arrived before is not taken again, so that a node may send whatever it is not sure of.
pub(crate) trait Destination: Send {
    /// Describes the build that the node runs.
    fn declare(&mut self, build: &BuildRecords) -> Result<(), FleetError>;

    /// Returns the key of the block that the node should send next.
    fn wanted(&mut self, node: NodeId) -> Result<u64, FleetError>;

    /// Returns the public key for which data keys are to be wrapped, if the fleet has one.
    fn current_key(&mut self) -> Result<Option<OfferedKey>, FleetError>;

    /// Takes a data key of a node. One that is there stays as it is.
    fn share_key(&mut self, node: NodeId, key: &WrappedKey) -> Result<(), FleetError>;

    /// Takes blocks, in order, and a report of what is left in the spool after them.
    fn send(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<Sent, FleetError>;

    /// Counts blocks, in order, that stay in the spool for good. Returns the key of the block that is wanted next.
    fn leave(&mut self, node: NodeId, blocks: &[ClosedBlock], left: Backlog) -> Result<u64, FleetError>;

    /// Does what has to be done now and then. A failure is reported by what follows.
    fn maintain(&mut self) {}
}

/// Result of sending blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Key of the block that is wanted next.
    pub(crate) next: u64,
    /// Number of traces that are there now.
    pub(crate) traces: u64,
    /// Number of blocks that are there now.
    pub(crate) blocks: u64,
}

impl Sent {
    /// Returns the result for blocks of which all are there.
    pub(crate) fn all(blocks: &[ClosedBlock], next: u64) -> Self {
        Self { next, traces: traces(blocks), blocks: blocks.len() as u64 }
    }
}

/// Returns the number of traces in blocks.
pub(crate) fn traces(blocks: &[ClosedBlock]) -> u64 {
    blocks.iter().map(|block| u64::from(block.index.bounds().count)).sum()
}

/// Returns the destination that a URL names. Nothing is sent yet.
pub(crate) fn destination(url: FleetUrl, name: String) -> Result<Box<dyn Destination>, FleetError> {
    Ok(match url.location {
        Location::Postgres(url) => Box::new(PostgresDestination::new(*url, name)?),
        Location::Bucket(url) => Box::new(BucketDestination::new(&url, name)?),
    })
}
