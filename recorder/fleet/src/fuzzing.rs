//! Access past the checksums of the objects in a bucket for the fuzz targets in `fuzz/`, since random bytes never have a
//! valid one.
//!
//! An input is the key of an object, a line feed, and its content without the checksum.

use bytes::Bytes;
use zerver_recorder::{BuildRecord, BuildRecords, ClosedBlock, NodeId};

use crate::bucket::format::container::{with_checksum, without_checksum};
use crate::bucket::format::pack::{PackBuilder, read_directory};
use crate::bucket::format::records::{NodeReport, Settings, parse_node_key, read_build, write_build};
use crate::bucket::format::segment::{BlockRecords, Run, Tail, WholeSegment, segment};
use crate::bucket::format::segment_name::{Bounds, PackName, SegmentName, hour_of};

/// Returns the inputs for a segment, a pack and a description of a build.
pub fn objects(blocks: &[ClosedBlock]) -> Vec<Vec<u8>> {
    let node = NodeId(7);
    let input = |key: String, content: Vec<u8>| {
        let mut input = key.into_bytes();
        input.push(b'\n');
        input.extend(without_checksum(content));
        input
    };
    let mut inputs = Vec::new();
    inputs.extend(segment(node, blocks, 0).map(|(name, content)| input(name.key(), content)));
    if let Some(first) = blocks.first() {
        let mut pack = PackBuilder::new(hour_of(Bounds::of(first).max_ms));
        for block in blocks {
            let run = Run { first: block.seq, last: block.seq, after: block.seq };
            let _ = pack.add(node, &[BlockRecords::from(block)], vec![run]);
        }
        inputs.extend(pack.finish().map(|(name, content)| input(name.key(), content)));
    }
    let record = || Some(b"a record".to_vec());
    let build =
        BuildRecords { build: "b1".to_owned(), catalog: record(), declarations: None, origin: record() };
    let (key, content) = write_build(&build);
    inputs.push(input(key, content.to_vec()));
    inputs
}

/// Reads an object as its key demands, and as each kind of small object.
pub fn object(input: &[u8]) {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (key, content) = (String::from_utf8_lossy(&input[..at]), input.get(at + 1..).unwrap_or_default());
    let content = Bytes::from(with_checksum(content));
    if let Some(name) = SegmentName::parse(&key)
        && let Ok(segment) = WholeSegment::read(&name, &content)
    {
        let length: usize = segment.records().iter().map(|block| block.body.len()).sum();
        assert_eq!(length as u64, segment.tail.bodies_length(), "{key}");
    }
    if let Some(name) = PackName::parse(&key)
        && let Ok(segments) = read_directory(&name, &content, content.len() as u64)
    {
        for segment in segments {
            let place = segment.tail_at as usize..(segment.tail_at + segment.tail) as usize;
            if let Ok(tail) = Tail::read(content.slice(place), segment.node()) {
                for block in tail.blocks() {
                    let _ = (tail.summaries(block), tail.index(block), tail.block(block.seq));
                }
            }
        }
    }
    for kind in [BuildRecord::Catalog, BuildRecord::Declarations, BuildRecord::Origin] {
        let _ = read_build(&content, kind);
    }
    let _ = (parse_node_key(&key), serde_json::from_slice::<Settings>(&content));
    let _ = serde_json::from_slice::<NodeReport>(&content).map(|report| report.wanted());
}
