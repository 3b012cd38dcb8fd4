//! Examines a store without changing it.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zerver_trace::{Recorded, SealedBy};

use crate::backend::store_dir;
use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::table::Table;
use crate::backend::writer_lock::{LockHolder, WriterLock};
use crate::block::block_group::{self, GroupBuilder};
use crate::block::block_index::BlockIndex;
use crate::block::trace_values::each_value;
use crate::format::{FormatError, Schema};
use crate::read::blocks::{BlocksView, Order};
use crate::read::folder::folder_blocks::FolderBlocks;
use crate::read::folder::folder_view::FolderView;
use crate::read::read_error::ReadError;
use crate::read::store_counts::StoreCounts;
use crate::read::store_view::StoreView;
use crate::secrets::data_key::DataKey;
use crate::secrets::data_key_record::data_keys;
use crate::secrets::seal_error::SealError;
use crate::secrets::store_key::StoreKey;

/// Result of an examination.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// Folder of the store.
    pub dir: PathBuf,
    /// Schema of the store, if it is readable.
    pub schema: Option<Schema>,
    /// Reason why nothing can be read, with advice. `None` if the store can be opened.
    pub problem: Option<String>,
    /// True if [`crate::repair`] would help.
    pub repairable: bool,
    /// Length of the file, in bytes.
    pub bytes: u64,
    /// Disk space of the file, in bytes.
    pub bytes_on_disk: u64,
    /// Number of blocks, including damaged ones.
    pub blocks: u64,
    /// Number of readable traces.
    pub traces: u64,
    /// The damaged blocks.
    pub damaged: Vec<DamagedBlock>,
    /// Start of the oldest request, in nanoseconds since the Unix epoch.
    pub oldest_unix_ns: Option<u64>,
    /// Start of the newest request, in nanoseconds since the Unix epoch.
    pub newest_unix_ns: Option<u64>,
    /// Counters of the store since it was created.
    pub counts: StoreCounts,
    /// True if the key of the store exists and can be used.
    pub has_key: bool,
    /// Number of sealed values.
    pub secrets: u64,
    /// Number of sealed values that the key does not open. If the key is missing, all of them.
    pub unreadable_secrets: u64,
    /// Files of the store that are not regular files of the user, each with a description. They prevent recording.
    pub invalid_files: Vec<(PathBuf, String)>,
    /// Bytes of the file that traces occupy.
    pub bytes_used: u64,
    /// Files and folders that other users may read or write.
    pub exposed: Vec<PathBuf>,
    /// Process that writes to the store now.
    pub holder: Option<LockHolder>,
    /// After a repair: new path of the damaged file.
    pub moved_to: Option<PathBuf>,
    /// After a repair: number of traces saved from the damaged file.
    pub salvaged: u64,
}

/// A damaged block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedBlock {
    /// Key of the block.
    pub key: u64,
    /// Description of the damage.
    pub reason: String,
}

/// Reads a whole store and reports its state. Changes nothing.
pub fn examine(dir: &Path) -> StoreReport {
    examine_with(dir, &mut |_, _| ())
}

/// Like [`examine`], but calls `progress` with the number of blocks read so far and in total.
pub fn examine_with(dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> StoreReport {
    let mut report =
        StoreReport { dir: dir.to_owned(), holder: WriterLock::holder(dir), ..StoreReport::default() };
    let file = store_dir::store_file(dir);
    if let Ok(data) = fs::symlink_metadata(&file) {
        (report.bytes, report.bytes_on_disk) = (data.len(), data.blocks() * 512);
    }
    let key = match StoreKey::load(dir) {
        Err(SealError::BadKey { path, reason }) => {
            report.invalid_files.push((path, reason));
            None
        }
        key => key.ok(),
    };
    report.has_key = key.is_some();
    if let Err(why) = WriterLock::check(dir) {
        report.invalid_files.push(why);
    }
    for path in [dir.to_owned(), file, store_dir::key_file(dir)] {
        let of = fs::symlink_metadata(&path).ok().filter(|data| !data.is_symlink());
        if of.is_some_and(|data| data.permissions().mode() & 0o077 != 0) {
            report.exposed.push(path);
        }
    }
    // The writer will close the store properly, or is waiting for disk space to do so.
    let opened = FolderBlocks::open(dir).or_else(|error| match error {
        ReadError::NeedsRepair { .. } if report.holder.is_some() => FolderBlocks::open_unrepaired(dir),
        error => Err(error),
    });
    let read = opened.and_then(|store| {
        let view = StoreView { blocks: Box::new(store.folder_view()?) };
        let mut keys = OpenKeys::new();
        if let Some(key) = &key {
            let data_keys = data_keys(&view.blocks.snapshot)?.into_iter();
            keys.extend(
                data_keys
                    .filter_map(|(_, sealed)| sealed.open(key))
                    .map(|key| (SealedBy(Some(key.id())), key)),
            );
            keys.insert(SealedBy(None), key.data_key());
        }
        inspect(&view, &keys, &mut report, progress)
    });
    if let Err(error) = read {
        report.repairable = match &error {
            ReadError::NeedsRepair { .. } | ReadError::Damaged { .. } => true,
            ReadError::Unreadable { source, .. } => {
                matches!(source, FormatError::Checksum | FormatError::Truncated { .. })
            }
            ReadError::Missing { .. }
            | ReadError::Io { .. }
            | ReadError::Altered { .. }
            | ReadError::Fleet { .. } => false,
        };
        report.problem = Some(error.to_string());
    }
    report.repairable |= !report.damaged.is_empty();
    report
}

fn inspect(
    view: &StoreView<FolderView>,
    keys: &OpenKeys,
    report: &mut StoreReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ReadError> {
    report.schema = store_meta::store_schema(&view.blocks.snapshot)?;
    let StoreMeta { first, next, recorded, not_kept, dropped, .. } = view.blocks.meta;
    report.counts = StoreCounts { recorded, not_kept, dropped };
    report.blocks = next.saturating_sub(first);
    // Damaged metadata may state any number of blocks, so missing ones are not counted one by one.
    let present: HashSet<u64> =
        store_meta::all_block_indexes(&view.blocks.snapshot)?.into_iter().map(|(key, _)| key).collect();
    let missing =
        report.blocks.saturating_sub(present.iter().filter(|key| (first..next).contains(key)).count() as u64);
    if missing > 0 {
        let block = (first..next).find(|key| !present.contains(key)).unwrap_or(first);
        report.damaged.push(DamagedBlock {
            key: block,
            reason: format!("{missing} blocks are missing, starting with this one"),
        });
    }
    if missing == 0
        && let Err(error) = view.for_each_index(Order::OldestFirst, |_, _| ControlFlow::Continue(()))
    {
        report.damaged.push(DamagedBlock { key: next.saturating_sub(1), reason: error.to_string() });
    }
    report.damaged.extend(damaged_groups(view)?);
    let mut blocks: Vec<u64> = present.into_iter().collect();
    blocks.sort_unstable();
    let of = blocks.len() as u64;
    for (read, block) in (0..).zip(blocks) {
        progress(read, of);
        match inspect_block(view, block, keys) {
            Ok((index, secrets)) => {
                report.traces += u64::from(index.count);
                report.bytes_used += index.bytes;
                report.secrets += secrets.all;
                report.unreadable_secrets += secrets.lost;
                let (oldest, newest) = (index.min_started, index.max_started);
                report.oldest_unix_ns = Some(report.oldest_unix_ns.map_or(oldest, |known| known.min(oldest)));
                report.newest_unix_ns = Some(report.newest_unix_ns.map_or(newest, |known| known.max(newest)));
            }
            Err(error) => report.damaged.push(DamagedBlock { key: block, reason: error.to_string() }),
        }
    }
    Ok(())
}

/// Finds the indexes of groups that differ from those of their blocks.
fn damaged_groups(view: &StoreView<FolderView>) -> Result<Vec<DamagedBlock>, ReadError> {
    let mut expected = BTreeMap::new();
    let mut group = GroupBuilder::default();
    for (key, index) in store_meta::all_block_indexes(&view.blocks.snapshot)? {
        if let Some(index) = index {
            expected.extend(group.add(key, &index));
        }
    }
    let mut damaged = Vec::new();
    view.blocks.snapshot.scan(Table::BlockGroups, 0..=u64::MAX, false, |number, record| {
        let read = block_group::read(number, record);
        let wanted = expected.get(&number).and_then(|record| block_group::read(number, record).ok());
        let reason = match (read, wanted) {
            (Err(error), _) => Some(error.to_string()),
            (Ok(found), Some(wanted)) if found != wanted => Some("it differs from the blocks".to_owned()),
            _ => None,
        };
        damaged.extend(reason.map(|reason| DamagedBlock {
            key: *block_group::blocks_of(number).start(),
            reason: format!("index of the group of this block: {reason}"),
        }));
        ControlFlow::Continue(())
    })?;
    Ok(damaged)
}

/// The keys that are open, by what traces call them.
pub(super) type OpenKeys = BTreeMap<SealedBy, DataKey>;

/// Number of sealed values in a block.
#[derive(Default)]
pub(super) struct SealedValues {
    pub(super) all: u64,
    lost: u64,
    /// By the keys under which they are sealed.
    pub(super) by_key: BTreeMap<SealedBy, u64>,
}

/// Reads every trace of a block, and compares it with its summary.
pub(super) fn inspect_block<V: BlocksView + ?Sized>(
    view: &StoreView<V>,
    block: u64,
    keys: &OpenKeys,
) -> Result<(BlockIndex, SealedValues), ReadError> {
    let index = view.index(block)?;
    let summaries = view.summaries(block, index.count)?;
    let mut secrets = SealedValues::default();
    view.with_body(block, |body| {
        if body.len() != summaries.len() {
            return Err(FormatError::Malformed("summaries and body differ in length".to_owned()));
        }
        for (position, summary) in summaries.iter().enumerate() {
            let mut trace = body.trace(position)?;
            if trace.summary() != *summary {
                return Err(FormatError::Malformed("a summary does not match its trace".to_owned()));
            }
            let (sealed_by, before) = (trace.sealed_by, secrets.all);
            each_value(&mut trace, |recorded| {
                if let Recorded::Sealed { .. } = recorded {
                    let key = keys.get(&sealed_by);
                    secrets.all += 1;
                    secrets.lost += u64::from(key.is_none_or(|key| key.unseal(recorded).is_err()));
                }
            });
            if secrets.all > before {
                *secrets.by_key.entry(sealed_by).or_default() += secrets.all - before;
            }
        }
        Ok(())
    })?;
    Ok((index, secrets))
}
