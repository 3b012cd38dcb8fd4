//! Adds traces to a store that did not record them: portable files, and traces that a repair saved.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use zerver_trace::Trace;

use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::backend::write_store::WriteStore;
use crate::backend::writer_lock::WriterLock;
use crate::block::block_builder::BlockBuilder;
use crate::block::block_group::GroupBuilder;
use crate::block::block_index::BlockIndex;
use crate::read::blocks::Wanted;
use crate::read::folder::folder_view::FolderView;
use crate::read::read_error::ReadError;
use crate::read::store_view::StoreView;
use crate::secrets::data_key_record::SealedDataKey;
use crate::write::open_error::{OpenError, lock_dir};

/// Adds traces to the store in a folder, which is created if necessary. The oldest come first, as if they had been
/// recorded. A trace whose id is in the store already is skipped, so importing twice has no further effect. Returns the
/// number of added traces.
///
/// # Errors
/// As for [`crate::Recorder::open`], and if the disk fails. Nothing is imported then.
pub fn import(dir: &Path, mut traces: Vec<Trace>) -> Result<usize, OpenError> {
    let lock = lock_dir(dir)?;
    traces.sort_by_key(|trace| trace.started_unix_ns);
    import_locked(&lock, dir, traces, &[])
}

/// Adds traces, and the data keys under which their secrets are sealed.
pub(crate) fn import_locked(
    _lock: &WriterLock,
    dir: &Path,
    traces: Vec<Trace>,
    keys: &[SealedDataKey],
) -> Result<usize, OpenError> {
    let store = WriteStore::open(dir)?;
    let snapshot = store.snapshot()?;
    let mut meta = StoreMeta::read(&snapshot)?.and_then(Result::ok).unwrap_or_default();
    let mut group = store_meta::unfinished_group(&snapshot, meta.next)?;
    let mut known = known_ids(&StoreView { blocks: Box::new(FolderView { snapshot, meta }) }, &traces)?;
    let mut imported = 0;
    let (mut builder, mut batch) = (BlockBuilder::default(), WriteBatch::default());
    // The last numbers are those of no block, so that these keys stay, whichever blocks they belong to.
    (0..).zip(keys).for_each(|(n, key)| key.put(u64::MAX - n, &mut batch));
    for trace in traces {
        if !known.insert(trace.id) {
            continue;
        }
        // A trace beyond the limit was not written by zerver, and is skipped.
        if builder.push_trace(&trace).is_err() {
            continue;
        }
        imported += 1;
        if builder.is_full() {
            write(&mut builder, &mut group, &mut meta, &mut batch);
        }
    }
    if !builder.is_empty() {
        write(&mut builder, &mut group, &mut meta, &mut batch);
    }
    if !batch.is_empty() {
        let (table, key, record) = meta.to_record();
        batch.put(table, key, record);
        store.commit(&batch)?;
    }
    Ok(imported)
}

fn write(builder: &mut BlockBuilder, group: &mut GroupBuilder, meta: &mut StoreMeta, batch: &mut WriteBatch) {
    let key = meta.next;
    let records = builder.build_records(key);
    batch.put(Table::BlockIndexes, key, records.index);
    batch.put(Table::Summaries, key, records.summaries);
    batch.put(Table::Blocks, key, records.body);
    if let Some((number, record)) = group.add(key, &builder.index) {
        batch.put(Table::BlockGroups, number, record);
    }
    meta.next += 1;
    meta.recorded += builder.len() as u64;
    meta.traces += builder.len() as u64;
    builder.clear();
}

/// Returns the ids in the store that may be among those of the traces.
fn known_ids(
    view: &StoreView<FolderView>,
    traces: &[Trace],
) -> Result<HashSet<zerver_trace::RequestId>, OpenError> {
    let ids = || traces.iter().map(|trace| trace.id);
    let (Some(min), Some(max)) = (ids().min(), ids().max()) else { return Ok(HashSet::new()) };
    let mut keys = Vec::new();
    let overlaps = |index: &BlockIndex| index.min_id <= max && min <= index.max_id;
    view.for_each_wanted(&Wanted::Ids(min, max), overlaps, |key, index| {
        if overlaps(&index) {
            keys.push((key, index.count));
        }
        ControlFlow::Continue(())
    })
    .map_err(unreadable)?;
    let mut known = HashSet::new();
    for (key, count) in keys {
        known.extend(view.summaries(key, count).map_err(unreadable)?.into_iter().map(|summary| summary.id));
    }
    Ok(known)
}

fn unreadable(error: ReadError) -> OpenError {
    match error {
        ReadError::Missing { path } | ReadError::NeedsRepair { path } => {
            OpenError::Io { path, source: io::ErrorKind::NotFound.into() }
        }
        ReadError::Unreadable { path, source } => OpenError::Unreadable { path, source },
        ReadError::Damaged { path, reason } => OpenError::Damaged { path, reason },
        ReadError::Io { path, source } => OpenError::Io { path, source },
        error @ (ReadError::Altered { .. } | ReadError::Fleet { .. }) => {
            OpenError::Io { path: std::path::PathBuf::new(), source: io::Error::other(error) }
        }
    }
}
