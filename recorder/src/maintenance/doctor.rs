//! What is wrong with a store, and putting it right: nothing that can still be read is thrown away.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use thiserror::Error;
use zerver_trace::{Recorded, Trace};

use crate::backend::store_dir;
use crate::backend::store_error::StoreError;
use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::write_store::WriteStore;
use crate::backend::writer_lock::{LockHolder, WriterLock};
use crate::block::block_body::BlockBody;
use crate::block::block_index::BlockIndex;
use crate::block::trace_values::each_value;
use crate::format::record::MAX_RAW;
use crate::format::record::RecordKind;
use crate::format::{FormatError, record};
use crate::maintenance::import::import_locked;
use crate::read::reader::{Counts, ReadError, Reader, View};
use crate::regular_file;
use crate::secrets::secret_key::{SealError, SecretKey};
use crate::write::open_error::{OpenError, lock_dir};

/// What was found out about a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Its folder.
    pub dir: PathBuf,
    /// The schema it is written in, where it can be read.
    pub schema: Option<u16>,
    /// Why it cannot be read at all, and what to do about it.
    pub problem: Option<String>,
    /// Whether [`repair`] would help.
    pub repairable: bool,
    /// The length of its file, in bytes.
    pub bytes: u64,
    /// What the file takes up on the disk, in bytes.
    pub bytes_on_disk: u64,
    /// The blocks in it, damaged ones included.
    pub blocks: u64,
    /// The traces that can be read.
    pub traces: u64,
    /// What is damaged.
    pub damaged: Vec<Damage>,
    /// When the oldest request in it began, in nanoseconds since the Unix epoch.
    pub oldest_unix_ns: Option<u64>,
    /// When the newest one did.
    pub newest_unix_ns: Option<u64>,
    /// What was recorded and what was not, since it was made.
    pub counts: Counts,
    /// Whether the key of its secrets is there, and can be used.
    pub has_key: bool,
    /// The values in it that are sealed.
    pub secrets: u64,
    /// How many of those the key does not open, or would if it were there.
    pub secrets_lost: u64,
    /// Files of it that are no regular files of ours, and what they are. Nothing is recorded while they are there.
    pub odd: Vec<(PathBuf, String)>,
    /// What the traces take up of the file, in bytes.
    pub bytes_used: u64,
    /// Files and folders that others than their owner may read, or write to.
    pub exposed: Vec<PathBuf>,
    /// Who writes to it now.
    pub holder: Option<LockHolder>,
    /// After a repair: the damaged file, put aside under this name.
    pub set_aside: Option<PathBuf>,
    /// After a repair: the traces saved from that file.
    pub salvaged: u64,
}

/// A damaged block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The number of the block.
    pub block: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Why a store was not repaired.
#[derive(Debug, Error)]
pub enum RepairError {
    /// It cannot be written to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is none.
    #[error("there is no store at {}", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The damaged file could not be read or put aside.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// Reads all of a store, and says how it is. Changes nothing.
pub fn examine(dir: &Path) -> Report {
    examine_with(dir, &mut |_, _| ())
}

/// The same; `progress` is called with the number of blocks that have been read, and of all.
pub fn examine_with(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Report {
    let mut report = Report { dir: dir.to_owned(), holder: WriterLock::holder(dir), ..Report::default() };
    let file = store_dir::store_file(dir);
    if let Ok(data) = fs::symlink_metadata(&file) {
        (report.bytes, report.bytes_on_disk) = (data.len(), data.blocks() * 512);
    }
    let key = match SecretKey::load(dir) {
        Err(SealError::BadKey { path, reason }) => {
            report.odd.push((path, reason));
            None
        }
        key => key.ok(),
    };
    report.has_key = key.is_some();
    if let Err(why) = WriterLock::check(dir) {
        report.odd.push(why);
    }
    for path in [dir.to_owned(), file, store_dir::key_file(dir)] {
        let of = fs::symlink_metadata(&path).ok().filter(|data| !data.is_symlink());
        if of.is_some_and(|data| data.permissions().mode() & 0o077 != 0) {
            report.exposed.push(path);
        }
    }
    // Whoever writes to it will close it properly, or has to wait for space to do so.
    let reader = Reader::open(dir).or_else(|error| match error {
        ReadError::NeedsRepair { .. } if report.holder.is_some() => Reader::open_as_it_is(dir),
        error => Err(error),
    });
    let read = reader.and_then(|reader| inspect(&reader.view()?, key.as_ref(), &mut report, progress));
    if let Err(error) = read {
        report.repairable = match &error {
            ReadError::NeedsRepair { .. } | ReadError::Damaged { .. } => true,
            ReadError::Unreadable { source, .. } => {
                matches!(source, FormatError::Checksum | FormatError::Truncated { .. })
            }
            ReadError::Missing { .. } | ReadError::Io { .. } => false,
        };
        report.problem = Some(error.to_string());
    }
    report.repairable |= !report.damaged.is_empty();
    report
}

fn inspect(
    view: &View,
    key: Option<&SecretKey>,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ReadError> {
    report.schema = store_meta::store_schema(&view.snapshot)?;
    let StoreMeta { first, next, recorded, not_kept, dropped, .. } = view.meta;
    report.counts = Counts { recorded, not_kept, dropped };
    report.blocks = next.saturating_sub(first);
    // A damaged meta may name any number; blocks that are not there are not counted one by one.
    let present: HashSet<u64> =
        store_meta::all_block_indexes(&view.snapshot)?.into_iter().map(|(key, _)| key).collect();
    let missing =
        report.blocks.saturating_sub(present.iter().filter(|key| (first..next).contains(key)).count() as u64);
    if missing > 0 {
        let block = (first..next).find(|key| !present.contains(key)).unwrap_or(first);
        report.damaged.push(Damage { block, why: format!("{missing} blocks are missing, this one first") });
    }
    if missing == 0
        && let Err(error) = view.for_each_index(false, |_, _| ControlFlow::Continue(()))
    {
        report.damaged.push(Damage { block: next.saturating_sub(1), why: error.to_string() });
    }
    let mut blocks: Vec<u64> = present.into_iter().collect();
    blocks.sort_unstable();
    let of = blocks.len() as u64;
    for (read, block) in (0..).zip(blocks) {
        progress(read, of);
        match inspect_block(view, block, key) {
            Ok((index, secrets)) => {
                report.traces += u64::from(index.count);
                report.bytes_used += index.bytes;
                report.secrets += secrets.all;
                report.secrets_lost += secrets.lost;
                let (oldest, newest) = (index.min_started, index.max_started);
                report.oldest_unix_ns = Some(report.oldest_unix_ns.map_or(oldest, |known| known.min(oldest)));
                report.newest_unix_ns = Some(report.newest_unix_ns.map_or(newest, |known| known.max(newest)));
            }
            Err(error) => report.damaged.push(Damage { block, why: error.to_string() }),
        }
    }
    Ok(())
}

/// The sealed values of a block.
#[derive(Default)]
struct Secrets {
    all: u64,
    lost: u64,
}

/// Reads every trace of a block, and compares it with what is said of it elsewhere.
fn inspect_block(
    view: &View,
    block: u64,
    key: Option<&SecretKey>,
) -> Result<(BlockIndex, Secrets), ReadError> {
    let index = view.index(block)?;
    let summaries = view.summaries(block, index.count)?;
    let mut secrets = Secrets::default();
    view.body(block, |body| {
        if body.len() != summaries.len() {
            return Err(FormatError::Malformed("summaries and body differ in length".to_owned()));
        }
        for (position, summary) in summaries.iter().enumerate() {
            let mut trace = body.trace(position)?;
            if trace.summary() != *summary {
                return Err(FormatError::Malformed("a summary does not match its trace".to_owned()));
            }
            each_value(&mut trace, |recorded| {
                if let Recorded::Sealed { .. } = recorded {
                    secrets.all += 1;
                    secrets.lost += u64::from(key.is_none_or(|key| key.unseal(recorded).is_err()));
                }
            });
        }
        Ok(())
    })?;
    Ok((index, secrets))
}

/// Opens a store that was not closed properly, and closes it, which loses nothing that a commit made last. Damage is
/// neither looked for nor touched: see [`repair`] for that.
///
/// # Errors
/// When another process writes to it, when it cannot be opened, or when the disk fails.
pub fn reopen(dir: &Path) -> Result<(), RepairError> {
    let path = store_dir::store_file(dir);
    if fs::symlink_metadata(&path).is_err() {
        return Err(RepairError::Missing { path });
    }
    let _lock = lock_dir(dir)?;
    WriteStore::open(dir).map(drop).map_err(|error| OpenError::from(error).into())
}

/// Puts a store right. One that was only not closed properly is opened and closed, which loses nothing. From one that
/// is damaged, every block that can still be read goes into a new file, and the damaged file is put aside.
///
/// # Errors
/// When another process writes to it, when it is none of ours, or when the disk fails.
pub fn repair(dir: &Path) -> Result<Report, RepairError> {
    let path = store_dir::store_file(dir);
    if fs::symlink_metadata(&path).is_err() {
        return Err(RepairError::Missing { path });
    }
    let lock = lock_dir(dir)?;
    let opened = WriteStore::open_checked(dir);
    let is_damaged = match opened {
        // Closed again at once, so that it can be read.
        Ok(store) => {
            drop(store);
            let report = examine(dir);
            report.problem.is_some() || !report.damaged.is_empty()
        }
        Err(StoreError::Damaged { .. }) => true,
        Err(StoreError::Format { source: FormatError::Checksum | FormatError::Truncated { .. }, .. }) => true,
        // The first bytes themselves may be what is damaged.
        Err(StoreError::Format { path, source: FormatError::Foreign }) => {
            if carve_all(&path)?.is_empty() {
                return Err(OpenError::Unreadable { path, source: FormatError::Foreign }.into());
            }
            true
        }
        Err(error) => return Err(OpenError::from(error).into()),
    };
    if !is_damaged {
        return Ok(report_of(dir, lock));
    }
    let io = |source| RepairError::Io { path: path.clone(), source };
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let traces = carve_all(&path)?;
    let aside =
        (0..).map(|n| dir.join(format!("traces.redb.damaged-{seconds}-{n}"))).find(|path| !path.exists());
    let aside = aside.ok_or_else(|| io(io::ErrorKind::AlreadyExists.into()))?;
    fs::rename(&path, &aside).map_err(io)?;
    let salvaged = import_locked(&lock, dir, traces)?;
    Ok(Report { set_aside: Some(aside), salvaged: salvaged as u64, ..report_of(dir, lock) })
}

fn report_of(dir: &Path, lock: WriterLock) -> Report {
    drop(lock);
    examine(dir)
}

/// How much of a file is looked at together, in bytes; a record that begins in the first half lies within it.
const WINDOW: usize = 4 * MAX_RAW;

/// Every trace in any block that lies whole in a file, wherever it lies, whatever else is damaged; by the number of
/// their blocks. A block that was written again is there more than once, and so are its traces.
fn carve_all(path: &Path) -> Result<Vec<Trace>, RepairError> {
    let io = |source| RepairError::Io { path: path.to_owned(), source };
    let file = regular_file::open(path).map_err(io)?;
    let len = file.metadata().map_err(io)?.len();
    let (mut at, mut found) = (0, Vec::new());
    let mut window = vec![0; WINDOW.min(usize::try_from(len).unwrap_or(WINDOW))];
    while at < len {
        let here = window.len().min(usize::try_from(len - at).unwrap_or(WINDOW));
        file.read_exact_at(&mut window[..here], at).map_err(io)?;
        for (key, record) in record::find_all(RecordKind::Block, &window[..here]) {
            if let Ok(body) = BlockBody::read(key, record) {
                found.extend((0..body.len()).filter_map(|position| Some((key, body.trace(position).ok()?))));
            }
        }
        at += (WINDOW / 2) as u64;
    }
    found.sort_by_key(|(key, _)| *key);
    let mut seen = HashSet::new();
    Ok(found.into_iter().map(|(_, trace)| trace).filter(|trace| seen.insert(trace.id)).collect())
}
