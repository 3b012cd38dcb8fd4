//! Repairs a store. Nothing that is still readable is discarded.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use zerver_trace::Trace;

use crate::backend::store_dir;
use crate::backend::store_error::StoreError;
use crate::backend::write_store::WriteStore;
use crate::backend::writer_lock::WriterLock;
use crate::block::block_body::BlockBody;
use crate::format::record::{MAX_RAW, RecordKind};
use crate::format::{FormatError, record};
use crate::maintenance::examine::{StoreReport, examine};
use crate::maintenance::import::import_locked;
use crate::regular_file;
use crate::secrets::data_key_record::SealedDataKey;
use crate::write::open_error::{OpenError, lock_dir};

/// The reason why a store was not repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    /// The store cannot be written to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no store.
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Expected path of the file.
        path: PathBuf,
    },
    /// The damaged file could not be read or renamed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Opens and closes a store that was not closed properly. Keeps everything up to the last commit. Damage is neither
/// searched for nor changed; see [`repair`].
///
/// # Errors
/// If another process writes to the store, the store cannot be opened, or the disk fails.
pub fn reopen(dir: &Path) -> Result<(), RepairError> {
    let path = store_dir::store_file(dir);
    if fs::symlink_metadata(&path).is_err() {
        return Err(RepairError::Missing { path });
    }
    let _lock = lock_dir(dir)?;
    WriteStore::open(dir).map(drop).map_err(|error| OpenError::from(error).into())
}

/// Repairs a store. A store that was only not closed properly is opened and closed. From a damaged store, every
/// readable block is saved to a new file, and the damaged file is renamed.
///
/// # Errors
/// If another process writes to the store, the file was not written by zerver, or the disk fails.
pub fn repair(dir: &Path) -> Result<StoreReport, RepairError> {
    let path = store_dir::store_file(dir);
    if fs::symlink_metadata(&path).is_err() {
        return Err(RepairError::Missing { path });
    }
    let lock = lock_dir(dir)?;
    let opened = WriteStore::open_checked(dir);
    let is_damaged = match opened {
        // Closed at once, so that it can be examined.
        Ok(store) => {
            drop(store);
            let report = examine(dir);
            report.problem.is_some() || !report.damaged.is_empty()
        }
        Err(StoreError::Damaged { .. }) => true,
        Err(StoreError::Format { source: FormatError::Checksum | FormatError::Truncated { .. }, .. }) => true,
        // The header itself may be damaged.
        Err(StoreError::Format { path, source: FormatError::Foreign }) => {
            if salvage(&path)?.traces.is_empty() {
                return Err(OpenError::Unreadable { path, source: FormatError::Foreign }.into());
            }
            true
        }
        Err(error) => return Err(OpenError::from(error).into()),
    };
    if !is_damaged {
        return Ok(unlock_and_examine(dir, lock));
    }
    let io = |source| RepairError::Io { path: path.clone(), source };
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Salvage { traces, keys } = salvage(&path)?;
    let moved_to =
        (0..).map(|n| dir.join(format!("traces.redb.damaged-{seconds}-{n}"))).find(|path| !path.exists());
    let moved_to = moved_to.ok_or_else(|| io(io::ErrorKind::AlreadyExists.into()))?;
    fs::rename(&path, &moved_to).map_err(io)?;
    let salvaged = import_locked(&lock, dir, traces, &keys)?;
    Ok(StoreReport { moved_to: Some(moved_to), salvaged: salvaged as u64, ..unlock_and_examine(dir, lock) })
}

fn unlock_and_examine(dir: &Path, lock: WriterLock) -> StoreReport {
    drop(lock);
    examine(dir)
}

/// Number of bytes of a file to search at a time. A record that begins in the first half lies within it.
const WINDOW: usize = 4 * MAX_RAW;

/// The readable parts of a damaged file.
struct Salvage {
    traces: Vec<Trace>,
    keys: Vec<SealedDataKey>,
}

/// Finds the traces of every undamaged block anywhere in a file, in the order of their blocks, and the data keys. A block
/// that was rewritten occurs more than once; each trace is returned once.
fn salvage(path: &Path) -> Result<Salvage, RepairError> {
    let io = |source| RepairError::Io { path: path.to_owned(), source };
    let file = regular_file::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let (mut at, mut found, mut keys) = (0, Vec::new(), BTreeMap::new());
    let mut window = vec![0; WINDOW.min(usize::try_from(len).unwrap_or(WINDOW))];
    while at < len {
        let here = window.len().min(usize::try_from(len - at).unwrap_or(WINDOW));
        file.read_exact_at(&mut window[..here], at).map_err(io)?;
        for (key, record) in record::find_all(RecordKind::Block, &window[..here]) {
            if let Ok(body) = BlockBody::read(key, record) {
                found.extend((0..body.len()).filter_map(|position| Some((key, body.trace(position).ok()?))));
            }
        }
        for (number, record) in record::find_all(RecordKind::DataKey, &window[..here]) {
            keys.extend(SealedDataKey::read(number, record).ok().map(|key| (key.id, key)));
        }
        at += (WINDOW / 2) as u64;
    }
    found.sort_by_key(|(key, _)| *key);
    let mut seen = HashSet::new();
    let traces = found.into_iter().map(|(_, trace)| trace).filter(|trace| seen.insert(trace.id)).collect();
    Ok(Salvage { traces, keys: keys.into_values().collect() })
}
