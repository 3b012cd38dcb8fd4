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

use self::size_limit::SizeLimit;
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
use crate::intake::capture_queue::QueuedCapture;
use crate::write::observed_clock::ClockDifference;
use crate::write::recorder_state::RecorderState;
use crate::write::retention::Retention;
use crate::write::status_event::StatusEvent;
use crate::write::status_reporter::StatusReporter;

/// A commit has at most about so many traces,
const MAX_COMMIT_TRACES: usize = 4096;
/// and while traffic flows, commits are this far apart, so that each has many.
const COMMIT_INTERVAL: Duration = Duration::from_millis(40);
/// While traffic flows, the writer looks away for as long as about so many captures come in: of more, what it describes
/// and gives back to be used again has left the cache; for fewer, waking up costs more than that.
const CAPTURES_PER_NAP: u32 = 64;
const NAP_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(10);
/// With so many in the queue, it does not look away.
const BACKLOG: usize = 256;
/// With no traffic for so long, it sleeps until it is woken,
const QUIET_AFTER: Duration = Duration::from_millis(50);
/// or until it looks for what has become too old.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(30);
/// How long after a failure the store is opened again.
const RETRY_DELAY: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(1) };
/// A commit that fails at the end is tried so often again, with a part of that pause before each try.
const FINAL_RETRIES: u32 = 4;
/// So many captures are given back together.
const RETURN_BATCH: usize = 64;
/// A block which a commit left with fewer traces is filled up by the next commits, and written again with each.
const MIN_NEW_TRACES: usize = 32;

pub(crate) struct Writer {
    dir: PathBuf,
    lock: WriterLock,
    store: Option<WriteStore>,
    /// The file that has what was committed so far; none once it was found gone.
    identity: Option<FileIdentity>,
    state: Arc<RecorderState>,
    reporter: StatusReporter,
    receiver: Receiver<QueuedCapture>,
    /// Those that have been described.
    described: Vec<QueuedCapture>,
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
    dropped: u64,
    batch: WriteBatch,
    /// Traces since the last commit.
    pending: u64,
    last_commit: Option<Instant>,
    /// When it last looked into the queue, and for how long it looks away.
    last_take: Instant,
    nap: Duration,
    last_traffic: Instant,
    retry_at: Option<Instant>,
    size_limit: SizeLimit,
}

impl Writer {
    #[expect(clippy::too_many_arguments, reason = "called once")]
    pub(crate) fn new(
        dir: PathBuf,
        lock: WriterLock,
        store: WriteStore,
        state: Arc<RecorderState>,
        receiver: Receiver<QueuedCapture>,
        describer: Describer,
        mut retention: Retention,
        build: String,
    ) -> Result<Self, StoreError> {
        let meta = load_meta(&store, &mut retention)?;
        let reporter = StatusReporter::new(Arc::clone(&state));
        if let Some(ClockDifference { by, is_ahead }) = retention.begin() {
            reporter.report(&StatusEvent::ClockDiffers { by, is_ahead });
        }
        let (bytes, on_disk) = store.file_size();
        state.counts.bytes_on_disk.store(on_disk, Ordering::Relaxed);
        Ok(Self {
            dir,
            lock,
            identity: Some(store.identity()),
            store: Some(store),
            reporter,
            state,
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
            dropped: 0,
            batch: WriteBatch::default(),
            pending: 0,
            last_commit: None,
            last_take: Instant::now(),
            nap: *NAP_RANGE.end(),
            last_traffic: Instant::now(),
            retry_at: None,
            size_limit: SizeLimit::new(bytes),
        })
    }

    pub(crate) fn run(mut self) {
        self.state.queue.inbox.attach();
        loop {
            // Read before the queue is, so that all that came before them is written before they are answered.
            let (closing, flush) = (self.state.is_closing(), self.state.flush_wanted());
            self.run_once(closing, flush);
            if closing {
                break self.finish();
            }
            self.sleep();
        }
    }

    /// Takes what there is, and commits if it is time to.
    fn run_once(&mut self, closing: bool, flush: u64) {
        self.write_flow_catalog();
        if self.retry_at.is_some_and(|at| closing || Instant::now() >= at) {
            self.retry_commit();
        }
        let must = closing || self.state.is_flush_due(flush);
        let mut waiting = self.receiver.len();
        loop {
            let took = if self.retry_at.is_none() { self.take_captures(waiting) } else { 0 };
            waiting = waiting.saturating_sub(took);
            let all = waiting == 0 || (took == 0 && !self.is_full());
            if self.is_due(all && must) {
                self.commit();
            }
            if all || !must || self.retry_at.is_some() {
                break;
            }
        }
        self.reporter.report_drops();
        if !closing {
            self.enforce_size_limit();
        }
        if must && !closing {
            self.state.flushed(flush);
        }
    }

    fn is_due(&self, must: bool) -> bool {
        if self.retry_at.is_some() {
            return false;
        }
        let waited = self.last_commit.is_none_or(|last| last.elapsed() >= COMMIT_INTERVAL);
        let anything = self.pending > 0 || !self.batch.is_empty();
        anything && (must || waited || self.is_full())
    }

    /// Whether there is enough for a commit.
    fn is_full(&self) -> bool {
        self.pending >= MAX_COMMIT_TRACES as u64 || self.batch.bytes() >= self.retention.max_commit_bytes()
    }

    /// Describes what is in the queue, up to a commit's worth.
    fn take_captures(&mut self, limit: usize) -> usize {
        let since = self.last_take.elapsed();
        self.last_take += since;
        let mut took = 0;
        while took < limit && !self.is_full() {
            let Ok(accepted) = self.receiver.try_recv() else { break };
            took += 1;
            self.record(&accepted.capture, accepted.kept);
            self.state.queue.recycle(accepted, &mut self.described);
            if self.described.len() >= RETURN_BATCH {
                self.state.queue.return_to_workers(&mut self.described);
            }
        }
        self.state.queue.return_to_workers(&mut self.described);
        self.nap = (since * CAPTURES_PER_NAP / took.clamp(1, 1 << 16) as u32)
            .clamp(*NAP_RANGE.start(), *NAP_RANGE.end());
        if took > 0 {
            self.last_traffic = Instant::now();
        }
        self.size_limit.count_captures(took);
        took
    }

    fn record(&mut self, capture: &Capture, kept: Kept) {
        let mark = self.block.piece_count();
        let described = catch_panic::catch(|| self.describer.record(capture, kept, &mut self.block));
        if !matches!(described, Ok(Ok(()))) {
            self.block.truncate_pieces(mark);
            self.describer.end_block();
            self.state.counts.lost.fetch_add(1, Ordering::Relaxed);
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
        let (not_kept, dropped) = (self.state.queue.not_kept(), self.state.queue.inbox.dropped());
        self.block.index.not_kept += not_kept - self.not_kept;
        self.block.index.dropped += dropped - self.dropped;
        (self.not_kept, self.dropped) = (not_kept, dropped);
        let key = self.meta.next;
        let records = self.block.build_records(key);
        self.batch.put(Table::BlockIndexes, key, records.index);
        self.batch.put(Table::Summaries, key, records.summaries);
        self.batch.put(Table::Blocks, key, records.body);
        self.retention.add_written(key, &self.block.index);
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
        self.remove_expired();
        self.put_meta();
        if self.try_commit() && fresh > 0 {
            self.committed = self.block.len();
            if fresh >= MIN_NEW_TRACES && !self.block.is_empty() {
                self.next_block();
            }
        }
    }

    /// Lets the oldest blocks go with the next commit; whether there were any.
    fn remove_expired(&mut self) -> bool {
        let Some(keys) = self.retention.take_expired() else { return false };
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
            not_kept: self.meta.not_kept.wrapping_add(self.state.queue.not_kept()),
            dropped: self.meta.dropped.wrapping_add(self.state.queue.inbox.dropped()),
        };
        let (table, key, record) = totals.to_record();
        self.batch.put(table, key, record);
    }

    /// Commits the batch as it is; if that fails, recording is paused and the batch stays.
    fn try_commit(&mut self) -> bool {
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

    /// Tries again what failed.
    fn retry_commit(&mut self) {
        if self.try_commit() {
            self.committed = self.block.len();
        }
    }

    /// Whether the store could be closed.
    fn close_store(&mut self) -> bool {
        let store = self.store.take().map_or_else(|| WriteStore::open(&self.dir), Ok);
        store.and_then(WriteStore::close).is_ok()
    }

    fn write_flow_catalog(&mut self) {
        if let Some(flows) = self.state.take_declared() {
            let (table, key, record) = store_meta::catalog_record(&self.build, &flows);
            self.batch.put(table, key, record);
            self.declared = Some(flows);
        }
    }

    fn sleep(&mut self) {
        if let Some(retry_at) = self.retry_at {
            return std::thread::park_timeout(retry_at.saturating_duration_since(Instant::now()));
        }
        if self.receiver.len() >= BACKLOG {
            return;
        }
        let unwritten = self.pending > 0 || !self.batch.is_empty();
        if unwritten || self.last_traffic.elapsed() < QUIET_AFTER || self.remove_expired() {
            let until = match self.last_commit {
                Some(last) if unwritten => COMMIT_INTERVAL.saturating_sub(last.elapsed()),
                _ => self.nap,
            };
            return std::thread::park_timeout(until.min(self.nap));
        }
        self.state.queue.free_returned();
        self.state.queue.inbox.sleep(&self.receiver, self.size_limit.max_sleep(HOUSEKEEPING_INTERVAL));
    }

    /// Commits the rest. What fails once may work the next time, and there is no later.
    fn finish(&mut self) {
        for tries in 0..=FINAL_RETRIES {
            if tries > 0 {
                std::thread::sleep(RETRY_DELAY / 4);
                self.run_once(true, 0);
            }
            if self.retry_at.is_none() {
                self.put_meta();
                self.try_commit();
            }
            if self.retry_at.is_none() && self.close_store() {
                break;
            }
        }
        let unwritten = if self.retry_at.is_some() { self.pending } else { 0 };
        let lost = unwritten + self.receiver.len() as u64;
        self.state.counts.lost.fetch_add(lost, Ordering::Relaxed);
        self.state.queue.free_returned();
        self.state.flushed(u64::MAX);
    }
}

/// Where to go on, by what is in the store. What is damaged there is for the doctor, and does not keep anybody from
/// recording.
fn load_meta(store: &WriteStore, retention: &mut Retention) -> Result<StoreMeta, StoreError> {
    let snapshot = store.snapshot()?;
    let mut meta = StoreMeta::read(&snapshot)?.and_then(Result::ok).unwrap_or_default();
    for (key, index) in store_meta::all_block_indexes(&snapshot)? {
        retention.add_found(key, &index.unwrap_or_default());
        meta.next = meta.next.max(key.saturating_add(1));
    }
    Ok(meta)
}

#[cfg(test)]
mod tests;
