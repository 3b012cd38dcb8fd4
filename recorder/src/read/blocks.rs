//! The seam between what a reader knows and where its blocks lie: in the folder of a store, or in a fleet.
//!
//! A source hands out the records of blocks as they were written. Each is checked by its own envelope, so that a source
//! can lose a block, and cannot change one unnoticed.

use std::fmt::Display;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use zerver_trace::{Query, RequestId, SealedBy};

use crate::backend::store_dir::FileMark;
use crate::backend::store_identity::{BuildRecord, NodeId};
use crate::block::block_index::BlockIndex;
use crate::read::read_error::ReadError;
use crate::read::store_counts::StoreCounts;
use crate::secrets::data_key::DataKey;
use crate::secrets::seal_error::SealError;

/// A source of blocks, which another process may be adding to.
pub trait Blocks: Send + Sync {
    /// Returns the name of the source for messages, without a password.
    fn place(&self) -> String;

    /// Returns the folder of the store, if it is one.
    fn dir(&self) -> Option<&Path>;

    /// Returns the blocks as they are now.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn view(&self) -> Result<Box<dyn BlocksView>, ReadError>;

    /// Returns the key under which the secrets of a trace are sealed.
    ///
    /// # Errors
    /// If the key is missing, or not here, or cannot be opened.
    fn data_key(&self, sealed_by: SealedBy) -> Result<DataKey, SealError>;

    /// Returns true if the open source is still the one under its name.
    fn is_in_place(&self) -> bool;

    /// Returns a mark that differs after a change, if there is a cheap one.
    fn mark(&self) -> Option<FileMark>;
}

/// The blocks of a source at one moment. A position names a block, and blocks that are added later have greater ones.
///
/// A source may hand out blocks that are not wanted, but must not omit one that is.
pub trait BlocksView {
    /// Returns the positions that blocks may have: from that of the oldest to that after the newest.
    fn range(&self) -> Range<u64>;

    /// Returns the counters of the source.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn counts(&self) -> Result<StoreCounts, ReadError>;

    /// Returns the number of requests that were dropped since the oldest block.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn dropped(&self) -> Result<u64, ReadError>;

    /// Calls `f` with the position and the index of each wanted block until it breaks. Skips what `may_contain` rules
    /// out, which may be called with the index of several blocks at once. A missing or damaged block is an error.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn walk(
        &self,
        wanted: &Wanted<'_>,
        order: Order,
        may_contain: &mut dyn FnMut(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex) -> ControlFlow<()>,
    ) -> Result<(), ReadError>;

    /// Like [`BlocksView::walk`], newest first, but skips blocks that cannot be read.
    ///
    /// # Errors
    /// If nothing in the source can be read.
    fn walk_readable(
        &self,
        wanted: &Wanted<'_>,
        may_contain: &dyn Fn(&BlockIndex) -> bool,
        f: &mut dyn FnMut(u64, BlockIndex),
    ) -> Result<(), ReadError>;

    /// Iterates over the positions of blocks within a range, in this order.
    fn positions(
        &self,
        range: Range<u64>,
        order: Order,
    ) -> Box<dyn Iterator<Item = Result<u64, ReadError>> + '_>;

    /// Calls `f` with a record of a block and the key under which it was written. Does not call it if there is none.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn read(&self, part: BlockPart, at: u64, f: &mut dyn FnMut(u64, &[u8])) -> Result<(), ReadError>;

    /// Returns a record of each build that wrote to the source, that of the newest first.
    ///
    /// # Errors
    /// If the source cannot be read.
    fn build_records(&self, kind: BuildRecord) -> Result<Vec<Vec<u8>>, ReadError>;

    /// Returns true if several nodes wrote the blocks, so that their requests have to be merged by time. Blocks are then
    /// walked in the order of their latest request.
    fn is_merged(&self) -> bool;

    /// Returns the node that wrote a block of several.
    fn node(&self, at: u64) -> Option<NodeId>;

    /// Returns the error for something that was read and is not what was written.
    fn damaged(&self, what: &str, error: &dyn Display) -> ReadError;

    /// Returns the name of a block for messages.
    fn block_name(&self, at: u64) -> String {
        format!("block {at}")
    }
}

/// The order in which blocks are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest block comes first.
    NewestFirst,
    /// The oldest block comes first.
    OldestFirst,
}

/// Description of the blocks that are wanted, for sources with an index of their own.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'w> {
    /// Every block, even if nothing is known about it.
    Every,
    /// Blocks in which a request may match a query.
    Matching(&'w Query),
    /// Blocks in which an id may lie between two.
    Ids(RequestId, RequestId),
    /// Blocks that may contain one of these ids.
    AnyOf(&'w [RequestId]),
    /// Blocks that may contain one of these ids, and those with the nearest ids before and after each.
    Around(&'w [RequestId]),
    /// The blocks with the slowest request of a flow, or of all flows, that succeeded.
    Slowest(Option<&'w str>),
    /// The blocks with the fastest request of a flow, or of all flows, that succeeded.
    Fastest(Option<&'w str>),
}

/// A part of a block, in a record of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockPart {
    /// Counts and bounds.
    Index,
    /// Summaries of the traces.
    Summaries,
    /// The traces.
    Body,
}
