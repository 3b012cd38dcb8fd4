//! The content of a pack: bodies, tails, and a directory of the segments to which they belong. It becomes visible at once,
//! when the object is there.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zerver_recorder::{BlockIndex, FormatError, NodeId};

use crate::bucket::format::container::{self, ContainerError};
use crate::bucket::format::segment::{self, BlockRecords, Run};
use crate::bucket::format::segment_name::{Bounds, MAX_BLOCKS, PackName};

/// The directory at the end of a pack.
#[derive(Debug, Serialize, Deserialize)]
struct Directory {
    hour: String,
    segments: Vec<PackedSegment>,
}

/// A segment in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PackedSegment {
    node: u64,
    /// Keys of the first and the last block.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bounds: Bounds,
    /// Place of the bodies in the pack, in bytes.
    pub(crate) bodies_at: u64,
    /// Place of the tail in the pack, and its length, in bytes.
    pub(crate) tail_at: u64,
    pub(crate) tail: u64,
}

impl PackedSegment {
    pub(crate) const fn node(&self) -> NodeId {
        NodeId(self.node)
    }
}

/// Collects the segments of a pack.
#[derive(Debug)]
pub(crate) struct PackBuilder {
    hour: String,
    bodies: Vec<u8>,
    tails: Vec<u8>,
    segments: Vec<PackedSegment>,
}

impl PackBuilder {
    pub(crate) const fn new(hour: String) -> Self {
        Self { hour, bodies: Vec::new(), tails: Vec::new(), segments: Vec::new() }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Returns the size so far, in bytes.
    pub(crate) const fn size(&self) -> usize {
        self.bodies.len() + self.tails.len()
    }

    /// Adds blocks of a node, in the order of their keys, as one segment.
    ///
    /// # Errors
    /// If an index is damaged. Nothing is added then.
    pub(crate) fn add(
        &mut self,
        node: NodeId,
        blocks: &[BlockRecords],
        runs: Vec<Run>,
    ) -> Result<(), FormatError> {
        let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else { return Ok(()) };
        let bounds = blocks.iter().map(bounds_of).collect::<Result<Vec<_>, _>>()?;
        let Some(bounds) = bounds.into_iter().reduce(Bounds::and) else { return Ok(()) };
        let (bodies_at, tail_at) = (self.bodies.len() as u64, self.tails.len() as u64);
        let tail = segment::append(&mut self.bodies, &mut self.tails, node, blocks, runs);
        let (node, first, last) = (node.0, first.seq, last.seq);
        self.segments.push(PackedSegment { node, first, last, bounds, bodies_at, tail_at, tail });
        Ok(())
    }

    /// Returns the name and the content. `None` if nothing was added.
    pub(crate) fn finish(mut self) -> Option<(PackName, Vec<u8>)> {
        let bounds = self.segments.iter().map(|segment| segment.bounds).reduce(Bounds::and)?;
        let bodies = self.bodies.len() as u64;
        self.segments.iter_mut().for_each(|segment| segment.tail_at += bodies);
        let span = self.segments.iter().map(|segment| segment.last - segment.first + 1).sum();
        let mut content = self.bodies;
        content.append(&mut self.tails);
        let at = content.len();
        let directory = Directory { hour: self.hour, segments: self.segments };
        container::append(&mut content, &directory);
        let hash = blake3::hash(&content[at..]);
        let hash = hash.as_bytes().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        let directory_length = (content.len() - at) as u64;
        let name = PackName { hour: directory.hour, bounds, span, directory: directory_length, hash };
        Some((name, content))
    }
}

/// Reads the directory of a pack. `size` is that of the whole pack.
pub(crate) fn read_directory(
    name: &PackName,
    bytes: &Bytes,
    size: u64,
) -> Result<Vec<PackedSegment>, ContainerError> {
    let (directory, _): (Directory, usize) = container::read(bytes)?;
    let end = size.checked_sub(name.directory).ok_or(ContainerError::End)?;
    let fits = |segment: &PackedSegment| {
        segment.first <= segment.last
            && segment.last - segment.first < MAX_BLOCKS
            && segment.bodies_at <= segment.tail_at
            && segment.tail_at.checked_add(segment.tail).is_some_and(|at| at <= end)
    };
    // The name of another pack, or of another hour.
    if directory.hour != name.hour || !directory.segments.iter().all(fits) {
        return Err(ContainerError::Description);
    }
    let spans = directory.segments.iter().map(|segment| segment.last - segment.first + 1);
    if spans.fold(0, u64::saturating_add) != name.span {
        return Err(ContainerError::Description);
    }
    Ok(directory.segments)
}

fn bounds_of(block: &BlockRecords) -> Result<Bounds, FormatError> {
    Ok(Bounds::of_index(&BlockIndex::read(block.seq, &block.index)?))
}
