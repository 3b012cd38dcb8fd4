//! The content of a segment: the bodies of its blocks, and a tail with their summaries and indexes.
//!
//! A reader that lists or searches needs only the tail. Records are those of the store, byte for byte, and have checksums of
//! their own.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zerver_recorder::{ClosedBlock, NodeId};

use crate::bucket::format::container::{self, ContainerError};
use crate::bucket::format::segment_name::{Bounds, SegmentName};

/// Description at the end of a tail.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    node: u64,
    blocks: Vec<BlockLengths>,
    runs: Vec<Run>,
}

/// Key of a block, and the lengths of its records in bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct BlockLengths(u64, u32, u32, u32);

/// Blocks that were shipped at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    /// Keys of the first and the last block.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Key after that of the block that the node had shipped before. A greater one than that of the run before means that an
    /// object is missing.
    pub(crate) after: u64,
}

/// The records of a block.
#[derive(Debug, Clone)]
pub(crate) struct BlockRecords {
    pub(crate) seq: u64,
    pub(crate) body: Bytes,
    pub(crate) summaries: Bytes,
    pub(crate) index: Bytes,
}

impl From<&ClosedBlock> for BlockRecords {
    fn from(block: &ClosedBlock) -> Self {
        Self {
            seq: block.seq,
            body: Bytes::copy_from_slice(&block.body),
            summaries: Bytes::copy_from_slice(&block.summaries),
            index: Bytes::copy_from_slice(&block.index_record),
        }
    }
}

/// Appends the bodies of blocks to one buffer, and their tail to another. Returns the length of the tail.
pub(crate) fn append(
    bodies: &mut Vec<u8>,
    tails: &mut Vec<u8>,
    node: NodeId,
    blocks: &[BlockRecords],
    runs: Vec<Run>,
) -> u64 {
    let length = |record: &Bytes| u32::try_from(record.len()).unwrap_or(u32::MAX);
    let mut description = Description { node: node.0, blocks: Vec::with_capacity(blocks.len()), runs };
    let mut tail = Vec::new();
    for block in blocks {
        bodies.extend_from_slice(&block.body);
        tail.extend_from_slice(&block.summaries);
        tail.extend_from_slice(&block.index);
        let BlockRecords { seq, body, summaries, index } = block;
        description.blocks.push(BlockLengths(*seq, length(body), length(summaries), length(index)));
    }
    container::append(&mut tail, &description);
    tails.extend_from_slice(&tail);
    tail.len() as u64
}

/// Returns the name and the content of a new segment. `after` is the key after that of the block that was shipped before.
/// Returns `None` if there are no blocks.
pub(crate) fn segment(node: NodeId, blocks: &[ClosedBlock], after: u64) -> Option<(SegmentName, Vec<u8>)> {
    let (first, last) = (blocks.first()?, blocks.last()?);
    let bounds = blocks.iter().map(Bounds::of).reduce(Bounds::and)?;
    let records: Vec<BlockRecords> = blocks.iter().map(BlockRecords::from).collect();
    let run = Run { first: first.seq, last: last.seq, after };
    let (mut content, mut end) = (Vec::new(), Vec::new());
    let tail = append(&mut content, &mut end, node, &records, vec![run]);
    content.append(&mut end);
    let time_ms = Bounds::of(first).max_ms;
    Some((SegmentName { time_ms, node, first: first.seq, last: last.seq, bounds, tail }, content))
}

/// The tail of a segment.
#[derive(Debug)]
pub(crate) struct Tail {
    bytes: Bytes,
    blocks: Vec<PlacedBlock>,
    pub(crate) runs: Vec<Run>,
}

/// A block in a segment.
#[derive(Debug, Clone)]
pub(crate) struct PlacedBlock {
    pub(crate) seq: u64,
    /// Place of the body in the bodies of the segment.
    pub(crate) body: Range<u64>,
    summaries: Range<usize>,
    index: Range<usize>,
}

impl Tail {
    /// Reads the tail of the segment that this node is to have written.
    pub(crate) fn read(bytes: Bytes, node: NodeId) -> Result<Self, ContainerError> {
        let (description, end): (Description, usize) = container::read(&bytes)?;
        if description.node != node.0 {
            return Err(ContainerError::Description);
        }
        let (mut blocks, mut body, mut at): (Vec<PlacedBlock>, u64, usize) = (Vec::new(), 0, 0);
        for BlockLengths(seq, body_length, summaries, index) in description.blocks {
            if blocks.last().is_some_and(|last| last.seq >= seq) {
                return Err(ContainerError::Description);
            }
            let summaries = at..at + summaries as usize;
            let index = summaries.end..summaries.end + index as usize;
            at = index.end;
            let body_end = body + u64::from(body_length);
            blocks.push(PlacedBlock { seq, body: body..body_end, summaries, index });
            body = body_end;
        }
        if at == end {
            Ok(Self { bytes, blocks, runs: description.runs })
        } else {
            Err(ContainerError::Description)
        }
    }

    /// Returns the blocks in the order of their keys.
    pub(crate) fn blocks(&self) -> &[PlacedBlock] {
        &self.blocks
    }

    /// Returns the block with a key.
    pub(crate) fn block(&self, seq: u64) -> Option<&PlacedBlock> {
        self.blocks.binary_search_by_key(&seq, |block| block.seq).ok().map(|at| &self.blocks[at])
    }

    /// Returns the length of all bodies in bytes.
    pub(crate) fn bodies_length(&self) -> u64 {
        self.blocks.last().map_or(0, |last| last.body.end)
    }

    pub(crate) fn summaries(&self, block: &PlacedBlock) -> Bytes {
        self.bytes.slice(block.summaries.clone())
    }

    pub(crate) fn index(&self, block: &PlacedBlock) -> Bytes {
        self.bytes.slice(block.index.clone())
    }

    /// Returns the length of the tail in bytes.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// A segment that was read as a whole.
#[derive(Debug)]
pub(crate) struct WholeSegment {
    pub(crate) tail: Tail,
    bodies: Bytes,
}

impl WholeSegment {
    /// Reads the object that has this name.
    pub(crate) fn read(name: &SegmentName, content: &Bytes) -> Result<Self, ContainerError> {
        let tail = usize::try_from(name.tail).ok().and_then(|tail| content.len().checked_sub(tail));
        let at = tail.ok_or(ContainerError::End)?;
        let tail = Tail::read(content.slice(at..), name.node)?;
        let ends = (tail.blocks.first().map(|block| block.seq), tail.blocks.last().map(|block| block.seq));
        if ends != (Some(name.first), Some(name.last)) || tail.bodies_length() != at as u64 {
            return Err(ContainerError::Description);
        }
        Ok(Self { tail, bodies: content.slice(..at) })
    }

    /// Returns the records of its blocks.
    pub(crate) fn records(&self) -> Vec<BlockRecords> {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.bodies.len());
        let records = |block: &PlacedBlock| BlockRecords {
            seq: block.seq,
            body: self.bodies.slice(place(block.body.start)..place(block.body.end)),
            summaries: self.tail.summaries(block),
            index: self.tail.index(block),
        };
        self.tail.blocks.iter().map(records).collect()
    }
}
