//! Ways past the checksums for the fuzz targets in `fuzz/`: no bytes made at random get past those.

use zerver_trace::Trace;

use crate::block::block_builder::{self, Body, Open};
use crate::block::{block_index, summaries};
use crate::format::portable;
use crate::format::{self, Kind};

/// A portable file with this body.
pub fn portable(body: &[u8]) -> Vec<u8> {
    format::seal_record(Kind::Portable, 0, body)
}

/// The body of a portable file.
pub fn body(file: &[u8]) -> Option<Vec<u8>> {
    format::open_record(Kind::Portable, 0, file).ok().map(std::borrow::Cow::into_owned)
}

/// The body of a block with the trace of a portable file in it.
pub fn block(file: &[u8]) -> Option<Vec<u8>> {
    let trace = portable::read(file).ok()?;
    let mut open = Open::default();
    open.push_trace(&trace).ok()?;
    format::open_record(Kind::Block, 0, &open.records(0).body).ok().map(std::borrow::Cow::into_owned)
}

/// Records of a store with this body: a block, its head, its summaries.
pub fn records(body: &[u8]) -> [Vec<u8>; 3] {
    [Kind::Block, Kind::Head, Kind::Summaries].map(|kind| format::seal_record(kind, 0, body))
}

/// Reads the block, and its first trace that can be read.
pub fn first_trace(records: &[Vec<u8>; 3]) -> Option<Trace> {
    let body = Body::read(0, &records[0]).ok()?;
    (0..body.len().min(block_builder::FULL)).find_map(|position| body.trace(position).ok())
}

/// Reads the others.
pub fn read_rest(records: &[Vec<u8>; 3]) {
    drop(block_index::read(0, &records[1]));
    drop(summaries::read(0, &records[2]));
}
