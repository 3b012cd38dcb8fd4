//! Opens the database file, and contains the panics of redb on a damaged file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, TableDefinition, TableHandle};
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_recorder::{catch_panic, regular_file};

use crate::platform::lock_holder;

pub(super) const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// Keys of the entries that expire, soonest first.
pub(super) const DUE: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("due");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("zerver-kv");

const SCHEMA: u64 = 1;
/// Length of the start of a file that is inspected before redb opens it, in bytes.
const INSPECTED_BYTES: u64 = 64 * 1024;
/// Maximum length of a file that redb was still creating, in bytes.
const MAX_UNFINISHED_BYTES: u64 = 4 * 1024 * 1024;
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// Reason why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has opened the file.
    #[error("{} is in use{}", path.display(), pid.map(|pid| format!(" by process {pid}")).unwrap_or_default())]
    InUse {
        /// Path of the file.
        path: PathBuf,
        /// Id of the process that has opened the file, if it is known.
        pid: Option<u32>,
    },
    /// The file is not a store. It is left unchanged.
    #[error("{} is not a kv store", path.display())]
    NotAStore {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file was written by a later version of zerver.
    #[error(
        "{} has schema {schema}, but this program supports only {SCHEMA}; run a later version of the program",
        path.display()
    )]
    TooNew {
        /// Path of the file.
        path: PathBuf,
        /// Schema of the file.
        schema: u64,
    },
    /// The file is damaged.
    #[error("{} is damaged: {reason}; move it away, or restore a copy", path.display())]
    Damaged {
        /// Path of the file.
        path: PathBuf,
        /// Description of the damage.
        reason: String,
    },
    /// The system does not allow opening the file.
    #[error("cannot open {}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
}

/// Options for opening the file.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) path: PathBuf,
    pub(super) cache_bytes: usize,
    pub(super) check: bool,
}

/// An error or a panic of redb.
#[derive(Debug)]
pub(super) enum Fault {
    Redb(redb::Error),
    Panic(String),
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl Fault {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Redb(error) => error.to_string(),
            Self::Panic(message) => format!("the file is damaged: {message}"),
        }
    }

    /// Converts the fault to the error of an effect.
    pub(super) fn to_effect_error(&self, path: &Path) -> EffectError {
        let kind = match self {
            Self::Redb(redb::Error::Io(_) | redb::Error::PreviousIo) => EffectErrorKind::Unreachable,
            _ => EffectErrorKind::Internal,
        };
        EffectError::new(kind, format!("{}: {}", path.display(), self.reason()))
    }
}

/// Calls redb through `f`. A panic becomes a fault of the file and does not end the thread.
pub(super) fn catch_fault<T>(f: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_panic::catch(f).unwrap_or_else(|message| Err(Fault::Panic(message)))
}

/// Opens the file. If `create` is true and there is none, creates it and its parent directories.
pub(super) fn open(options: &Options, create: bool) -> Result<Database, OpenError> {
    let path = &options.path;
    let io = |source| OpenError::Io { path: path.clone(), source };
    if create && let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let opened = if create { regular_file::open_or_create(path) } else { regular_file::open_to_write(path) };
    let file = opened.map_err(io)?;
    let mut start = Vec::new();
    (&file).take(INSPECTED_BYTES).read_to_end(&mut start).map_err(io)?;
    if !start.is_empty() && !start.starts_with(&MAGIC) {
        if !is_unfinished(&start) || file.metadata().map_err(io)?.len() > MAX_UNFINISHED_BYTES {
            return Err(OpenError::NotAStore { path: path.clone() });
        }
        // A process that is still creating the file holds the lock. One that was interrupted does not.
        match file.try_lock() {
            Ok(()) => file.set_len(0).and_then(|()| file.unlock()).map_err(io)?,
            Err(_) => return Err(OpenError::InUse { path: path.clone(), pid: lock_holder(path) }),
        }
    }
    if start.is_empty()
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        // Makes the new directory entry as durable as the content of the file will be.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    let mut redb = Database::builder();
    redb.set_cache_size(options.cache_bytes).set_check_integrity_on_open(options.check);
    let opened = catch_fault(|| {
        // Pass the open file and not its path, which may refer to another file by now.
        let database = redb.create_with_backend(FileBackend::new(file)?)?;
        let schema = schema(&database)?;
        Ok((database, schema))
    });
    match opened {
        Ok((database, Some(SCHEMA))) => Ok(database),
        Ok((database, None)) => {
            drop_quietly(database);
            Err(OpenError::NotAStore { path: path.clone() })
        }
        Ok((database, Some(schema))) => {
            drop_quietly(database);
            Err(OpenError::TooNew { path: path.clone(), schema })
        }
        Err(fault) => Err(open_error(path, fault)),
    }
}

/// Returns true if redb was interrupted while it created the file. Until the file is complete, redb has written nothing
/// but the first page without its first bytes.
fn is_unfinished(start: &[u8]) -> bool {
    let (first_page, rest) = start.split_at(start.len().min(4096));
    first_page.iter().take(MAGIC.len()).chain(rest).all(|byte| *byte == 0)
}

/// Closes a database, and catches the panic that a damaged one may cause.
pub(super) fn drop_quietly(database: Database) {
    let _ = catch_fault(|| {
        drop(database);
        Ok(())
    });
}

fn open_error(path: &Path, fault: Fault) -> OpenError {
    let path = path.to_owned();
    match fault {
        Fault::Redb(redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch) => {
            OpenError::InUse { pid: lock_holder(&path), path }
        }
        Fault::Redb(redb::Error::Io(source)) if source.kind() != io::ErrorKind::InvalidData => {
            OpenError::Io { path, source }
        }
        fault => OpenError::Damaged { reason: fault.reason(), path },
    }
}

/// Reads the schema of a store. Writes it first if the database is empty. `None` if the database is not a store.
fn schema(database: &Database) -> Result<Option<u64>, Fault> {
    let read = database.begin_read()?;
    let tables: Vec<String> = read.list_tables()?.map(|table| table.name().to_owned()).collect();
    if tables.iter().any(|table| table == META.name()) {
        return Ok(read.open_table(META)?.get("schema")?.map(|schema| schema.value()));
    }
    if !tables.is_empty() {
        return Ok(None);
    }
    drop(read);
    let write = database.begin_write()?;
    write.open_table(META)?.insert("schema", SCHEMA)?;
    write.open_table(ENTRIES)?;
    write.open_table(DUE)?;
    write.commit()?;
    Ok(Some(SCHEMA))
}
