//! Access past the checksums for the fuzz targets in `fuzz/`, since random bytes never have a valid one.

use zerver_trace::Trace;

use crate::block::block_body::BlockBody;
use crate::block::block_builder::{self, BlockBuilder, BlockRecords};
use crate::block::block_index::BlockIndex;
use crate::block::summaries;
use crate::format::record;
use crate::format::record::RecordKind;
use crate::maintenance::portable;
use crate::spool::ClosedBlock;

/// Returns a portable file with this body.
pub fn portable(body: &[u8]) -> Vec<u8> {
    record::write(RecordKind::Portable, 0, body)
}

/// Returns the body of a portable file.
pub fn body(file: &[u8]) -> Option<Vec<u8>> {
    record::read(RecordKind::Portable, 0, file).ok().map(std::borrow::Cow::into_owned)
}

/// Returns the body of a block that holds the trace of a portable file.
pub fn block(file: &[u8]) -> Option<Vec<u8>> {
    let trace = portable::read(file).ok()?;
    let mut builder = BlockBuilder::default();
    builder.push_trace(&trace).ok()?;
    record::read(RecordKind::Block, 0, &builder.build_records(0).body).ok().map(std::borrow::Cow::into_owned)
}

/// Returns a closed block that holds the trace of a portable file.
pub fn closed_block(file: &[u8], seq: u64) -> Option<ClosedBlock> {
    let trace = portable::read(file).ok()?;
    let mut builder = BlockBuilder::default();
    builder.push_trace(&trace).ok()?;
    let BlockRecords { index: index_record, summaries, body } = builder.build_records(seq);
    Some(ClosedBlock {
        seq,
        index: BlockIndex::read(seq, &index_record).ok()?,
        index_record,
        summaries,
        body,
    })
}

/// Returns three records of a store with the same body: a block, its index and its summaries.
pub fn records(body: &[u8]) -> [Vec<u8>; 3] {
    [RecordKind::Block, RecordKind::BlockIndex, RecordKind::Summaries]
        .map(|kind| record::write(kind, 0, body))
}

/// Reads the block, and returns its first readable trace.
pub fn first_trace(records: &[Vec<u8>; 3]) -> Option<Trace> {
    let body = BlockBody::read(0, &records[0]).ok()?;
    (0..body.len().min(block_builder::MAX_TRACES)).find_map(|position| body.trace(position).ok())
}

/// Reads the index and the summaries.
pub fn read_rest(records: &[Vec<u8>; 3]) {
    drop(BlockIndex::read(0, &records[1]));
    drop(summaries::read(0, &records[2]));
}
