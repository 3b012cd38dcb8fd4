//! The database, open for writing. Only the holder of the lock may open it.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use redb::{CompactionError, Database, ReadableDatabase};

use crate::backend::snapshot::Snapshot;
use crate::backend::storage_file::{OFFSET, StorageFile, builder, read_head};
use crate::backend::store_dir::{self, FileIdentity};
use crate::backend::store_error::{StoreError, guard, io_error};
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::format::file_header::{self, HEADER_LEN, SCHEMA_AT};
use crate::format::schema::SCHEMA;
use crate::{catch_panic, regular_file};

/// Sizes of the parts of redb's file, in bytes: pages, regions, and (rounded up) the header of a region.
const PAGE: u64 = 4096;
const REGION: u64 = 4 << 30;
const REGION_START: u64 = 64 << 20;

/// The database, open for writing.
pub(crate) struct WriteStore {
    path: PathBuf,
    identity: FileIdentity,
    database: Option<Database>,
}

impl WriteStore {
    /// Opens the database, or creates it. A file that was not written by zerver stays unchanged.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, None, false)
    }

    /// Opens or creates the database, and keeps the file within `max` bytes as long as its contents stay well below
    /// that.
    pub(crate) fn open_with_limit(dir: &Path, max: Option<u64>) -> Result<Self, StoreError> {
        Self::open_with(dir, max, false)
    }

    /// Opens or creates the database, and verifies the checksums of all pages, which reads the whole file.
    pub(crate) fn open_checked(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, None, true)
    }

    fn open_with(dir: &Path, max: Option<u64>, verify: bool) -> Result<Self, StoreError> {
        let path = store_dir::store_file(dir);
        let file = prepare(dir, &path)?;
        if let Some(max) = max {
            let found = file.metadata().map_err(|error| io_error(&path, error))?;
            if let Some(len) = preallocated_len(found.len(), max) {
                // If this fails, the file grows by doubling.
                let _ = file.set_len(len);
            }
        }
        let identity = FileIdentity::of(&file).map_err(|error| io_error(&path, error))?;
        let database = guard(&path, || {
            let backend = StorageFile::new(file, &path)?;
            Ok(builder().set_check_integrity_on_open(verify).create_with_backend(backend)?)
        })?;
        Ok(Self { path, identity, database: Some(database) })
    }

    /// Applies all changes durably, or fails. After a failure the changes may or may not be there, and this store
    /// cannot be used any more.
    pub(crate) fn commit(&self, batch: &WriteBatch) -> Result<(), StoreError> {
        guard(&self.path, || {
            let Some(database) = &self.database else { return Err(redb::Error::DatabaseClosed) };
            let mut transaction = database.begin_write()?;
            transaction.set_quick_repair(true);
            for table in Table::ALL {
                let puts = || batch.puts.iter().filter(|(to, ..)| *to == table);
                let removals = || batch.removals.iter().filter(|(of, _)| *of == table);
                if puts().next().is_none() && removals().next().is_none() {
                    continue;
                }
                let mut open = transaction.open_table(table.definition())?;
                for (_, keys) in removals() {
                    open.retain_in(keys.clone(), |_, _| false)?;
                }
                for (_, key, record) in puts() {
                    open.insert(key, record.as_slice())?;
                }
            }
            Ok(transaction.commit()?)
        })
    }

    /// Returns the current contents.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = guard(&self.path, || match &self.database {
            Some(database) => Ok(database.begin_read()?),
            None => Err(redb::Error::DatabaseClosed),
        })?;
        Ok(Snapshot { path: self.path.clone(), transaction: Some(transaction) })
    }

    /// Returns the identity of the file.
    pub(crate) const fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Returns true if readers still find this file under its path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_at(&self.path)
    }

    /// Returns the length of the file and the disk space that it occupies, both in bytes.
    pub(crate) fn file_size(&self) -> (u64, u64) {
        std::fs::symlink_metadata(&self.path).map_or((0, 0), |data| (data.len(), data.blocks() * 512))
    }

    /// Closes the database, so that it needs no repair. Dropping it does the same, but ignores errors.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let database = self.database.take();
        guard(&self.path, || Ok(database.map_or(Ok(()), Database::close)?))
    }

    /// Moves all pages to the front of the file, and truncates the rest. Takes as long as reading and writing the
    /// contents. Returns false if a reader prevents it.
    pub(crate) fn compact(&mut self) -> Result<bool, StoreError> {
        guard(&self.path, || {
            let Some(database) = &mut self.database else { return Err(redb::Error::DatabaseClosed) };
            match database.compact() {
                Ok(_) => Ok(true),
                Err(CompactionError::TransactionInProgress) => Ok(false),
                Err(error) => Err(error.into()),
            }
        })
    }
}

impl Drop for WriteStore {
    fn drop(&mut self) {
        let database = self.database.take();
        let _ = catch_panic::catch(|| drop(database));
    }
}

/// Returns the length to which a file should be extended before redb opens it. `None` to leave it as it is.
///
/// redb doubles its file when it is full. When redb closes the file, it cuts off the free end, so that the next
/// doubling starts from any length. A file that the next doubling could take past its limit is therefore extended to
/// the limit at once. redb then uses all of it, and has no reason to extend it further. Pages that are not written
/// occupy no disk space.
pub(crate) fn preallocated_len(len: u64, max: u64) -> Option<u64> {
    let target = max / PAGE * PAGE;
    // No file of redb ends within the first pages of a region.
    let is_valid = target <= REGION || target % REGION > REGION_START;
    (len < target && len.saturating_mul(2) > target && is_valid).then_some(target)
}

/// Opens or creates the file, and ensures that it starts with the header.
fn prepare(dir: &Path, path: &Path) -> Result<File, StoreError> {
    let failed = |error: io::Error| io_error(path, error);
    let mut is_older = false;
    if std::fs::symlink_metadata(path).is_ok() {
        // Checked before anything is changed, including the mode of the file.
        let file = regular_file::open(path).map_err(failed)?;
        let head = read_head(&file).map_err(failed)?;
        // A process that died while it created the file leaves an incomplete header.
        let begun = file_header::new().starts_with(&head);
        if !(begun && head.len() < HEADER_LEN) {
            file_header::check(&head)
                .map_err(|source| StoreError::Format { path: path.to_owned(), source })?;
            is_older = file_header::is_older_than(&head, SCHEMA);
        }
    }
    let file = regular_file::open_private(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() < OFFSET {
        file.write_all_at(&file_header::new(), 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| store_dir::sync_dir(dir))
            .map_err(failed)?;
    } else if is_older {
        file.write_all_at(&SCHEMA.to_bytes(), SCHEMA_AT as u64)
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
    }
    Ok(file)
}
