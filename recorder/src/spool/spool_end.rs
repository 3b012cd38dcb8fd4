//! The end of the closed blocks of a store, which moves while a recorder writes to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::backend::store_identity::NodeId;
use crate::secrets::data_key::HashKey;
use crate::write::recorder_state::RecorderState;

/// The end of the closed blocks of a store. A closed block is committed and never changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpoolEnd {
    /// The store. Another one takes its place if it is removed while a recorder writes to it.
    pub node: Option<NodeId>,
    /// Key after that of the newest closed block.
    pub closed: u64,
}

/// The store of a recorder, as a shipper sees it. It may outlive the recorder.
#[derive(Debug, Clone)]
pub struct Spool {
    state: Arc<RecorderState>,
    dir: PathBuf,
    hash_key: Option<HashKey>,
}

impl Spool {
    pub(crate) const fn new(state: Arc<RecorderState>, dir: PathBuf, hash_key: Option<HashKey>) -> Self {
        Self { state, dir, hash_key }
    }

    /// Returns the key that the services of the fleet share, if secrets are sealed for it.
    pub const fn hash_key(&self) -> Option<&HashKey> {
        self.hash_key.as_ref()
    }

    /// Returns the folder of the store.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Closes the block that is being filled, and waits until it is committed or recording is paused.
    pub fn close_block(&self) {
        self.state.want_block_end();
        self.state.flush();
    }

    /// Returns how far the closed blocks reach now.
    pub fn end(&self) -> SpoolEnd {
        self.state.spool_end()
    }
}
