//! The thread that writes: takes captures from the queue, describes them, fills blocks, and commits many at a time.
//!
//! When the disk fails, what was to be committed is kept and tried again; the queue fills up meanwhile, and requests
//! never notice. A commit that failed may have landed, so it is repeated as it was, under the same numbers. After each
//! commit it is checked that the file is still where readers look for it (`moved`), and not larger than it may be (`fit`).

mod relocation;
mod size_limit;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zerver_trace::{Capture, FlowInfo, Kept};

use self::size_limit::Fit;
use crate::backend::store_dir::FileIdentity;
use crate::backend::store_error::StoreError;
use crate::backend::store_meta::{self, StoreMeta};
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::backend::write_store::WriteStore;
use crate::backend::writer_lock::WriterLock;
use crate::block::block_builder::BlockBuilder;
use crate::catch_panic;
use crate::describe::describer::Describer;
use crate::intake::capture_queue::Accepted;
use crate::write::observed_clock::Differs;
use crate::write::recorder_state::Shared;
use crate::write::retention::Retention;
use crate::write::status_events::{Change, Teller};

/// A commit has at most about so many traces,
const GROUP: usize = 4096;
/// and while traffic flows, commits are this far apart, so that each has many.
const INTERVAL: Duration = Duration::from_millis(40);
/// While traffic flows, the writer looks away for as long as about so many captures come in: of more, what it describes
/// and gives back to be used again has left the cache; for fewer, waking up costs more than that.
const LOOK: u32 = 64;
const NAPS: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(10);
/// With so many in the queue, it does not look away.
const BACKLOG: usize = 256;
/// With no traffic for so long, it sleeps until it is woken,
const QUIET: Duration = Duration::from_millis(50);
/// or until it looks for what has become too old.
const HOUSEKEEPING: Duration = Duration::from_secs(30);
/// How long after a failure the store is opened again.
const RETRY: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(1) };
/// A commit that fails at the end is tried so often again, with a part of that pause before each try.
const LAST_TRIES: u32 = 4;
/// So many captures are given back together.
const GIVEN_BACK: usize = 64;
/// A block which a commit left with fewer traces is filled up by the next commits, and written again with each.
const MERGED: usize = 32;

pub(crate) struct Writer {
    dir: PathBuf,
    lock: WriterLock,
    store: Option<WriteStore>,
    /// The file that has what was committed so far; none once it was found gone.
    identity: Option<FileIdentity>,
    shared: Arc<Shared>,
    teller: Teller,
    receiver: Receiver<Accepted>,
    /// Those that have been described.
    described: Vec<Accepted>,
    describer: Describer,
    retention: Retention,
    build: String,
    /// The flows of this build, for a store that is made anew.
    declared: Option<Vec<Arc<FlowInfo>>>,
    /// The block that is being filled, its number, and how many of its traces have been committed.
    block: BlockBuilder,
    committed: usize,
    meta: StoreMeta,
    /// The counts up to the last block.
    not_kept: u64,
    overflowed: u64,
    batch: WriteBatch,
    /// Traces since the last commit.
    pending: u64,
    last_commit: Option<Instant>,
    /// When it last looked into the queue, and for how long it looks away.
    looked: Instant,
    nap: Duration,
    last_traffic: Instant,
    retry_at: Option<Instant>,
    fit: Fit,
}

impl Writer {
    #[expect(clippy::too_many_arguments, reason = "called once")]
    pub(crate) fn new(
        dir: PathBuf,
        lock: WriterLock,
        store: WriteStore,
        shared: Arc<Shared>,
        receiver: Receiver<Accepted>,
        describer: Describer,
        mut retention: Retention,
        build: String,
    ) -> Result<Self, StoreError> {
        let meta = resume(&store, &mut retention)?;
        let teller = Teller::new(Arc::clone(&shared));
        if let Some(Differs { by, is_ahead }) = retention.begin() {
            teller.tell(&Change::ClockDiffers { by, is_ahead });
        }
        let (bytes, on_disk) = store.file_size();
        shared.counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
        Ok(Self {
            dir,
            lock,
            identity: Some(store.identity()),
            store: Some(store),
            teller,
            shared,
            receiver,
            described: Vec::new(),
            describer,
            retention,
            build,
            declared: None,
            block: BlockBuilder::default(),
            committed: 0,
            meta,
            not_kept: 0,
            overflowed: 0,
            batch: WriteBatch::default(),
            pending: 0,
            last_commit: None,
            looked: Instant::now(),
            nap: *NAPS.end(),
            last_traffic: Instant::now(),
            retry_at: None,
            fit: Fit::new(bytes),
        })
    }

    pub(crate) fn run(mut self) {
        self.shared.queue.inbox.attach();
        loop {
            // Read before the queue is, so that all that came before them is written before they are answered.
            let (closing, flush) = (self.shared.is_closing(), self.shared.flush_wanted());
            self.turn(closing, flush);
            if closing {
                break self.finish();
            }
            self.rest();
        }
    }

    /// Takes what there is, and commits if it is time to.
    fn turn(&mut self, closing: bool, flush: u64) {
        self.declare();
        if self.retry_at.is_some_and(|at| closing || Instant::now() >= at) {
            self.resume();
        }
        let must = closing || self.shared.is_flush_due(flush);
        let mut waiting = self.receiver.len();
        loop {
            let took = if self.retry_at.is_none() { self.take(waiting) } else { 0 };
            waiting = waiting.saturating_sub(took);
            let all = waiting == 0 || (took == 0 && !self.is_full());
            if self.is_due(all && must) {
                self.commit();
            }
            if all || !must || self.retry_at.is_some() {
                break;
            }
        }
        self.teller.look();
        if !closing {
            self.fit();
        }
        if must && !closing {
            self.shared.flushed(flush);
        }
    }

    fn is_due(&self, must: bool) -> bool {
        if self.retry_at.is_some() {
            return false;
        }
        let waited = self.last_commit.is_none_or(|last| last.elapsed() >= INTERVAL);
        let anything = self.pending > 0 || !self.batch.is_empty();
        anything && (must || waited || self.is_full())
    }

    /// Whether there is enough for a commit.
    fn is_full(&self) -> bool {
        self.pending >= GROUP as u64 || self.batch.bytes() >= self.retention.commit_bytes()
    }

    /// Describes what is in the queue, up to a commit's worth.
    fn take(&mut self, limit: usize) -> usize {
        let since = self.looked.elapsed();
        self.looked += since;
        let mut took = 0;
        while took < limit && !self.is_full() {
            let Ok(accepted) = self.receiver.try_recv() else { break };
            took += 1;
            self.record(&accepted.capture, accepted.kept);
            self.shared.queue.described(accepted, &mut self.described);
            if self.described.len() >= GIVEN_BACK {
                self.shared.queue.give_back(&mut self.described);
            }
        }
        self.shared.queue.give_back(&mut self.described);
        self.nap = (since * LOOK / took.clamp(1, 1 << 16) as u32).clamp(*NAPS.start(), *NAPS.end());
        if took > 0 {
            self.last_traffic = Instant::now();
        }
        self.fit.took(took);
        took
    }

    fn record(&mut self, capture: &Capture, kept: Kept) {
        let mark = self.block.piece_count();
        let described = catch_panic::catch(|| self.describer.record(capture, kept, &mut self.block));
        if !matches!(described, Ok(Ok(()))) {
            self.block.truncate_pieces(mark);
            self.describer.end_block();
            self.shared.counts.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.pending += 1;
        if self.block.is_full() {
            self.write_block();
            self.next_block();
        }
    }

    /// Puts the block as it is now into the batch.
    fn write_block(&mut self) {
        let (not_kept, overflowed) = (self.shared.queue.not_kept(), self.shared.queue.inbox.overflowed());
        self.block.index.not_kept += not_kept - self.not_kept;
        self.block.index.overflowed += overflowed - self.overflowed;
        (self.not_kept, self.overflowed) = (not_kept, overflowed);
        let key = self.meta.next;
        let records = self.block.build_records(key);
        self.batch.put(Table::BlockIndexes, key, records.index);
        self.batch.put(Table::Summaries, key, records.summaries);
        self.batch.put(Table::Blocks, key, records.body);
        self.retention.wrote(key, &self.block.index);
    }

    fn next_block(&mut self) {
        self.meta.next += 1;
        self.block.clear();
        self.describer.end_block();
        self.committed = 0;
    }

    fn commit(&mut self) {
        let fresh = self.block.len() - self.committed;
        if fresh > 0 {
            self.write_block();
        }
        self.cut();
        self.put_meta();
        if self.try_commit() && fresh > 0 {
            self.committed = self.block.len();
            if fresh >= MERGED && !self.block.is_empty() {
                self.next_block();
            }
        }
    }

    /// Lets the oldest blocks go with the next commit; whether there were any.
    fn cut(&mut self) -> bool {
        let Some(keys) = self.retention.cut() else { return false };
        for table in [Table::BlockIndexes, Table::Summaries, Table::Blocks] {
            self.batch.remove(table, keys.clone());
        }
        true
    }

    fn put_meta(&mut self) {
        let totals = StoreMeta {
            first: self.retention.first().unwrap_or(self.meta.next),
            next: self.meta.next + u64::from(!self.block.is_empty()),
            traces: self.retention.traces(),
            recorded: self.meta.recorded + self.pending,
            not_kept: self.meta.not_kept.wrapping_add(self.shared.queue.not_kept()),
            overflowed: self.meta.overflowed.wrapping_add(self.shared.queue.inbox.overflowed()),
        };
        let (table, key, record) = totals.to_record();
        self.batch.put(table, key, record);
    }

    /// Commits the batch as it is; if that fails, recording is paused and the batch stays.
    fn try_commit(&mut self) -> bool {
        match self.commit_in_place() {
            Ok(()) => {
                let counts = &self.shared.counts;
                counts.recorded.fetch_add(self.pending, Ordering::Relaxed);
                counts.commits.fetch_add(1, Ordering::Relaxed);
                let (bytes, on_disk) = self.store.as_ref().map_or((0, 0), WriteStore::file_size);
                counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
                self.fit.is(bytes);
                self.meta.recorded += self.pending;
                self.pending = 0;
                self.batch = WriteBatch::default();
                self.last_commit = Some(Instant::now());
                if self.retry_at.take().is_some() {
                    self.teller.resumed();
                }
                if !self.shared.is_closing() {
                    self.fit();
                }
                true
            }
            Err(error) => {
                self.store = None;
                self.retry_at = Some(Instant::now() + RETRY);
                self.teller.paused(error.to_string());
                false
            }
        }
    }

    /// Tries again what failed.
    fn resume(&mut self) {
        if self.try_commit() {
            self.committed = self.block.len();
        }
    }

    /// Whether the store could be closed.
    fn close(&mut self) -> bool {
        let store = self.store.take().map_or_else(|| WriteStore::open(&self.dir), Ok);
        store.and_then(WriteStore::close).is_ok()
    }

    fn declare(&mut self) {
        if let Some(flows) = self.shared.take_declared() {
            let (table, key, record) = store_meta::catalog_record(&self.build, &flows);
            self.batch.put(table, key, record);
            self.declared = Some(flows);
        }
    }

    fn rest(&mut self) {
        if let Some(retry_at) = self.retry_at {
            return std::thread::park_timeout(retry_at.saturating_duration_since(Instant::now()));
        }
        if self.receiver.len() >= BACKLOG {
            return;
        }
        let unwritten = self.pending > 0 || !self.batch.is_empty();
        if unwritten || self.last_traffic.elapsed() < QUIET || self.cut() {
            let until = match self.last_commit {
                Some(last) if unwritten => INTERVAL.saturating_sub(last.elapsed()),
                _ => self.nap,
            };
            return std::thread::park_timeout(until.min(self.nap));
        }
        self.shared.queue.clear();
        self.shared.queue.inbox.sleep(&self.receiver, self.fit.rest(HOUSEKEEPING));
    }

    /// Commits the rest. What fails once may work the next time, and there is no later.
    fn finish(&mut self) {
        for tries in 0..=LAST_TRIES {
            if tries > 0 {
                std::thread::sleep(RETRY / 4);
                self.turn(true, 0);
            }
            if self.retry_at.is_none() {
                self.put_meta();
                self.try_commit();
            }
            if self.retry_at.is_none() && self.close() {
                break;
            }
        }
        let unwritten = if self.retry_at.is_some() { self.pending } else { 0 };
        let lost = unwritten + self.receiver.len() as u64;
        self.shared.counts.lost.fetch_add(lost, Ordering::Relaxed);
        self.shared.queue.clear();
        self.shared.flushed(u64::MAX);
    }
}

/// Where to go on, by what is in the store. What is damaged there is for the doctor, and does not keep anybody from
/// recording.
fn resume(store: &WriteStore, retention: &mut Retention) -> Result<StoreMeta, StoreError> {
    let snapshot = store.snapshot()?;
    let mut meta = StoreMeta::read(&snapshot)?.and_then(Result::ok).unwrap_or_default();
    for (key, index) in store_meta::all_block_indexes(&snapshot)? {
        retention.found(key, &index.unwrap_or_default());
        meta.next = meta.next.max(key.saturating_add(1));
    }
    Ok(meta)
}

#[cfg(test)]
mod tests;
