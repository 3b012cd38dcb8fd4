//! The reasons why a store cannot be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::backend::store_error::StoreError;
use crate::format::FormatError;

/// The reason why a store cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// There is no store.
    #[error("there is no store at {}; record one with `zerver dev`, or name another with --store", path.display())]
    Missing {
        /// Expected path of the file.
        path: PathBuf,
    },
    /// The file is not a store, or not one that this build reads.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: FormatError,
    },
    /// The writer of the store was killed, and no other has opened it since. [`crate::repair`] and [`crate::reopen`]
    /// fix that.
    #[error("{} was not closed properly; run `zerver doctor --repair`, or start the service again", path.display())]
    NeedsRepair {
        /// Path of the file.
        path: PathBuf,
    },
    /// The store is damaged.
    #[error("{} is damaged: {reason}; run `zerver doctor --repair` to save what is readable", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// A block of a fleet is not what its node recorded: its checksum fails.
    #[error(
        "{block} at {place} is not what was recorded: {reason}; it was changed where it is stored, or the disk is damaged"
    )]
    Altered {
        /// Name of the fleet, without a password.
        place: String,
        /// Name of the block.
        block: String,
        /// Description of the damage.
        reason: String,
    },
    /// A fleet cannot be read.
    #[error("{place}: {reason}")]
    Fleet {
        /// Name of the fleet, without a password.
        place: String,
        /// The cause.
        reason: String,
        /// Advice on what to do.
        hint: Option<String>,
    },
    /// An I/O operation failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl ReadError {
    /// Returns true if nothing else can be read either, because a fleet does not answer.
    pub(crate) const fn is_outage(&self) -> bool {
        matches!(self, Self::Fleet { .. })
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { path } => Self::Missing { path },
            StoreError::Format { path, source } => Self::Unreadable { path, source },
            StoreError::NeedsRepair { path } => Self::NeedsRepair { path },
            StoreError::Damaged { path, reason } => Self::Damaged { path, reason },
            StoreError::Io { path, source } => Self::Io { path, source },
        }
    }
}
