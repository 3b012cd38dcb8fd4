//! The reading side: works while another process writes, and after one was killed. Whatever is in the file, the answer
//! is what was recorded, or an error.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use thiserror::Error;
use zerver_trace::{Cursor, FlowInfo, Query, Recorded, RequestId, SourceError, Summary, Trace, TraceSource};

use crate::block::Body;
use crate::extent::{self, Catalog, Extent};
use crate::format::FormatError;
use crate::head::{self, Head};
use crate::place::Lock;
use crate::seal::{Key, SealError};
use crate::store::{ReadStore, Snapshot, StoreError, Table};
use crate::summaries;

/// How long a store that another process is just opening is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a store cannot be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is not there.
    #[error("there is no store at {}; record one with `zerver dev`, or name another with --store", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is not a store, or not one that this build reads.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why it cannot be read.
        source: FormatError,
    },
    /// Its writer was killed, and nobody has opened it for writing since. [`crate::repair`] does.
    #[error("{} was not closed properly; run `zerver doctor --repair`, or start the service again", path.display())]
    NeedsRepair {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged.
    #[error("{} is damaged: {why}; save what can be read of it with `zerver doctor --repair`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In what way.
        why: String,
    },
    /// The disk, or the rights to it.
    #[error("{}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        why: String,
    },
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing { path } => Self::Missing { path },
            StoreError::Format { path, source } => Self::Unreadable { path, source },
            StoreError::NeedsRepair { path } => Self::NeedsRepair { path },
            StoreError::Damaged { path, why } => Self::Damaged { path, why },
            StoreError::Io { path, why } => Self::Io { path, why },
        }
    }
}

/// What a store does not hold, since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traces that were recorded, those removed since included.
    pub recorded: u64,
    /// Requests which the policy did not keep.
    pub not_kept: u64,
    /// Requests that were dropped because too many waited to be written.
    pub overflowed: u64,
}

/// Reads a store.
pub struct Reader {
    dir: PathBuf,
    store: ReadStore,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Reader {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// When there is none, or none that can be read. After a writer was killed that is [`ReadError::NeedsRepair`], until
    /// the next writer has opened it or [`crate::repair`] was called, which takes milliseconds and loses nothing.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match ReadStore::open(dir) {
                Ok(store) => return Ok(Self { dir: dir.to_owned(), store }),
                // The writer is just opening it.
                Err(
                    StoreError::NeedsRepair { .. }
                    | StoreError::Format { source: FormatError::Truncated { .. }, .. },
                ) if Lock::holder(dir).is_some() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens a store that was not closed properly without putting it right, as [`crate::reopen`] does: where that cannot
    /// be done, because its disk is full or read-only. It shows what is there now and nothing that is written later.
    ///
    /// # Errors
    /// When there is none, or none that can be read.
    pub fn open_as_it_is(dir: &Path) -> Result<Self, ReadError> {
        Ok(Self { dir: dir.to_owned(), store: ReadStore::open_overlaid(dir)? })
    }

    /// Whether it reads the file that is in the store's place now, and not one that was removed or replaced since.
    pub fn is_in_place(&self) -> bool {
        self.store.is_in_place()
    }

    /// The folder of the store.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn view(&self) -> Result<View, ReadError> {
        let snapshot = self.store.snapshot()?;
        let extent = match Extent::read(&snapshot)? {
            None => Extent::default(),
            Some(Ok(extent)) => extent,
            Some(Err(error)) => return Err(damaged(&snapshot, "the extent", &error)),
        };
        Ok(View { snapshot, extent })
    }

    /// The flows of the build that wrote to the store last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn catalog(&self) -> Result<Vec<FlowInfo>, ReadError> {
        self.declared().map(|catalog| catalog.flows)
    }

    /// The same, with the id of that build.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn declared(&self) -> Result<Catalog, ReadError> {
        let snapshot = self.store.snapshot()?;
        match extent::read_catalog(&snapshot)? {
            None => Ok(Catalog::default()),
            Some(Ok(catalog)) => Ok(catalog),
            Some(Err(error)) => Err(damaged(&snapshot, "the catalog of flows", &error)),
        }
    }

    /// What was recorded, and what was not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&self) -> Result<Counts, ReadError> {
        let Extent { recorded, not_kept, overflowed, .. } = self.view()?.extent;
        Ok(Counts { recorded, not_kept, overflowed })
    }

    /// Requests that were dropped, because too many waited to be written, since the oldest request that is there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn overflowed(&self) -> Result<u64, ReadError> {
        let mut overflowed = 0u64;
        self.view()?.heads(false, |_, head| {
            overflowed = overflowed.saturating_add(head.overflowed);
            ControlFlow::Continue(())
        })?;
        Ok(overflowed)
    }

    /// The value behind a secret, by the key beside the store. Anything else comes back as it is.
    ///
    /// # Errors
    /// When the key is not there, or the value was sealed under another.
    pub fn unseal(&self, value: &Recorded) -> Result<Recorded, SealError> {
        if value.is_secret() { Key::load(&self.dir)?.unseal(value) } else { Ok(value.clone()) }
    }

    /// The traces that a query wants, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self, query: &Query) -> Result<Vec<Summary>, ReadError> {
        let view = self.view()?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let (mut found, mut failed) = (Vec::new(), None);
        if limit == 0 {
            return Ok(found);
        }
        view.heads(true, |key, head| {
            if !head.may_match(query) {
                return ControlFlow::Continue(());
            }
            match view.summaries(key, head.count) {
                Ok(block) => {
                    let wanted = block.into_iter().rev().filter(|summary| query.matches(summary));
                    found.extend(wanted.take(limit - found.len()));
                    if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        failed.map_or(Ok(found), Err)
    }

    /// The trace with this id.
    ///
    /// # Errors
    /// When the store cannot be read, or the trace is damaged.
    pub fn load(&self, id: RequestId) -> Result<Option<Trace>, ReadError> {
        self.view()?.load(id)
    }
}

impl TraceSource for Reader {
    fn list(&self, query: &Query) -> Result<Vec<Summary>, SourceError> {
        Ok(Self::list(self, query)?)
    }

    fn load(&self, id: RequestId) -> Result<Option<Trace>, SourceError> {
        Ok(Self::load(self, id)?)
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(Self::newest(self)?)
    }

    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        Ok(Self::before(self, cursor, limit)?)
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        Ok(self.since_at_most(cursor, limit)?)
    }
}

pub(crate) fn damaged(snapshot: &Snapshot, what: &str, error: &dyn std::fmt::Display) -> ReadError {
    ReadError::Damaged { path: snapshot.path().to_owned(), why: format!("{what}: {error}") }
}

/// The store as it was at one moment.
pub(crate) struct View {
    pub(crate) snapshot: Snapshot,
    pub(crate) extent: Extent,
}

impl View {
    pub(crate) fn last(&self) -> Option<u64> {
        (self.extent.first < self.extent.next).then(|| self.extent.next - 1)
    }

    /// The record of a block, or what happened to it.
    fn record<T>(
        &self,
        table: Table,
        key: u64,
        read: impl FnOnce(&[u8]) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        let what = || format!("block {key}");
        let record = self.snapshot.get(table, key)?;
        let record = record.ok_or_else(|| damaged(&self.snapshot, &what(), &"it is missing"))?;
        read(&record).map_err(|error| damaged(&self.snapshot, &what(), &error))
    }

    pub(crate) fn head(&self, key: u64) -> Result<Head, ReadError> {
        self.record(Table::Heads, key, |record| head::read(key, record))
    }

    /// The summaries of a block, as many as its head says.
    pub(crate) fn summaries(&self, key: u64, count: u32) -> Result<Vec<Summary>, ReadError> {
        self.record(Table::Summaries, key, |record| {
            let summaries = summaries::read(key, record)?;
            if summaries.len() == count as usize { Ok(summaries) } else { Err(FormatError::Misplaced) }
        })
    }

    pub(crate) fn body<T>(
        &self,
        key: u64,
        f: impl FnOnce(&Body<'_>) -> Result<T, FormatError>,
    ) -> Result<T, ReadError> {
        self.record(Table::Blocks, key, |record| f(&Body::read(key, record)?))
    }

    /// Hands every head to `f` until it has enough; none may be missing.
    pub(crate) fn heads(
        &self,
        newest_first: bool,
        mut f: impl FnMut(u64, Head) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let Some(last) = self.last() else { return Ok(()) };
        let (first, mut failed, mut traces) = (self.extent.first, None, 0);
        let mut wanted = if newest_first { Some(last) } else { Some(first) };
        self.snapshot.scan(Table::Heads, first..=last, newest_first, |key, record| {
            let head = match wanted {
                Some(wanted) if wanted == key => head::read(key, record).map_err(|error| error.to_string()),
                _ => Err(format!("block {} is missing", wanted.unwrap_or(key))),
            };
            wanted = if newest_first {
                key.checked_sub(1).filter(|&key| key >= first)
            } else {
                Some(key + 1).filter(|&key| key <= last)
            };
            match head {
                Ok(head) => {
                    traces += u64::from(head.count);
                    let flow = f(key, head);
                    if flow.is_break() {
                        (wanted, traces) = (None, self.extent.traces);
                    }
                    flow
                }
                Err(why) => {
                    failed = Some(format!("the head of block {key}: {why}"));
                    wanted = None;
                    ControlFlow::Break(())
                }
            }
        })?;
        match (failed, wanted) {
            (None, None) if traces == self.extent.traces => Ok(()),
            (None, None) => Err(damaged(
                &self.snapshot,
                "the list of blocks",
                &format!("{traces} traces are in it, and {} were written", self.extent.traces),
            )),
            (Some(why), _) => Err(damaged(&self.snapshot, "a block", &why)),
            (None, Some(key)) => Err(damaged(&self.snapshot, &format!("block {key}"), &"it is missing")),
        }
    }

    /// The trace with this id, whatever else is damaged; that it is not there is said only where all could be read.
    pub(crate) fn load(&self, id: RequestId) -> Result<Option<Trace>, ReadError> {
        let Some(last) = self.last() else { return Ok(None) };
        let (mut candidates, mut damage) = (Vec::new(), None);
        let scanned = self.snapshot.scan(Table::Heads, self.extent.first..=last, true, |key, record| {
            if let Ok(head) = head::read(key, record)
                && head.min_id <= id
                && id <= head.max_id
            {
                candidates.push((key, head.count));
            }
            ControlFlow::Continue(())
        });
        for (key, count) in candidates {
            match self.summaries(key, count) {
                Ok(summaries) => {
                    if let Some(position) = summaries.iter().position(|summary| summary.id == id) {
                        return self.load_at(key, position, id).map(Some);
                    }
                }
                Err(error) => damage = Some(error),
            }
        }
        scanned?;
        self.heads(true, |_, _| ControlFlow::Continue(()))?;
        damage.map_or(Ok(None), Err)
    }

    /// The trace at a position of a block, which must have this id.
    pub(crate) fn load_at(&self, key: u64, position: usize, id: RequestId) -> Result<Trace, ReadError> {
        self.body(key, |body| {
            let trace = body.trace(position)?;
            if trace.id == id { Ok(trace) } else { Err(FormatError::Misplaced) }
        })
    }
}
