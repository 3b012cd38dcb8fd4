//! The blocks of a fleet, open for reading.

use std::path::Path;

use zerver_recorder::{Blocks, BlocksView, DataKey, FileMark, ReadError, SealError};
use zerver_trace::SealedBy;

use crate::archive::archived_blocks::ArchivedBlocks;
use crate::bucket::read::bucket_blocks::BucketBlocks;
use crate::fleet_url::{FleetUrl, Location};
use crate::keys::key_ring::KeyRing;
use crate::keys::pair::KeyId;

/// The blocks of a fleet, for [`zerver_recorder::Reader::of`]. Must not be used on a thread of an asynchronous runtime.
pub struct FleetBlocks {
    blocks: Box<dyn SealedBlocks>,
    keys: KeyRing,
}

/// Blocks of a fleet, and the wrapped keys of their secrets.
pub(crate) trait SealedBlocks: Send + Sync {
    /// Returns the name of the fleet for messages, without a password.
    fn place(&self) -> String;

    /// Returns the blocks as they are now.
    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError>;

    /// Reads a wrapped data key. Returns `None` if no node has shared it.
    fn wrapped_key(&self, id: KeyId) -> Result<Option<Vec<u8>>, ReadError>;
}

impl std::fmt::Debug for FleetBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetBlocks").field("place", &self.blocks.place()).finish_non_exhaustive()
    }
}

impl FleetBlocks {
    /// Connects to a fleet.
    ///
    /// # Errors
    /// If the fleet cannot be reached or read, or the namespace is not there or has another version.
    pub fn open(url: &FleetUrl) -> Result<Self, ReadError> {
        let blocks: Box<dyn SealedBlocks> = match &url.location {
            Location::Postgres(url) => Box::new(ArchivedBlocks::open(url)?),
            Location::Bucket(url) => Box::new(BucketBlocks::open(url)?),
        };
        Ok(Self { blocks, keys: KeyRing::new(url.keys.clone()) })
    }
}

impl Blocks for FleetBlocks {
    fn place(&self) -> String {
        self.blocks.place()
    }

    fn dir(&self) -> Option<&Path> {
        None
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        self.blocks.view()
    }

    fn data_key(&self, sealed_by: SealedBy) -> Result<DataKey, SealError> {
        let place = self.place();
        let SealedBy(Some(id)) = sealed_by else { return Err(SealError::Elsewhere { place }) };
        let id = KeyId(id);
        self.keys.data_key(id, &place, || {
            self.blocks
                .wrapped_key(id)
                .map_err(|error| SealError::Wrapped { reason: error.to_string(), is_lost: false })
        })
    }

    fn is_in_place(&self) -> bool {
        true
    }

    fn mark(&self) -> Option<FileMark> {
        None
    }
}
