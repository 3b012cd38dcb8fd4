//! Reads a store.

use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use zerver_trace::{
    CatalogFlow, Cursor, FlowInfo, Query, Recorded, RequestId, SealedBy, SourceError, Summary, Trace,
    TraceSource, TraceView,
};

use crate::backend::store_dir::FileMark;
use crate::backend::store_identity::BuildRecord;
use crate::backend::store_meta::{self, FlowCatalog, StoreOrigin};
use crate::format::FormatError;
use crate::read::blocks::{Blocks, Wanted};
use crate::read::folder::folder_blocks::FolderBlocks;
use crate::read::newest_first::visit_merged;
use crate::read::read_error::ReadError;
use crate::read::store_counts::StoreCounts;
use crate::read::store_view::StoreView;
use crate::secrets::data_key::DataKey;
use crate::secrets::seal_error::SealError;

/// Reads a store, which another process may be writing to, or those of a fleet.
pub struct Reader {
    blocks: Box<dyn Blocks>,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("place", &self.place()).finish_non_exhaustive()
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
        Ok(Self::of(Box::new(FolderBlocks::open(dir)?)))
    }

    /// Opens a store that was not closed properly, without changing it. For stores that [`crate::reopen`] cannot fix
    /// because the disk is full or read-only. Later commits are not visible.
    ///
    /// # Errors
    /// If there is no store, or it cannot be read.
    pub fn open_unrepaired(dir: &Path) -> Result<Self, ReadError> {
        Ok(Self::of(Box::new(FolderBlocks::open_unrepaired(dir)?)))
    }

    /// Reads the blocks of another source.
    pub fn of(blocks: Box<dyn Blocks>) -> Self {
        Self { blocks }
    }

    /// Returns true if the open file is still the one in the folder, and was not removed or replaced.
    pub fn is_in_place(&self) -> bool {
        self.blocks.is_in_place()
    }

    /// Returns the mark of the file in the folder, which tells cheaply whether a store has changed.
    pub fn mark(&self) -> Option<FileMark> {
        self.blocks.mark()
    }

    /// Returns the folder of the store. `None` for a fleet.
    pub fn dir(&self) -> Option<&Path> {
        self.blocks.dir()
    }

    /// Returns the name of the store for messages: its folder, or the URL of a fleet without its password.
    pub fn place(&self) -> String {
        self.blocks.place()
    }

    pub(crate) fn view(&self) -> Result<StoreView, ReadError> {
        Ok(StoreView { blocks: self.blocks.view()? })
    }

    /// Returns the flows of the build that wrote to the store last.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn flows(&self) -> Result<Vec<FlowInfo>, ReadError> {
        self.flow_catalog().map(|catalog| catalog.flows)
    }

    /// Returns the flows and the id of the build that wrote to the store last. In a fleet, flows that only other builds
    /// have follow.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn flow_catalog(&self) -> Result<FlowCatalog, ReadError> {
        let read = |record: &[u8]| store_meta::decode_catalog(record);
        let mut catalogs = self.build_records(BuildRecord::Catalog, "flow catalog", read)?.into_iter();
        let mut newest = catalogs.next().unwrap_or_default();
        for flow in catalogs.flat_map(|older| older.flows) {
            if !newest.flows.iter().any(|known| known.name == flow.name) {
                newest.flows.push(flow);
            }
        }
        Ok(newest)
    }

    /// Returns the flows of the build that wrote to the store last, with what their definitions say.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn catalog(&self) -> Result<Vec<CatalogFlow>, ReadError> {
        let flows = self.flows()?;
        let read = |record: &[u8]| store_meta::decode_declarations(record);
        let mut declarations =
            self.build_records(BuildRecord::Declarations, "declarations of flows", read)?.concat();
        let flow = |flow: FlowInfo| {
            let at = declarations.iter().position(|(name, _)| *name == flow.name);
            let declaration = at.map(|at| declarations.remove(at).1);
            CatalogFlow::new(flow, declaration)
        };
        Ok(flows.into_iter().map(flow).collect())
    }

    /// Returns the package and the program that wrote to the store last.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn origin(&self) -> Result<StoreOrigin, ReadError> {
        let origins = self.build_records(BuildRecord::Origin, "origin", StoreOrigin::decode)?;
        Ok(origins.into_iter().next().unwrap_or_default())
    }

    /// Returns a record of each build, that of the newest first.
    fn build_records<T>(
        &self,
        kind: BuildRecord,
        what: &str,
        read: impl Fn(&[u8]) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, ReadError> {
        let blocks = self.blocks.view()?;
        let records = blocks.build_records(kind)?;
        records.iter().map(|record| read(record).map_err(|error| blocks.damaged(what, &error))).collect()
    }

    /// Returns the counters of the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn counts(&self) -> Result<StoreCounts, ReadError> {
        self.blocks.view()?.counts()
    }

    /// Returns the number of requests that were dropped since the oldest request in the store.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn dropped_since_oldest(&self) -> Result<u64, ReadError> {
        self.blocks.view()?.dropped()
    }

    /// Opens a sealed value of a trace. Any other value is returned unchanged.
    ///
    /// # Errors
    /// If the key is missing, or the value was sealed under another one.
    pub fn unseal(&self, trace: &Trace, value: &Recorded) -> Result<Recorded, SealError> {
        if value.is_secret() { self.data_key(trace)?.unseal(value) } else { Ok(value.clone()) }
    }

    /// Returns the key under which the secrets of a trace are sealed.
    pub(super) fn data_key(&self, trace: &Trace) -> Result<DataKey, SealError> {
        self.blocks.data_key(trace.sealed_by)
    }

    /// Returns the reason why secrets that are sealed under a key cannot be read here. `None` if they can.
    pub fn unreadable_secrets(&self, sealed_by: SealedBy) -> Option<SealError> {
        self.blocks.data_key(sealed_by).err()
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
        if view.blocks.is_merged() {
            visit_merged(&Rc::new(view), query, &mut |request| {
                found.push(request.summary().clone());
                ControlFlow::Continue(())
            })?;
            return Ok(found);
        }
        view.for_each_wanted(
            &Wanted::Matching(query),
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

    fn visit_ids_matching(
        &self,
        ids: &[RequestId],
        query: &Query,
        f: &mut dyn FnMut(&dyn TraceView) -> ControlFlow<()>,
    ) -> Result<(), SourceError> {
        Ok(Self::visit_ids_matching(self, ids, query, |request| f(request))?)
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
