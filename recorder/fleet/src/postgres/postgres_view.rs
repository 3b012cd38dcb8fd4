//! The blocks of a fleet up to one position. Blocks arrive under a lock, so everything before it is there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt::Display;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use zerver_recorder::{
    BlockIndex, BlockPart, BlocksView, BuildRecord, NodeId, Order, ReadError, StoreCounts, Wanted,
};

use crate::block_visits::{self, Found};
use crate::postgres::block_columns::number;
use crate::postgres::block_select::{BlockSelect, by_position};
use crate::postgres::postgres_blocks::SharedConnection;

/// Number of blocks in the first answer, and the maximum; each is four times as long as the one before.
const FIRST_PAGE: usize = 16;
const MAX_PAGE: usize = 1024;
/// Number of blocks whose records are remembered.
const REMEMBERED: usize = 4096;
/// Number of builds that are described.
const MAX_BUILDS: i64 = 64;

/// The blocks of a fleet at one moment.
pub(crate) struct PostgresView {
    shared: Arc<SharedConnection>,
    range: Range<u64>,
    counts: StoreCounts,
    pub(crate) archived: Option<Archived>,
    /// Blocks that were selected, so that their summaries need no further round trip.
    known: RefCell<HashMap<u64, KnownBlock>>,
}

/// The archive of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Archived {
    /// URL of the bucket.
    pub(crate) url: String,
    /// The first day that is not there, counted from 1970.
    pub(crate) before: i32,
}

/// A block that was selected.
struct KnownBlock {
    node: NodeId,
    day: i32,
    seq: u64,
    max_ns: i64,
    head: Vec<u8>,
    summaries: Vec<u8>,
}

impl PostgresView {
    pub(super) fn new(
        shared: Arc<SharedConnection>,
        range: Range<u64>,
        counts: StoreCounts,
        archived: Option<Archived>,
    ) -> Self {
        Self { shared, range, counts, archived, known: RefCell::default() }
    }

    pub(crate) fn place(&self) -> String {
        self.shared.url.to_string()
    }

    /// Returns the first day that is not in the archive now, counted from 1970.
    pub(crate) fn archived_before_now(&self) -> Result<i32, ReadError> {
        if self.archived.is_none() {
            return Ok(0);
        }
        let rows = self.shared.query("select archived_before from {ns}.fleet", &[])?;
        Ok(rows.first().map_or(0, |row| row.get(0)))
    }

    /// Remembers the selected blocks, and returns their positions.
    fn remember(&self, rows: &[Row]) -> Vec<u64> {
        let mut known = self.known.borrow_mut();
        if known.len() > REMEMBERED {
            known.clear();
        }
        let position = |row: &Row| {
            let at = row.get::<_, i64>(0).cast_unsigned();
            let block = KnownBlock {
                day: row.get(1),
                node: NodeId(row.get::<_, i64>(2).cast_unsigned()),
                seq: row.get::<_, i64>(3).cast_unsigned(),
                max_ns: row.get(4),
                head: row.get(5),
                summaries: row.get(6),
            };
            known.insert(at, block);
            at
        };
        rows.iter().map(position).collect()
    }

    /// Calls `f` with the position of each selected block, and its index or what is wrong with it, until it breaks.
    fn select(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        f: &mut dyn FnMut(u64, Result<BlockIndex, ReadError>) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let select = BlockSelect::new(wanted, order, self.range.end);
        let (mut after, mut page) = (None, FIRST_PAGE);
        loop {
            let rows = self.shared.query(&select.statement(after, page), &select.parameters())?;
            let positions = self.remember(&rows);
            let decode = |at: &u64| {
                let known = self.known.borrow();
                let block = known.get(at)?;
                after = Some((block.max_ns, number(*at)));
                Some((*at, BlockIndex::read(block.seq, &block.head)))
            };
            let indexes: Vec<_> = positions.iter().filter_map(decode).collect();
            for (at, index) in indexes {
                let index = index.map_err(|error| self.damaged(&self.block_name(at), &error));
                if f(at, index).is_break() {
                    return Ok(());
                }
            }
            if rows.len() < page {
                return Ok(());
            }
            page = (page * 4).min(MAX_PAGE);
        }
    }

    /// Selects a block by its position, unless it is known.
    fn find(&self, at: u64) -> Result<bool, ReadError> {
        if self.known.borrow().contains_key(&at) {
            return Ok(true);
        }
        let (from, until) = (number(at), number(at.saturating_add(1)));
        let rows = self
            .shared
            .query(&by_position(Order::OldestFirst, 1), &[(&from, Type::INT8), (&until, Type::INT8)])?;
        Ok(!self.remember(&rows).is_empty())
    }

    fn page(&self, range: &Range<u64>, order: Order, limit: usize) -> Result<Vec<u64>, ReadError> {
        let (from, until) = (number(range.start), number(range.end));
        let rows =
            self.shared.query(&by_position(order, limit), &[(&from, Type::INT8), (&until, Type::INT8)])?;
        Ok(self.remember(&rows))
    }
}

impl BlocksView for PostgresView {
    fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    fn counts(&self) -> Result<StoreCounts, ReadError> {
        Ok(self.counts)
    }

    fn dropped(&self) -> Result<u64, ReadError> {
        let rows = self
            .shared
            .query("select coalesce(sum(dropped), 0)::bigint from {ns}.block where dropped > 0", &[])?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    fn walk(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let find = |found: &mut Found<'_>| self.select(wanted, order, found);
        block_visits::each(find, may_contain, f)
    }

    fn walk_readable(
        &self,
        wanted: &Wanted<'_>,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError> {
        let find = |found: &mut Found<'_>| self.select(wanted, Order::NewestFirst, found);
        block_visits::each_readable(find, may_contain, f)
    }

    fn positions(
        &self,
        range: Range<u64>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<u64, ReadError>> + '_> {
        let (mut left, mut size) = (range, FIRST_PAGE);
        let mut page = Vec::new().into_iter();
        Box::new(std::iter::from_fn(move || {
            if let Some(at) = page.next() {
                return Some(Ok(at));
            }
            if left.is_empty() {
                return None;
            }
            let positions = match self.page(&left, order, size) {
                Ok(positions) => positions,
                Err(error) => {
                    left = 0..0;
                    return Some(Err(error));
                }
            };
            match (positions.last(), order) {
                (Some(last), Order::OldestFirst) if positions.len() == size => left.start = last + 1,
                (Some(last), Order::NewestFirst) if positions.len() == size => left.end = *last,
                _ => left = 0..0,
            }
            size = (size * 4).min(MAX_PAGE);
            page = positions.into_iter();
            page.next().map(Ok)
        }))
    }

    fn read(&self, part: BlockPart, at: u64, f: &mut dyn FnMut(u64, &[u8])) -> Result<(), ReadError> {
        if !self.find(at)? {
            return Ok(());
        }
        let known = self.known.borrow();
        let Some(block) = known.get(&at) else { return Ok(()) };
        match part {
            BlockPart::Index => f(block.seq, &block.head),
            BlockPart::Summaries => f(block.seq, &block.summaries),
            BlockPart::Body => {
                let (day, seq, node) = (block.day, number(block.seq), block.node.0.cast_signed());
                drop(known);
                let rows = self.shared.query(
                    "select body from {ns}.block where day = $1 and node = $2 and seq = $3",
                    &[(&day, Type::INT4), (&node, Type::INT8), (&seq, Type::INT8)],
                )?;
                if let Some(row) = rows.first() {
                    f(seq.cast_unsigned(), row.get(0));
                }
            }
        }
        Ok(())
    }

    fn build_records(&self, kind: BuildRecord) -> Result<Vec<Vec<u8>>, ReadError> {
        let column = match kind {
            BuildRecord::Catalog => "catalog",
            BuildRecord::Declarations => "declarations",
            BuildRecord::Origin => "origin",
        };
        let rows = self.shared.query(
            &format!(
                "select {column} from {{ns}}.catalog where {column} is not null order by seen desc, build limit $1"
            ),
            &[(&MAX_BUILDS, Type::INT8)],
        )?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    fn is_merged(&self) -> bool {
        true
    }

    fn node(&self, at: u64) -> Option<NodeId> {
        self.find(at).ok().filter(|is_there| *is_there)?;
        self.known.borrow().get(&at).map(|block| block.node)
    }

    fn damaged(&self, what: &str, error: &dyn Display) -> ReadError {
        ReadError::Altered {
            place: self.shared.url.to_string(),
            block: what.to_owned(),
            reason: error.to_string(),
        }
    }

    fn block_name(&self, at: u64) -> String {
        match self.known.borrow().get(&at) {
            Some(block) => format!("block {} of node {}", block.seq, block.node),
            None => format!("block {at}"),
        }
    }
}
