//! The writer's thread: takes captures from the queue, describes them, fills blocks, and commits many traces at a time.
//!
//! After a disk error the pending commit is kept and retried. The queue fills up meanwhile, and requests never notice.
//! A failed commit may have reached the disk, so it is retried unchanged, under the same keys. After each commit the
//! writer checks that the file is still the one that readers find (`relocation`), and that it is within its limit
//! (`size_limit`).

mod commit;
mod relocation;
mod size_limit;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;
use zerver_trace::{Capture, Kept};

use self::size_limit::SizeLimit;
use crate::backend::store_dir::FileIdentity;
use crate::backend::store_error::StoreError;
use crate::backend::store_identity::NodeId;
use crate::backend::store_meta::{self, StoreMeta, StoreOrigin};
use crate::backend::table::Table;
use crate::backend::write_batch::WriteBatch;
use crate::backend::write_store::WriteStore;
use crate::backend::writer_lock::WriterLock;
use crate::block::block_builder::BlockBuilder;
use crate::block::block_group::GroupBuilder;
use crate::catch_panic;
use crate::describe::describer::Describer;
use crate::intake::capture_queue::QueuedCapture;
use crate::secrets::data_key_record::unused_numbers;
use crate::secrets::writer_keys::WriterKeys;
use crate::spool::SpoolEnd;
use crate::write::observed_clock::ClockDifference;
use crate::write::recorder_state::{Declared, RecorderState};
use crate::write::retention::Retention;
use crate::write::status_event::StatusEvent;
use crate::write::status_reporter::StatusReporter;

/// Approximate maximum number of traces in a commit.
const MAX_COMMIT_TRACES: usize = 4096;
/// Time between commits under load, so that each has many traces.
const COMMIT_INTERVAL: Duration = Duration::from_millis(40);
/// Number of captures that should arrive while the writer naps. With more, the memory that it reads and recycles has
/// left the cache; with fewer, waking up costs too much.
const CAPTURES_PER_NAP: u32 = 64;
/// Bounds of a nap.
const NAP_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_millis(10);
/// Length of the queue from which on the writer does not nap.
const BACKLOG: usize = 256;
/// Time without traffic after which the writer sleeps until it is woken.
const QUIET_AFTER: Duration = Duration::from_millis(50);
/// Interval at which a sleeping writer looks for expired traces.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(30);
/// Time from a failed commit to the next attempt.
const RETRY_DELAY: Duration = if cfg!(test) { Duration::from_millis(10) } else { Duration::from_secs(1) };
/// Number of further attempts if the last commit fails, a quarter of [`RETRY_DELAY`] apart.
const FINAL_RETRIES: u32 = 4;
/// Number of captures that are returned to the workers together.
const RETURN_BATCH: usize = 64;

/// The state of the writer's thread.
pub(crate) struct Writer {
    dir: PathBuf,
    lock: WriterLock,
    store: Option<WriteStore>,
    /// The file that holds the committed traces. `None` once it is known to be gone.
    identity: Option<FileIdentity>,
    state: Arc<RecorderState>,
    reporter: StatusReporter,
    receiver: Receiver<QueuedCapture>,
    /// Captures that were described and not yet returned to the workers.
    described: Vec<QueuedCapture>,
    describer: Describer,
    keys: WriterKeys,
    /// True if the data key is in the batch or in the store.
    has_put_key: bool,
    retention: Retention,
    build: String,
    origin: StoreOrigin,
    /// Flows of this build, for a store that has to be created again.
    declared: Declared,
    /// The block that is being filled, under the key `meta.next`.
    block: BlockBuilder,
    /// Number of its traces that were committed.
    committed: usize,
    /// The group of that block, with the blocks before it.
    group: GroupBuilder,
    meta: StoreMeta,
    /// Id of the store.
    node: NodeId,
    /// Counters as of the last written block.
    not_kept: u64,
    dropped: u64,
    batch: WriteBatch,
    /// Traces since the last commit.
    pending: u64,
    last_commit: Option<Instant>,
    /// Time of the last look at the queue.
    last_take: Instant,
    /// Length of the next nap.
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
        keys: WriterKeys,
        mut retention: Retention,
        build: String,
        origin: StoreOrigin,
    ) -> Result<Self, StoreError> {
        let Loaded { meta, node, group, missing } = load_meta(&store, &mut retention)?;
        state.set_spool_end(SpoolEnd { node: Some(node), closed: meta.next });
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
            keys,
            has_put_key: false,
            retention,
            build,
            origin,
            declared: Declared::default(),
            block: BlockBuilder::default(),
            committed: 0,
            group,
            meta,
            node,
            not_kept: 0,
            dropped: 0,
            batch: missing,
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
            // Read before the queue: whatever was queued before a flush was requested must be written before it is
            // answered.
            let (is_closing, flush) = (self.state.is_closing(), self.state.flush_wanted());
            self.run_once(is_closing, flush);
            if is_closing {
                break self.finish();
            }
            self.sleep();
        }
    }

    /// Takes the queued captures, and commits if a commit is due.
    fn run_once(&mut self, is_closing: bool, flush: u64) {
        self.write_flow_catalog();
        if self.retry_at.is_some_and(|at| is_closing || Instant::now() >= at) {
            self.retry_commit();
        }
        let is_forced = is_closing || self.state.is_flush_due(flush);
        let mut waiting = self.receiver.len();
        loop {
            let took = if self.retry_at.is_none() { self.take_captures(waiting) } else { 0 };
            waiting = waiting.saturating_sub(took);
            let is_drained = waiting == 0 || (took == 0 && !self.has_full_commit());
            if self.is_due(is_drained && is_forced) {
                self.commit();
            }
            if is_drained || !is_forced || self.retry_at.is_some() {
                break;
            }
        }
        self.reporter.report_drops();
        if !is_closing {
            self.enforce_size_limit();
        }
        if is_forced && !is_closing {
            self.close_block_if_wanted();
            self.state.flushed(flush);
        }
    }

    fn is_due(&self, is_forced: bool) -> bool {
        if self.retry_at.is_some() {
            return false;
        }
        let waited = self.last_commit.is_none_or(|last| last.elapsed() >= COMMIT_INTERVAL);
        let has_changes = self.pending > 0 || !self.batch.is_empty();
        has_changes && (is_forced || waited || self.has_full_commit())
    }

    /// Returns true if there is enough for a commit.
    fn has_full_commit(&self) -> bool {
        self.pending >= MAX_COMMIT_TRACES as u64 || self.batch.bytes() >= self.retention.max_commit_bytes()
    }

    /// Describes up to `limit` queued captures, but no more than fit in a commit. Returns their number.
    fn take_captures(&mut self, limit: usize) -> usize {
        let since = self.last_take.elapsed();
        self.last_take += since;
        let mut took = 0;
        while took < limit && !self.has_full_commit() {
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

    fn write_flow_catalog(&mut self) {
        if let Some(new) = self.state.take_declared() {
            self.declared.update(new);
            for (table, key, record) in self.build_records() {
                self.batch.put(table, key, record);
            }
        }
    }

    /// Returns the records that describe the build which writes to the store.
    fn build_records(&self) -> Vec<(Table, u64, Vec<u8>)> {
        let Declared { flows, declarations } = &self.declared;
        let flows = flows.as_ref().map(|flows| store_meta::catalog_record(&self.build, flows));
        let origin = flows.as_ref().map(|_| self.origin.to_record());
        let declarations =
            declarations.as_ref().map(|declarations| store_meta::declarations_record(declarations));
        [flows, origin, declarations].into_iter().flatten().collect()
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

    /// Commits the rest. A failure is retried, because there is no later opportunity.
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
                let closed = self.meta.next + u64::from(!self.block.is_empty());
                self.state.set_spool_end(SpoolEnd { node: Some(self.node), closed });
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

/// State of a store that was opened.
struct Loaded {
    meta: StoreMeta,
    /// The group of the next block.
    group: GroupBuilder,
    node: NodeId,
    /// Records that the store lacks, because it is new or an earlier version wrote it: its id, and indexes of complete
    /// groups. Removes the data keys that are not used any more.
    missing: WriteBatch,
}

/// Reads where to continue. Damage is left to `zerver doctor`, and does not prevent recording.
fn load_meta(store: &WriteStore, retention: &mut Retention) -> Result<Loaded, StoreError> {
    let snapshot = store.snapshot()?;
    let mut meta = StoreMeta::read(&snapshot)?.and_then(Result::ok).unwrap_or_default();
    let mut known_groups = BTreeSet::new();
    snapshot.scan(Table::BlockGroups, 0..=u64::MAX, false, |group, _| {
        known_groups.insert(group);
        ControlFlow::Continue(())
    })?;
    let (mut group, mut missing) = (GroupBuilder::default(), WriteBatch::default());
    if let Some(numbers) = unused_numbers(&snapshot, meta.first)? {
        missing.remove(Table::DataKeys, numbers);
    }
    let node = match store_meta::read_node(&snapshot)? {
        Some(node) => node,
        None => {
            let node = NodeId(getrandom::u64().map_err(|error| StoreError::Io {
                path: snapshot.path().to_owned(),
                source: std::io::Error::other(error.to_string()),
            })?);
            let (table, key, record) = store_meta::node_record(node);
            missing.put(table, key, record);
            node
        }
    };
    for (key, index) in store_meta::all_block_indexes(&snapshot)? {
        if let Some(index) = &index
            && let Some((number, record)) = group.add(key, index)
            && !known_groups.contains(&number)
        {
            missing.put(Table::BlockGroups, number, record);
        }
        retention.add_found(key, &index.unwrap_or_default());
        meta.next = meta.next.max(key.saturating_add(1));
    }
    Ok(Loaded { meta, node, group, missing })
}

#[cfg(test)]
mod tests;
