//! Ends blocks, and commits them with the metadata of the store.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::{RETRY_DELAY, Writer};
use crate::backend::store_meta::StoreMeta;
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::backend::write_store::WriteStore;
use crate::block::block_group;
use crate::spool::SpoolEnd;

/// Minimum number of new traces with which a commit ends a block. A block with fewer is extended and rewritten by the
/// next commits.
const MIN_NEW_TRACES: usize = 32;

impl Writer {
    /// Adds the block in its current state to the batch.
    pub(super) fn write_block(&mut self) {
        let (not_kept, dropped) = (self.state.queue.not_kept(), self.state.queue.inbox.dropped());
        self.block.index.not_kept += not_kept - self.not_kept;
        self.block.index.dropped += dropped - self.dropped;
        (self.not_kept, self.dropped) = (not_kept, dropped);
        let key = self.meta.next;
        if !std::mem::replace(&mut self.has_put_key, true)
            && let Some(sealed) = self.keys.sealed_data_key()
        {
            sealed.put(key, &mut self.batch);
        }
        let records = self.block.build_records(key);
        self.batch.put(Table::BlockIndexes, key, records.index);
        self.batch.put(Table::Summaries, key, records.summaries);
        self.batch.put(Table::Blocks, key, records.body);
        self.retention.add_written(key, &self.block.index);
    }

    pub(super) fn next_block(&mut self) {
        if let Some((group, record)) = self.group.add(self.meta.next, &self.block.index) {
            self.batch.put(Table::BlockGroups, group, record);
        }
        self.meta.next += 1;
        self.block.clear();
        self.describer.end_block();
        self.committed = 0;
    }

    pub(super) fn commit(&mut self) {
        let new_traces = self.block.len() - self.committed;
        if new_traces > 0 {
            self.write_block();
        }
        self.remove_expired();
        self.put_meta();
        if self.try_commit() && new_traces > 0 {
            self.committed = self.block.len();
            if new_traces >= MIN_NEW_TRACES && !self.block.is_empty() {
                self.close_block();
            }
        }
    }

    /// Closes the committed block, so that it never changes again.
    fn close_block(&mut self) {
        self.next_block();
        self.state.set_spool_end(SpoolEnd { node: Some(self.node), closed: self.meta.next });
    }

    /// Closes the block that is being filled, if a shipper asks for it and everything is committed.
    pub(super) fn close_block_if_wanted(&mut self) {
        let is_committed = self.retry_at.is_none() && self.pending == 0 && self.committed == self.block.len();
        if self.state.take_block_end() && is_committed && !self.block.is_empty() {
            self.close_block();
        }
    }

    /// Adds the removal of expired blocks to the batch. Returns true if there were any.
    pub(super) fn remove_expired(&mut self) -> bool {
        let Some(keys) = self.retention.take_expired() else { return false };
        for table in [Table::BlockIndexes, Table::Summaries, Table::Blocks] {
            self.batch.remove(table, keys.clone());
        }
        if let Some(group) = block_group::group_of(keys.end().saturating_add(1)).checked_sub(1) {
            self.batch.remove(Table::BlockGroups, 0..=group);
        }
        true
    }

    pub(super) fn put_meta(&mut self) {
        let totals = StoreMeta {
            first: self.retention.first().unwrap_or(self.meta.next),
            next: self.meta.next + u64::from(!self.block.is_empty()),
            traces: self.retention.traces(),
            recorded: self.meta.recorded + self.pending,
            not_kept: self.meta.not_kept.wrapping_add(self.state.queue.not_kept()),
            dropped: self.meta.dropped.wrapping_add(self.state.queue.inbox.dropped()),
        };
        let (table, key, record) = totals.to_record();
        self.batch.put(table, key, record);
    }

    /// Commits the batch. If that fails, recording is paused and the batch is kept. Returns true on success.
    pub(super) fn try_commit(&mut self) -> bool {
        match self.commit_in_place() {
            Ok(()) => {
                let counts = &self.state.counts;
                counts.recorded.fetch_add(self.pending, Ordering::Relaxed);
                counts.commits.fetch_add(1, Ordering::Relaxed);
                let (bytes, on_disk) = self.store.as_ref().map_or((0, 0), WriteStore::file_size);
                counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
                self.size_limit.set_file_size(bytes);
                self.meta.recorded += self.pending;
                self.pending = 0;
                self.batch = WriteBatch::default();
                self.last_commit = Some(Instant::now());
                self.state.set_spool_end(SpoolEnd { node: Some(self.node), closed: self.meta.next });
                if self.retry_at.take().is_some() {
                    self.reporter.resumed();
                }
                if !self.state.is_closing() {
                    self.enforce_size_limit();
                }
                true
            }
            Err(error) => {
                self.store = None;
                self.retry_at = Some(Instant::now() + RETRY_DELAY);
                self.reporter.paused(error.to_string());
                false
            }
        }
    }

    /// Retries the failed commit.
    pub(super) fn retry_commit(&mut self) {
        if self.try_commit() {
            self.committed = self.block.len();
        }
    }

    /// Closes the store. Returns true on success.
    pub(super) fn close_store(&mut self) -> bool {
        let store = self.store.take().map_or_else(|| WriteStore::open(&self.dir), Ok);
        store.and_then(WriteStore::close).is_ok()
    }
}
