//! Continues when the file, the lock or the folder of the store is removed or replaced while it is being written to.
//!
//! A commit to a file that readers cannot find any more is lost, so it is repeated in the place where readers look.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;

use super::{Loaded, Writer, load_meta};
use crate::backend::store_error::StoreError;
use crate::backend::table::Table;
use crate::backend::write_store::WriteStore;
use crate::block::block_index::BlockIndex;
use crate::write::open_error::{OpenError, lock_dir};
use crate::write::status_event::StatusEvent;

/// Maximum number of attempts of a commit if the store disappears during each.
const MAX_ATTEMPTS: usize = 3;

impl Writer {
    /// Commits the batch to the file that readers find afterwards.
    pub(super) fn commit_in_place(&mut self) -> Result<(), StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let store = match self.store.take() {
                Some(store) => store,
                None => self.reopen()?,
            };
            store.commit(&self.batch)?;
            match (store.is_in_place(), self.lock.is_in_place()) {
                (true, true) => {
                    self.store = Some(store);
                    return Ok(());
                }
                (true, false) => {}
                (false, _) => self.identity = None,
            }
        }
        Err(StoreError::Io { path: self.dir.clone(), source: io::Error::other("removed again and again") })
    }

    /// Opens the store after a failure, or because its file is gone.
    fn reopen(&mut self) -> Result<WriteStore, StoreError> {
        if !self.lock.is_in_place() {
            self.lock = lock_dir(&self.dir).map_err(|error| store_error(error, &self.dir))?;
        }
        let store = WriteStore::open_with_limit(&self.dir, self.retention.max_bytes())?;
        if self.identity != Some(store.identity()) {
            self.continue_in(&store)?;
        }
        Ok(store)
    }

    /// Prepares to append everything that is not committed to another file.
    fn continue_in(&mut self, store: &WriteStore) -> Result<(), StoreError> {
        let has_other_key =
            self.keys.restore(&self.dir).map_err(|error| store_error(error.into(), &self.dir))?;
        let mut retention = self.retention.for_another_store();
        let Loaded { mut meta, node, mut group, missing } = load_meta(store, &mut retention)?;
        let _ = retention.begin();
        let mut puts = BTreeMap::new();
        // Includes the traces of this block that were committed to the missing file.
        if !self.block.is_empty() {
            self.write_block();
        }
        for (table, key, record) in std::mem::take(&mut self.batch).into_puts() {
            // The last record under a key replaces the others.
            if !matches!(table, Table::Meta | Table::BlockGroups | Table::DataKeys) {
                puts.insert((key, table as u8), (table, record));
            }
        }
        let (mut batch, mut moved, mut traces) = (missing, BTreeMap::new(), 0);
        if let Some(sealed) = self.keys.sealed_data_key() {
            sealed.put(meta.next, &mut batch);
        }
        self.has_put_key = true;
        for ((key, _), (table, record)) in puts {
            let new = *moved.entry(key).or_insert_with(|| {
                meta.next += 1;
                meta.next - 1
            });
            let record = crate::format::record::with_key(record, new);
            if table == Table::BlockIndexes
                && let Ok(index) = BlockIndex::read(new, &record)
            {
                traces += u64::from(index.count);
                retention.add_written(new, &index);
                if let Some((number, record)) = group.add(new, &index) {
                    batch.put(Table::BlockGroups, number, record);
                }
            }
            batch.put(table, new, record);
        }
        for (table, key, record) in self.build_records() {
            batch.put(table, key, record);
        }
        // The pending ones are added after the commit.
        meta.recorded += traces.saturating_sub(self.pending);
        meta.not_kept = meta.not_kept.wrapping_sub(self.state.queue.not_kept());
        meta.dropped = meta.dropped.wrapping_sub(self.state.queue.inbox.dropped());
        (self.batch, self.meta, self.retention, self.group) = (batch, meta, retention, group);
        self.identity = Some(store.identity());
        self.node = node;
        self.block.clear();
        self.describer.end_block();
        self.committed = 0;
        if has_other_key {
            self.describer.use_key(self.keys.secret_key());
        }
        self.put_meta();
        self.state.counts.replaced.fetch_add(1, Ordering::Relaxed);
        self.reporter
            .report(&StatusEvent::StoreReplaced { path: crate::backend::store_dir::store_file(&self.dir) });
        Ok(())
    }
}

fn store_error(error: OpenError, dir: &std::path::Path) -> StoreError {
    match error {
        OpenError::Unreadable { path, source } => StoreError::Format { path, source },
        OpenError::Damaged { path, reason } => StoreError::Damaged { path, reason },
        OpenError::Io { path, source } => StoreError::Io { path, source },
        error @ (OpenError::Locked { .. } | OpenError::Key(_)) => {
            StoreError::Io { path: dir.to_owned(), source: io::Error::other(error) }
        }
    }
}
