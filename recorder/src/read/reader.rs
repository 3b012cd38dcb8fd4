//! Reads a store.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use zerver_trace::{
    CatalogFlow, Cursor, FlowInfo, Query, Recorded, RequestId, SourceError, Summary, Trace, TraceSource,
    TraceView,
};

use crate::backend::read_store::ReadStore;
use crate::backend::store_dir::FileMark;
use crate::backend::store_error::StoreError;
use crate::backend::store_meta::{self, FlowCatalog, StoreMeta, StoreOrigin};
use crate::backend::writer_lock::WriterLock;
use crate::block::block_index::BlockIndex;
use crate::format::FormatError;
use crate::read::read_error::ReadError;
use crate::read::store_view::{StoreView, damaged};
use crate::secrets::secret_key::{SealError, SecretKey};

/// Maximum time to wait for a store that a writer is just opening.
const PATIENCE: Duration = Duration::from_secs(1);

/// Counters of a store since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounts {
    /// Traces that were recorded, including those that were removed since.
    pub recorded: u64,
    /// Requests that the policy did not keep.
    pub not_kept: u64,
    /// Requests that were dropped because the queue was full.
    pub dropped: u64,
}

/// Reads a store, which another process may be writing to.
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
    /// If there is no store, or it cannot be read. After a writer was killed, the error is [`ReadError::NeedsRepair`]
    /// until another writer has opened the store, or [`crate::reopen`] was called. Reopening takes milliseconds and
    /// loses nothing.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match ReadStore::open(dir) {
                Ok(store) => return Ok(Self { dir: dir.to_owned(), store }),
                // The writer is just opening the store.
                Err(
                    StoreError::NeedsRepair { .. }
                    | StoreError::Format { source: FormatError::Truncated { .. }, .. },
                ) if WriterLock::holder(dir).is_some() && Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Opens a store that was not closed properly, without changing it. For stores that [`crate::reopen`] cannot fix
    /// because the disk is full or read-only. Later commits are not visible.
    ///
    /// # Errors
    /// If there is no store, or it cannot be read.
    pub fn open_unrepaired(dir: &Path) -> Result<Self, ReadError> {
        Ok(Self { dir: dir.to_owned(), store: ReadStore::open_copy_on_write(dir)? })
    }

    /// Returns true if the open file is still the one in the folder, and was not removed or replaced.
    pub fn is_in_place(&self) -> bool {
        self.store.is_in_place()
    }

    /// Returns the mark of the file in the folder, which tells cheaply whether a store has changed.
    pub fn mark(&self) -> Option<FileMark> {
        self.store.mark()
    }

    /// Returns the folder of the store.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn view(&self) -> Result<StoreView, ReadError> {
        let snapshot = self.store.snapshot()?;
        let meta = match StoreMeta::read(&snapshot)? {
            None => StoreMeta::default(),
            Some(Ok(meta)) => meta,
            Some(Err(error)) => return Err(damaged(&snapshot, "store metadata", &error)),
        };
        Ok(StoreView { snapshot, meta })
    }

    /// Returns the flows of the build that wrote to the store last.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn flows(&self) -> Result<Vec<FlowInfo>, ReadError> {
        self.flow_catalog().map(|catalog| catalog.flows)
    }

    /// Returns the flows and the id of the build that wrote to the store last.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn flow_catalog(&self) -> Result<FlowCatalog, ReadError> {
        let snapshot = self.store.snapshot()?;
        match store_meta::read_catalog(&snapshot)? {
            None => Ok(FlowCatalog::default()),
            Some(Ok(catalog)) => Ok(catalog),
            Some(Err(error)) => Err(damaged(&snapshot, "flow catalog", &error)),
        }
    }

    /// Returns the flows of the build that wrote to the store last, with what their definitions say.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn catalog(&self) -> Result<Vec<CatalogFlow>, ReadError> {
        let flows = self.flows()?;
        let snapshot = self.store.snapshot()?;
        let mut declarations = match store_meta::read_declarations(&snapshot)? {
            None => Vec::new(),
            Some(Ok(declarations)) => declarations,
            Some(Err(error)) => return Err(damaged(&snapshot, "declarations of flows", &error)),
        };
        let flow = |flow: FlowInfo| {
            let at = declarations.iter().position(|(name, _)| *name == flow.name);
            let declaration = at.map(|at| declarations.swap_remove(at).1);
            CatalogFlow::new(flow, declaration)
        };
        Ok(flows.into_iter().map(flow).collect())
    }

    /// Returns the package and the program that wrote to the store last.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn origin(&self) -> Result<StoreOrigin, ReadError> {
        let snapshot = self.store.snapshot()?;
        match StoreOrigin::read(&snapshot)? {
            None => Ok(StoreOrigin::default()),
            Some(Ok(origin)) => Ok(origin),
            Some(Err(error)) => Err(damaged(&snapshot, "origin", &error)),
        }
    }

    /// Returns the counters of the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn counts(&self) -> Result<StoreCounts, ReadError> {
        let StoreMeta { recorded, not_kept, dropped, .. } = self.view()?.meta;
        Ok(StoreCounts { recorded, not_kept, dropped })
    }

    /// Returns the number of requests that were dropped since the oldest request in the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn dropped_since_oldest(&self) -> Result<u64, ReadError> {
        let dropped = Cell::new(0u64);
        let add = |index: &BlockIndex| dropped.set(dropped.get().saturating_add(index.dropped));
        let add_group = |index: &BlockIndex| {
            add(index);
            false
        };
        self.view()?.for_each_index_in(false, add_group, |_, index| {
            add(&index);
            ControlFlow::Continue(())
        })?;
        Ok(dropped.get())
    }

    /// Opens a sealed value with the key of the store. Any other value is returned unchanged.
    ///
    /// # Errors
    /// If the key is missing, or the value was sealed under another one.
    pub fn unseal(&self, value: &Recorded) -> Result<Recorded, SealError> {
        if value.is_secret() { SecretKey::load(&self.dir)?.unseal(value) } else { Ok(value.clone()) }
    }

    /// Returns the summaries of the traces that match a query, newest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list(&self, query: &Query) -> Result<Vec<Summary>, ReadError> {
        let view = self.view()?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let (mut found, mut failed) = (Vec::new(), None);
        if limit == 0 {
            return Ok(found);
        }
        view.for_each_index_in(
            true,
            |index| index.may_match(query),
            |key, index| {
                if !index.may_match(query) {
                    return ControlFlow::Continue(());
                }
                match view.summaries(key, index.count) {
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
            },
        )?;
        failed.map_or(Ok(found), Err)
    }

    /// Returns the trace with this id.
    ///
    /// # Errors
    /// If the store cannot be read, or the trace is damaged.
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

    fn visit(
        &self,
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        Ok(Self::visit(self, query, |request| f(request))?)
    }

    fn visit_ids(
        &self,
        ids: &[RequestId],
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        Ok(Self::visit_ids(self, ids, |request| f(request))?)
    }

    fn end(&self) -> Result<Cursor, SourceError> {
        Ok(Self::end(self)?)
    }

    fn list_before(
        &self,
        cursor: Cursor,
        limit: usize,
    ) -> Result<(Vec<Summary>, Option<Cursor>), SourceError> {
        Ok(Self::list_before(self, cursor, limit)?)
    }

    fn list_since(&self, cursor: Cursor, limit: usize) -> Result<(Vec<Summary>, Cursor), SourceError> {
        Ok(self.list_since_at_most(cursor, limit)?)
    }
}
