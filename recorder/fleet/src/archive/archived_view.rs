//! The blocks of a database, and those of its archive before them. A day is in one of both: in the archive, if it lies before
//! the first day that was not moved. What arrives late, for a day that was moved, stays in the database.

use std::cell::OnceCell;
use std::fmt::Display;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use zerver_recorder::{
    BlockIndex, BlockPart, BlocksView, BuildRecord, NodeId, Order, ReadError, StoreCounts, Wanted,
};

use crate::archive::archived_blocks::OpenArchive;
use crate::bucket::format::segment_name::id_start;
use crate::bucket::read::bucket_view::BucketView;
use crate::postgres::postgres_view::PostgresView;

/// Position of the first block of the database. Those of the archive lie before.
const RECENT: u64 = 1 << 62;
const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;
const DAY_MS: u64 = DAY_NS / 1_000_000;

/// The blocks of a database and of its archive at one moment.
pub(super) struct ArchivedView {
    recent: PostgresView,
    archive: Arc<OpenArchive>,
    /// Start of the first day that is not in the archive, in nanoseconds since the Unix epoch. 0 without an archive.
    boundary_ns: u64,
    open: OnceCell<BucketView>,
}

impl ArchivedView {
    pub(super) fn new(recent: PostgresView, archive: Arc<OpenArchive>) -> Self {
        let days = recent.archived.as_ref().map_or(0, |archived| archived.before);
        let boundary_ns = u64::try_from(days).unwrap_or_default().saturating_mul(DAY_NS);
        Self { recent, archive, boundary_ns, open: OnceCell::new() }
    }

    /// Returns the archive. To be called only if there is one.
    fn archive(&self) -> Result<&BucketView, ReadError> {
        if let Some(open) = self.open.get() {
            return Ok(open);
        }
        let url = self.recent.archived.as_ref().map_or("", |archived| archived.url.as_str());
        let view = self.archive.open(url)?.view_now()?;
        Ok(self.open.get_or_init(|| view))
    }

    /// Returns false if nothing that is wanted can be in the archive.
    fn is_archive_wanted(&self, wanted: &Wanted<'_>) -> bool {
        // The time in an id is that of another clock, or none.
        let is_old = |id| id_start(id) < self.boundary_ns / 1_000_000 + DAY_MS;
        self.boundary_ns > 0
            && match *wanted {
                Wanted::Every | Wanted::Around(_) | Wanted::Slowest(_) | Wanted::Fastest(_) => true,
                Wanted::Matching(query) => query.since_unix_ns.is_none_or(|since| since < self.boundary_ns),
                Wanted::Ids(first, _) => is_old(first),
                Wanted::AnyOf(ids) => ids.iter().any(|id| is_old(*id)),
            }
    }

    /// Returns true if a block of the archive is not in the database any more.
    fn was_moved(&self, index: &BlockIndex) -> bool {
        index.bounds().max_started_unix_ns < self.boundary_ns
    }

    /// Walks the archive, and with it blocks of the database that belong between its blocks.
    fn walk_archive(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        late: Vec<(u64, BlockIndex)>,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ReadError> {
        let mut late = late.into_iter().peekable();
        let mut flow = ControlFlow::Continue(());
        let time = |index: &BlockIndex| index.bounds().max_started_unix_ns;
        if self.is_archive_wanted(wanted) {
            self.archive()?.walk(wanted, order, &mut |index| self.was_moved(index), &mut |at, index| {
                let is_before = |(_, other): &(u64, BlockIndex)| match order {
                    Order::NewestFirst => time(other) >= time(&index),
                    Order::OldestFirst => time(other) < time(&index),
                };
                while let Some((at, index)) = late.next_if(is_before) {
                    flow = f(at, index);
                    if flow.is_break() {
                        return flow;
                    }
                }
                flow = f(at, index);
                flow
            })?;
        }
        while let Some((at, index)) = late.next().filter(|_| flow.is_continue()) {
            flow = f(at, index);
        }
        Ok(flow)
    }

    /// Fails if days were moved since the view was made: they were missing from what was read of the database.
    fn check_boundary(&self) -> Result<(), ReadError> {
        if self.recent.archived_before_now()?
            == self.recent.archived.as_ref().map_or(0, |archived| archived.before)
        {
            return Ok(());
        }
        Err(ReadError::Fleet {
            place: self.recent.place(),
            reason: "days were moved to the archive while they were read".to_owned(),
            hint: Some("try again".to_owned()),
        })
    }
}

impl BlocksView for ArchivedView {
    fn range(&self) -> Range<u64> {
        let recent = self.recent.range();
        let start = if self.boundary_ns > 0 { 1 } else { RECENT + recent.start };
        start..RECENT + recent.end
    }

    fn counts(&self) -> Result<StoreCounts, ReadError> {
        self.recent.counts()
    }

    fn dropped(&self) -> Result<u64, ReadError> {
        // Every list asks for it, and needs no archive for that.
        self.recent.dropped()
    }

    fn walk(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        if self.boundary_ns == 0 {
            return self.recent.walk(wanted, order, may_contain, &mut |at, index| f(RECENT + at, index));
        }
        let (mut late, mut flow, mut failed) = (Vec::new(), ControlFlow::Continue(()), None);
        let mut is_archive_next = order == Order::OldestFirst;
        self.recent.walk(wanted, order, may_contain, &mut |at, index| {
            if self.was_moved(&index) {
                late.push((RECENT + at, index));
                return ControlFlow::Continue(());
            }
            if is_archive_next {
                is_archive_next = false;
                match self.walk_archive(wanted, order, std::mem::take(&mut late), f) {
                    Ok(archived) => flow = archived,
                    Err(error) => failed = Some(error),
                }
                if flow.is_break() || failed.is_some() {
                    return ControlFlow::Break(());
                }
            }
            flow = f(RECENT + at, index);
            flow
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if flow.is_continue() && (is_archive_next || order == Order::NewestFirst) {
            flow = self.walk_archive(wanted, order, late, f)?;
        }
        // A walk that was broken off has found all that it should.
        if flow.is_continue() { self.check_boundary() } else { Ok(()) }
    }

    fn walk_readable(
        &self,
        wanted: &Wanted<'_>,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError> {
        self.recent.walk_readable(wanted, may_contain, &mut |at, index| f(RECENT + at, index))?;
        if self.is_archive_wanted(wanted) {
            self.archive()?.walk_readable(wanted, &|index| self.was_moved(index) && may_contain(index), f)?;
        }
        self.check_boundary()
    }

    fn positions(
        &self,
        range: Range<u64>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<u64, ReadError>> + '_> {
        let of_recent = range.start.max(RECENT) - RECENT..range.end.max(RECENT) - RECENT;
        let recent = self.recent.positions(of_recent, order).map(|at| at.map(|at| RECENT + at));
        let of_archive = range.start..range.end.min(RECENT);
        if self.boundary_ns == 0 || of_archive.is_empty() {
            return Box::new(recent);
        }
        // The archive is opened when what comes before it was read.
        let archived = std::iter::once_with(move || match self.archive() {
            Ok(archive) => archive.positions(of_archive.clone(), order),
            Err(error) => Box::new(std::iter::once(Err(error))),
        });
        let archived =
            archived.flatten().filter(|at| at.as_ref().is_ok_and(|at| self.is_moved_at(*at)) || at.is_err());
        match order {
            Order::NewestFirst => Box::new(recent.chain(archived)),
            Order::OldestFirst => Box::new(archived.chain(recent)),
        }
    }

    fn read(&self, part: BlockPart, at: u64, f: &mut dyn FnMut(u64, &[u8])) -> Result<(), ReadError> {
        match at.checked_sub(RECENT) {
            Some(at) => self.recent.read(part, at, f),
            None if self.boundary_ns > 0 => self.archive()?.read(part, at, f),
            None => Ok(()),
        }
    }

    fn build_records(&self, kind: BuildRecord) -> Result<Vec<Vec<u8>>, ReadError> {
        self.recent.build_records(kind)
    }

    fn is_merged(&self) -> bool {
        true
    }

    fn node(&self, at: u64) -> Option<NodeId> {
        match at.checked_sub(RECENT) {
            Some(at) => self.recent.node(at),
            None => self.open.get()?.node(at),
        }
    }

    fn damaged(&self, what: &str, error: &dyn Display) -> ReadError {
        self.recent.damaged(what, error)
    }

    fn block_name(&self, at: u64) -> String {
        match at.checked_sub(RECENT) {
            Some(at) => self.recent.block_name(at),
            None => self.open.get().map_or_else(|| format!("block {at}"), |archive| archive.block_name(at)),
        }
    }
}

impl ArchivedView {
    /// Returns true if the block at a position of the archive is not in the database any more, or cannot be read.
    fn is_moved_at(&self, at: u64) -> bool {
        let mut is_moved = true;
        let read = |seq: u64, record: &[u8]| {
            is_moved = BlockIndex::read(seq, record).map_or(true, |index| self.was_moved(&index));
        };
        let mut read = read;
        // A block that cannot be read is named when it is read next.
        let _ = self.archive().and_then(|archive| archive.read(BlockPart::Index, at, &mut read));
        is_moved
    }
}
