//! The blocks of a fleet, open for reading.

use std::path::Path;

use zerver_recorder::{Blocks, BlocksView, FileMark, ReadError};

use crate::archive::archived_blocks::ArchivedBlocks;
use crate::bucket::read::bucket_blocks::BucketBlocks;
use crate::fleet_url::{FleetUrl, Location};

/// The blocks of a fleet, for [`zerver_recorder::Reader::of`]. Must not be used on a thread of an asynchronous runtime.
pub struct FleetBlocks(Box<dyn Blocks>);

impl std::fmt::Debug for FleetBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FleetBlocks").field("place", &self.0.place()).finish_non_exhaustive()
    }
}

impl FleetBlocks {
    /// Connects to a fleet.
    ///
    /// # Errors
    /// If the fleet cannot be reached or read, or the namespace is not there or has another version.
    pub fn open(url: &FleetUrl) -> Result<Self, ReadError> {
        Ok(Self(match &url.0 {
            Location::Postgres(url) => Box::new(ArchivedBlocks::open(url)?),
            Location::Bucket(url) => Box::new(BucketBlocks::open(url)?),
        }))
    }
}

impl Blocks for FleetBlocks {
    fn place(&self) -> String {
        self.0.place()
    }

    fn dir(&self) -> Option<&Path> {
        self.0.dir()
    }

    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError> {
        self.0.view()
    }

    fn is_in_place(&self) -> bool {
        self.0.is_in_place()
    }

    fn mark(&self) -> Option<FileMark> {
        self.0.mark()
    }
}
