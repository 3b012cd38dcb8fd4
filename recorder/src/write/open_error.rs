//! Takes the right to write to a store, and explains why that failed.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::backend::store_dir;
use crate::backend::store_error::StoreError;
use crate::backend::writer_lock::{LockError, WriterLock};
use crate::format::FormatError;
use crate::secrets::seal_error::SealError;

/// The reason why a store cannot be written to. Nothing in its folder was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process writes to the store.
    #[error("{} is in use by {}; stop it, or choose another folder", path.display(), process_name(*pid))]
    Locked {
        /// Id of the other process, if known.
        pid: Option<u32>,
        /// Folder of the store.
        path: PathBuf,
    },
    /// The file is not a store, or not one that this build can write to.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// The reason.
        source: FormatError,
    },
    /// The file is damaged.
    #[error("{} is damaged: {reason}; run `zerver doctor --repair` to save what is readable", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// The key of the store cannot be used.
    #[error(transparent)]
    Key(#[from] SealError),
    /// An I/O operation failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

fn process_name(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Format { path, source } => Self::Unreadable { path, source },
            StoreError::Damaged { path, reason } => Self::Damaged { path, reason },
            StoreError::Missing { path } => Self::Io { path, source: io::ErrorKind::NotFound.into() },
            StoreError::NeedsRepair { path } => {
                Self::Damaged { path, reason: "not closed properly".to_owned() }
            }
            StoreError::Io { path, source } => Self::Io { path, source },
        }
    }
}

/// Creates the folder and takes the lock of its writer.
pub(crate) fn lock_dir(dir: &Path) -> Result<WriterLock, OpenError> {
    let failed = |source| OpenError::Io { path: dir.to_owned(), source };
    store_dir::create_dir(dir).map_err(failed)?;
    WriterLock::take(dir).map_err(|error| match error {
        LockError::TypedValue(pid) => OpenError::Locked { pid, path: dir.to_owned() },
        LockError::Io(path, source) => OpenError::Io { path, source },
    })
}
