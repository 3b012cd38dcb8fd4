//! The database, open for reading, while another process may write to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use redb::{Builder, Database, ReadOnlyDatabase, ReadableDatabase};

use crate::backend::copy_on_write::CopyOnWriteFile;
use crate::backend::snapshot::Snapshot;
use crate::backend::storage_file::{CACHE, StorageFile, builder, read_head};
use crate::backend::store_dir::{self, FileIdentity, FileMark};
use crate::backend::store_error::{StoreError, guard, io_error};
use crate::format::file_header;
use crate::{catch_panic, regular_file};

/// The database, open for reading.
pub(crate) struct ReadStore {
    path: PathBuf,
    identity: FileIdentity,
    database: Option<OpenDatabase>,
}

enum OpenDatabase {
    Shared(ReadOnlyDatabase),
    CopyOnWrite(Database),
}

impl ReadStore {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, |file, path| {
            Ok(OpenDatabase::Shared(builder().open_read_only_with_backend(StorageFile::new(file, path)?)?))
        })
    }

    /// Opens a database that was not closed properly. It is repaired in memory only, and shows no later commits.
    pub(crate) fn open_copy_on_write(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, |file, _| {
            let mut builder = Builder::new();
            Ok(OpenDatabase::CopyOnWrite(
                builder.set_cache_size(CACHE).create_with_backend(CopyOnWriteFile::new(file)?)?,
            ))
        })
    }

    fn open_with(
        dir: &Path,
        open: impl FnOnce(File, &Path) -> Result<OpenDatabase, redb::Error>,
    ) -> Result<Self, StoreError> {
        let path = store_dir::store_file(dir);
        match regular_file::check_folder(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(dir, error)),
            _ => {}
        }
        let file = match regular_file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path });
            }
            Err(error) => return Err(io_error(&path, error)),
        };
        let head = read_head(&file).map_err(|error| io_error(&path, error))?;
        if let Err(source) = file_header::check(&head) {
            return Err(StoreError::Format { path, source });
        }
        let identity = FileIdentity::of(&file).map_err(|error| io_error(&path, error))?;
        let database = guard(&path, || open(file, &path))?;
        Ok(Self { path, identity, database: Some(database) })
    }

    /// Returns true if the file is still the one under its path.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_at(&self.path)
    }

    /// Returns the mark of the file under its path.
    pub(crate) fn mark(&self) -> Option<FileMark> {
        FileMark::at(&self.path)
    }

    /// Returns the current contents, including commits of other processes.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let transaction = guard(&self.path, || match &self.database {
            Some(OpenDatabase::Shared(database)) => Ok(database.begin_read()?),
            Some(OpenDatabase::CopyOnWrite(database)) => Ok(database.begin_read()?),
            None => Err(redb::Error::DatabaseClosed),
        })?;
        Ok(Snapshot { path: self.path.clone(), transaction: Some(transaction) })
    }
}

impl Drop for ReadStore {
    fn drop(&mut self) {
        let database = self.database.take();
        let _ = catch_panic::catch(|| drop(database));
    }
}
