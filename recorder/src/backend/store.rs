//! The embedded database: the only one that names redb, with its `backend`. It keeps records under numbers in four tables and knows
//! nothing of what they mean.
//!
//! The file begins with a page of our own (see `format`) and redb has the rest, so that whether a file is ours, and of
//! which schema, is known before redb may touch it. redb can panic on a damaged file; nothing of that leaves here.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, RangeInclusive};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use redb::{
    Builder, CompactionError, ConcurrencyMode, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase,
    TableDefinition, TableError,
};
use thiserror::Error;

use super::storage_file::{AfterHeader, OFFSET};
use super::write_batch::Batch;
use crate::backend::copy_on_write::Overlay;
use crate::backend::store_dir::{self, Identity};
use crate::catch_panic;
use crate::format::file_header::HEADER_LEN;
use crate::format::{FormatError, file_header};
use crate::regular_file;

/// What redb may keep in memory, in bytes; its own default is 1 GiB.
const CACHE: usize = 16 << 20;

/// The parts of redb's file, in bytes: pages, and regions, with more than what they begin with.
const PAGE: u64 = 4096;
const REGION: u64 = 4 << 30;
const REGION_START: u64 = 64 << 20;

/// Where a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    Blocks,
    BlockIndexes,
    Summaries,
    Meta,
}

impl Table {
    const ALL: [Self; 4] = [Self::Blocks, Self::BlockIndexes, Self::Summaries, Self::Meta];

    const fn definition(self) -> TableDefinition<'static, u64, &'static [u8]> {
        TableDefinition::new(match self {
            Self::Blocks => "blocks",
            Self::BlockIndexes => "heads",
            Self::Summaries => "summaries",
            Self::Meta => "meta",
        })
    }
}

/// Why the database did not do as asked.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("there is no store at {}", path.display())]
    Missing { path: PathBuf },
    #[error("{}: {source}", path.display())]
    Format { path: PathBuf, source: FormatError },
    #[error("{} was not closed properly", path.display())]
    NeedsRepair { path: PathBuf },
    #[error("{} is damaged: {why}", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{}: {why}", path.display())]
    Io { path: PathBuf, why: String },
}

/// Runs something of redb's for the store at `path`.
fn guard<T>(path: &Path, f: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    let path = path.to_owned();
    match catch_panic::catch(f) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(redb::Error::RepairAborted)) => Err(StoreError::NeedsRepair { path }),
        Ok(Err(redb::Error::Corrupted(why))) | Err(why) => Err(StoreError::Damaged { path, why }),
        Ok(Err(redb::Error::Io(error))) => {
            let why = error.to_string();
            Err(match error.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => {
                    StoreError::Damaged { path, why }
                }
                _ => StoreError::Io { path, why },
            })
        }
        Ok(Err(error)) => Err(StoreError::Io { path, why: error.to_string() }),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// The database, open for writing by the holder of the lock.
pub(crate) struct WriteStore {
    path: PathBuf,
    identity: Identity,
    database: Option<Database>,
}

impl WriteStore {
    /// Opens the database, and makes it if it is not there. A file that is not ours stays as it is.
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, None, false)
    }

    /// The same, and sees to it that the file does not outgrow `max` bytes as long as what is in it stays well below that.
    pub(crate) fn open_within(dir: &Path, max: Option<u64>) -> Result<Self, StoreError> {
        Self::open_with(dir, max, false)
    }

    /// The same, with the checksums of all pages verified, which reads the whole file.
    pub(crate) fn open_checked(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, None, true)
    }

    fn open_with(dir: &Path, max: Option<u64>, check: bool) -> Result<Self, StoreError> {
        let path = store_dir::store_file(dir);
        let file = prepare(dir, &path)?;
        if let Some(max) = max {
            let found = file.metadata().map_err(|error| io_error(&path, &error))?;
            if let Some(len) = grown(found.len(), max) {
                // Where that may not be, it grows as redb does it.
                let _ = file.set_len(len);
            }
        }
        let identity = Identity::of(&file).map_err(|error| io_error(&path, &error))?;
        let database = guard(&path, || {
            let backend = AfterHeader::new(file, &path)?;
            Ok(builder().set_check_integrity_on_open(check).create_with_backend(backend)?)
        })?;
        Ok(Self { path, identity, database: Some(database) })
    }

    /// Makes all changes, and makes them last, or fails. After a failure this store is of no use any more, and
    /// the changes may or may not be there.
    pub(crate) fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        guard(&self.path, || {
            let Some(database) = &self.database else { return Err(redb::Error::DatabaseClosed) };
            let mut txn = database.begin_write()?;
            txn.set_quick_repair(true);
            for table in Table::ALL {
                let puts = || batch.puts.iter().filter(|(to, ..)| *to == table);
                let cuts = || batch.cuts.iter().filter(|(of, _)| *of == table);
                if puts().next().is_none() && cuts().next().is_none() {
                    continue;
                }
                let mut open = txn.open_table(table.definition())?;
                for (_, keys) in cuts() {
                    open.retain_in(keys.clone(), |_, _| false)?;
                }
                for (_, key, record) in puts() {
                    open.insert(key, record.as_slice())?;
                }
            }
            Ok(txn.commit()?)
        })
    }

    /// What is there now.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let txn = guard(&self.path, || match &self.database {
            Some(database) => Ok(database.begin_read()?),
            None => Err(redb::Error::DatabaseClosed),
        })?;
        Ok(Snapshot { path: self.path.clone(), txn: Some(txn) })
    }

    /// Which file it is.
    pub(crate) const fn identity(&self) -> Identity {
        self.identity
    }

    /// Whether its file is still where readers look for it.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_at(&self.path)
    }

    /// The length of the file, and what it takes up on the disk, in bytes.
    pub(crate) fn size(&self) -> (u64, u64) {
        std::fs::symlink_metadata(&self.path).map_or((0, 0), |data| (data.len(), data.blocks() * 512))
    }

    /// Closes the database, so that it need not be repaired; dropping it does the same without the answer.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let database = self.database.take();
        guard(&self.path, || Ok(database.map_or(Ok(()), Database::close)?))
    }

    /// Moves all pages as far to the front of the file as they go, and gives back the rest of it. Takes as long as it
    /// takes to read and write what is in it. False while somebody reads, who keeps that from being done.
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

/// What a file of this length is to grow to before redb opens it; none where it stays as it is.
///
/// redb doubles its file when it finds no room in it, and when it closes it cuts off what is free at its end, so that the next doubling
/// begins at any length. A file which that could take past its limit is made as long as it may be at once, where redb
/// takes up all of it and has no reason to make it longer. What is not written to takes up nothing on the disk.
pub(crate) fn grown(len: u64, max: u64) -> Option<u64> {
    let target = max / PAGE * PAGE;
    // redb has no files which end within the few pages that begin a region.
    let is_valid = target <= REGION || target % REGION > REGION_START;
    (len < target && len.saturating_mul(2) > target && is_valid).then_some(target)
}

fn io_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), why: error.to_string() }
}

/// Opens the file and sees to it that it begins with our page.
fn prepare(dir: &Path, path: &Path) -> Result<File, StoreError> {
    let failed = |error: io::Error| io_error(path, &error);
    if std::fs::symlink_metadata(path).is_ok() {
        // Before anything of it is changed, its mode included.
        let file = regular_file::open(path).map_err(failed)?;
        let head = read_head(&file).map_err(failed)?;
        // A process that died while it made the file leaves a part of the page.
        let begun = file_header::new().starts_with(&head);
        if !(begun && head.len() < HEADER_LEN) {
            file_header::check(&head)
                .map_err(|source| StoreError::Format { path: path.to_owned(), source })?;
        }
    }
    let file = regular_file::open_private(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() < OFFSET {
        file.write_all_at(&file_header::new(), 0)
            .and_then(|()| file.sync_all())
            .and_then(|()| store_dir::sync_dir(dir))
            .map_err(failed)?;
    }
    Ok(file)
}

fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEADER_LEN];
    let mut len = 0;
    while len < head.len() {
        match file.read_at(&mut head[len..], len as u64)? {
            0 => break,
            more => len += more,
        }
    }
    head.truncate(len);
    Ok(head)
}

/// The database, open for reading while another process may write.
pub(crate) struct ReadStore {
    path: PathBuf,
    identity: Identity,
    database: Option<Opened>,
}

enum Opened {
    Shared(ReadOnlyDatabase),
    Overlaid(Database),
}

impl ReadStore {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, |file, path| {
            Ok(Opened::Shared(builder().open_read_only_with_backend(AfterHeader::new(file, path)?)?))
        })
    }

    /// The same of one that was not closed properly: it is put right in memory only, and shows no later commits.
    pub(crate) fn open_overlaid(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, |file, _| {
            let mut builder = Builder::new();
            Ok(Opened::Overlaid(builder.set_cache_size(CACHE).create_with_backend(Overlay::new(file)?)?))
        })
    }

    fn open_with(
        dir: &Path,
        open: impl FnOnce(File, &Path) -> Result<Opened, redb::Error>,
    ) -> Result<Self, StoreError> {
        let path = store_dir::store_file(dir);
        match regular_file::check_folder(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(dir, &error)),
            _ => {}
        }
        let file = match regular_file::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StoreError::Missing { path });
            }
            Err(error) => return Err(io_error(&path, &error)),
        };
        let head = read_head(&file).map_err(|error| io_error(&path, &error))?;
        if let Err(source) = file_header::check(&head) {
            return Err(StoreError::Format { path, source });
        }
        let identity = Identity::of(&file).map_err(|error| io_error(&path, &error))?;
        let database = guard(&path, || open(file, &path))?;
        Ok(Self { path, identity, database: Some(database) })
    }

    /// Whether its file is still in the store's place.
    pub(crate) fn is_in_place(&self) -> bool {
        self.identity.is_at(&self.path)
    }

    /// What is there now, the commits of other processes included.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let txn = guard(&self.path, || match &self.database {
            Some(Opened::Shared(database)) => Ok(database.begin_read()?),
            Some(Opened::Overlaid(database)) => Ok(database.begin_read()?),
            None => Err(redb::Error::DatabaseClosed),
        })?;
        Ok(Snapshot { path: self.path.clone(), txn: Some(txn) })
    }
}

impl Drop for ReadStore {
    fn drop(&mut self) {
        let database = self.database.take();
        let _ = catch_panic::catch(|| drop(database));
    }
}

/// The database as it was at one moment.
pub(crate) struct Snapshot {
    path: PathBuf,
    txn: Option<ReadTransaction>,
}

impl Snapshot {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn get(&self, table: Table, key: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut found = None;
        self.scan(table, key..=key, false, |_, record| {
            found = Some(record.to_vec());
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// Hands every record of a range to `f`, until it has enough.
    pub(crate) fn scan(
        &self,
        table: Table,
        keys: RangeInclusive<u64>,
        newest_first: bool,
        mut f: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        guard(&self.path, || {
            let Some(txn) = &self.txn else { return Err(redb::Error::DatabaseClosed) };
            let open = match txn.open_table(table.definition()) {
                Ok(open) => open,
                // Nothing was ever put there.
                Err(TableError::TableDoesNotExist(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            let mut range = open.range(keys)?;
            loop {
                let next = if newest_first { range.next_back() } else { range.next() };
                let Some(entry) = next else { return Ok(()) };
                let (key, record) = entry?;
                if f(key.value(), record.value()).is_break() {
                    return Ok(());
                }
            }
        })
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let txn = self.txn.take();
        let _ = catch_panic::catch(|| drop(txn));
    }
}
