//! Failures of the database. redb may panic on a damaged file, and no panic leaves this folder.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::catch_panic;
use crate::format::FormatError;

/// The reason why the database failed.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("there is no store at {}", path.display())]
    Missing { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Format { path: PathBuf, source: FormatError },
    #[error("{} was not closed properly", path.display())]
    NeedsRepair { path: PathBuf },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Calls redb for the store at `path`, and converts its errors and panics.
pub(super) fn guard<T>(path: &Path, f: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    let path = path.to_owned();
    match catch_panic::catch(f) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(redb::Error::RepairAborted)) => Err(StoreError::NeedsRepair { path }),
        Ok(Err(redb::Error::Corrupted(reason))) | Err(reason) => Err(StoreError::Damaged { path, reason }),
        Ok(Err(redb::Error::Io(source))) => Err(match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                StoreError::Damaged { path, reason: source.to_string() }
            }
            _ => StoreError::Io { path, source },
        }),
        Ok(Err(error)) => Err(StoreError::Io { path, source: io::Error::other(error) }),
    }
}

pub(super) fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}
