//! The file: opening it, and keeping what redb does on a damaged file from getting any further.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, TableDefinition, TableHandle};
use zerver_engine::{EffectError, EffectErrorKind};
use zerver_recorder::{catch_panic, regular_file};

pub(super) const ENTRIES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("entries");
/// What expires, soonest first.
pub(super) const DUE: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("due");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("zerver-kv");

const SCHEMA: u64 = 1;
/// How much of a file is looked at before redb is.
const FIRST: u64 = 64 * 1024;
/// How long a file of redb is at most, before anything is in it.
const UNFINISHED: u64 = 4 * 1024 * 1024;
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

/// How to open it.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) path: PathBuf,
    pub(super) cache_bytes: usize,
    pub(super) check: bool,
}

/// What redb reported, or that it panicked.
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

    /// As the error of an effect.
    pub(super) fn effect(&self, path: &Path) -> EffectError {
        let kind = match self {
            Self::Redb(redb::Error::Io(_) | redb::Error::PreviousIo) => EffectErrorKind::Unreachable,
            _ => EffectErrorKind::Internal,
        };
        EffectError::new(kind, format!("{}: {}", path.display(), self.reason()))
    }
}

/// Calls into redb. A panic of it is a fault of the file, not the end of a thread.
pub(super) fn guard<T>(f: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_panic::catch(f).unwrap_or_else(|message| Err(Fault::Panic(message)))
}

/// Opens the file; makes it, and the folders above it, where there is none.
pub(super) fn open(options: &Options, make: bool) -> Result<Database, OpenError> {
    let path = &options.path;
    let io = |source| OpenError::Io { path: path.clone(), source };
    if make && let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let opened = if make { regular_file::open_or_create(path) } else { regular_file::open_to_write(path) };
    let file = opened.map_err(io)?;
    let mut begin = Vec::new();
    (&file).take(FIRST).read_to_end(&mut begin).map_err(io)?;
    if !begin.is_empty() && !begin.starts_with(&MAGIC) {
        if !is_unfinished(&begin) || file.metadata().map_err(io)?.len() > UNFINISHED {
            return Err(OpenError::NotAStore { path: path.clone() });
        }
        // Whoever is making it holds the lock; nobody who was stopped there does.
        match file.try_lock() {
            Ok(()) => file.set_len(0).and_then(|()| file.unlock()).map_err(io)?,
            Err(_) => return Err(OpenError::InUse { path: path.clone(), pid: holder(path) }),
        }
    }
    if begin.is_empty()
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        // That there is a file now is to be as durable as what will be in it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
    }
    let mut redb = Database::builder();
    redb.set_cache_size(options.cache_bytes).set_check_integrity_on_open(options.check);
    let opened = guard(|| {
        // Not by its name, which may stand for another file by now.
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
        Err(fault) => Err(refused(path, fault)),
    }
}

/// Whether redb was stopped while it made the file: the rest of the first page is written before its first bytes are,
/// and nothing beyond.
fn is_unfinished(begin: &[u8]) -> bool {
    let (header, beyond) = begin.split_at(begin.len().min(4096));
    header.iter().take(MAGIC.len()).chain(beyond).all(|byte| *byte == 0)
}

/// Closing a damaged database may panic too.
pub(super) fn drop_quietly(database: Database) {
    let _ = guard(|| {
        drop(database);
        Ok(())
    });
}

fn refused(path: &Path, fault: Fault) -> OpenError {
    let path = path.to_owned();
    match fault {
        Fault::Redb(redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch) => {
            OpenError::InUse { pid: holder(&path), path }
        }
        Fault::Redb(redb::Error::Io(source)) if source.kind() != io::ErrorKind::InvalidData => {
            OpenError::Io { path, source }
        }
        fault => OpenError::Damaged { reason: fault.reason(), path },
    }
}

/// The schema of a store, which is written where there is nothing yet; none where there is something else.
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

/// The process that has locked a file, as Linux says in `/proc/locks` (see proc_locks(5)).
fn holder(path: &Path) -> Option<u32> {
    let metadata = std::fs::metadata(path).ok()?;
    let (major, minor) = (rustix::fs::major(metadata.dev()), rustix::fs::minor(metadata.dev()));
    let file = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // A lock of a range of bytes belongs to an open file, and names no process; one of the whole file does.
    let holder = |line: &str| {
        let mut words = line.split_whitespace().skip(4);
        let (pid, locked) = (words.next()?, words.next()?);
        (locked == file).then(|| pid.parse().ok())?
    };
    locks.lines().find_map(holder)
}
