//! Fills one block with traces and encodes its three records.

use std::collections::HashMap;
use std::sync::Arc;

use bincode::Encode;
use zerver_trace::{Event, FlowInfo, Origin, Outcome, Trace};

use crate::block::block_body::MAX_TRACE_BYTES;
use crate::block::block_index::BlockIndex;
use crate::block::compact_id;
use crate::block::pieces::Pieces;
use crate::block::slot_index::SlotIndexer;
use crate::block::stored_trace::{PieceId, StoredTrace};
use crate::block::summaries::SummariesBuilder;
use crate::block::trace_shape::{ShapeDelta, TraceShape};
use crate::format::delta_varint;
use crate::format::record::RecordKind;
use crate::format::{codec, record};

/// Number of traces at which a block is full.
pub(crate) const MAX_TRACES: usize = 192;
/// Total size of traces and pieces at which a block is full, in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Number of traces from which on a block is full if another one could take its body past a power of two. redb allocates
/// such sizes.
const MIN_TRACES: usize = 64;
/// Maximum number of shapes to compare a new trace with.
const SHAPES_SEARCHED: usize = 24;

/// A block that is being filled.
///
/// Layout of the body: the traces and the opaque pieces, which are not compressed; the other pieces; the number of traces and
/// of pieces, the base time and the flows; the length of each trace and of each piece; the distance of each opaque piece
/// from the one before, if there are any; and, in the last four bytes, the offset at which the pieces end.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    pub(crate) index: BlockIndex,
    flows: Vec<Arc<FlowInfo>>,
    /// Time in the id of the first trace, in milliseconds since the Unix epoch. Ids and start times are relative to it.
    base_ms: u64,
    traces: Vec<u8>,
    trace_ends: Vec<u32>,
    pieces: Pieces,
    pub(crate) summaries: SummariesBuilder,
    slots: SlotIndexer,
    /// Recently used shapes come first.
    shapes: Vec<TraceShape>,
    delta: ShapeDelta,
    /// Pieces of imported traces, by their encoding.
    interned: HashMap<Vec<u8>, PieceId>,
    /// Reused buffer for the part of the body that is compressed.
    scratch: Vec<u8>,
    /// Compressed size of that part when the block was encoded last, in 256ths of its original size.
    compressed_256ths: Option<usize>,
}

/// The three encoded records of a block.
pub(crate) struct BlockRecords {
    pub(crate) index: Vec<u8>,
    pub(crate) summaries: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl BlockBuilder {
    pub(crate) const fn len(&self) -> usize {
        self.trace_ends.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.trace_ends.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= MAX_TRACES
            || self.traces.len() + self.pieces_len() >= MAX_BYTES
            || self.summaries.is_full()
            || (self.len() >= MIN_TRACES && self.fills_its_pages())
    }

    /// Returns true if the body, as far as its length is known, nearly fills the pages it is going to occupy.
    fn fills_its_pages(&self) -> bool {
        let pieces = self.pieces.plain().len() * self.compressed_256ths.unwrap_or(128) / 256;
        let expected = self.traces.len() + self.pieces.opaque().len() + pieces + 2 * self.len();
        // The next trace may be longer than the average, and compress less well.
        expected > 2048 && disk_bytes(expected) != disk_bytes(expected + expected / 32)
    }

    pub(super) fn pieces_len(&self) -> usize {
        self.pieces.plain().len() + self.pieces.opaque().len()
    }

    /// Number of pieces so far, for [`BlockBuilder::truncate_pieces`].
    pub(crate) const fn piece_count(&self) -> usize {
        self.pieces.count()
    }

    /// Removes every piece after the first `count`.
    pub(crate) fn truncate_pieces(&mut self, count: usize) {
        self.pieces.truncate(count);
        self.slots.truncate_pieces(count);
        self.shapes.retain(|shape| (shape.piece as usize) < count);
    }

    /// Adds a piece without looking for an equal one.
    pub(crate) fn add_piece(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> PieceId {
        self.pieces.add(false, encode)
    }

    /// Adds a piece that compression does not make smaller.
    pub(crate) fn add_opaque_piece(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> PieceId {
        self.pieces.add(true, encode)
    }

    /// Returns the position of a flow among the flows of the block, which is added if necessary.
    pub(crate) fn flow_index(&mut self, flow: &Arc<FlowInfo>) -> u32 {
        let known = self.flows.iter().position(|known| Arc::ptr_eq(known, flow) || known == flow);
        known.unwrap_or_else(|| {
            self.slots.add_flow(flow, !self.is_empty());
            self.flows.push(Arc::clone(flow));
            self.flows.len() - 1
        }) as u32
    }

    /// Length of a piece, in bytes.
    pub(crate) fn piece_len(&self, piece: PieceId) -> usize {
        self.pieces.get(piece).len()
    }

    /// Returns the encoded piece.
    pub(crate) fn piece_bytes(&self, piece: PieceId) -> &[u8] {
        self.pieces.get(piece)
    }

    /// Adds what a trace of a flow wrote to slots to the index.
    pub(super) fn add_slots(&mut self, flow: u32, events: &[Event<PieceId>]) {
        self.slots.add_trace(flow, &self.flows[flow as usize], events, &self.pieces);
    }

    /// Adds a trace whose pieces are in the block already; `len` is their total length in bytes.
    ///
    /// # Errors
    /// [`TraceTooLarge`] if the trace exceeds [`MAX_TRACE_BYTES`]. `stored` is then unchanged.
    pub(crate) fn push(&mut self, stored: &mut StoredTrace, len: usize) -> Result<(), TraceTooLarge> {
        let fields = stored.summary_fields();
        self.add_slots(fields.flow, &stored.events);
        let outcome = std::mem::replace(&mut stored.outcome, Outcome::Done);
        stored.strip_to_shape(&mut self.delta);
        let outcome_piece =
            (outcome != Outcome::Done).then(|| self.add_piece(|out| codec::encode_into(&outcome, out)));
        let shape = self.shape_index(stored);
        let start = self.traces.len();
        if self.is_empty() {
            self.base_ms = compact_id::time_ms(fields.id);
        }
        self.delta.write(&self.shapes[shape], outcome_piece, self.base_ms, &mut self.traces);
        let len = len + self.shapes[shape].len + outcome_piece.map_or(0, |piece| self.piece_len(piece));
        if self.traces.len() - start + len > MAX_TRACE_BYTES {
            self.traces.truncate(start);
            stored.restore(&self.delta);
            stored.outcome = outcome;
            return Err(TraceTooLarge);
        }
        self.trace_ends.push(self.traces.len() as u32);
        let flow = &self.flows[fields.flow as usize];
        self.index.add(&fields, &flow.name);
        // The piece of a text holds its encoding.
        let text = |piece| match self.pieces.get(piece) {
            [] => &[0],
            text => text,
        };
        let origin = fields.origin.map(text);
        let texts = [text(fields.method), text(fields.path)];
        self.summaries.push(&fields, self.base_ms, &flow.name, texts, origin);
        Ok(())
    }

    /// Returns the position of the shape of a trace that was stripped to it, which is added if necessary.
    fn shape_index(&mut self, stored: &StoredTrace) -> usize {
        let candidates = self.shapes.iter().take(SHAPES_SEARCHED);
        let at = candidates.into_iter().position(|shape| shape.matches(stored)).unwrap_or_else(|| {
            let pieces = &mut self.pieces;
            let shape = TraceShape::new(stored, &self.delta, |stored| {
                let piece = pieces.add(false, |out| codec::encode_into(stored, out));
                (piece, pieces.get(piece).len())
            });
            self.shapes.push(shape);
            self.shapes.len() - 1
        });
        // Each use halves its position, so frequently used shapes get to the front.
        let ahead = at / 2;
        self.shapes.swap(ahead, at);
        ahead
    }

    /// Adds a trace that was not captured by this process, such as an imported one.
    ///
    /// # Errors
    /// [`TraceTooLarge`] if the trace exceeds [`MAX_TRACE_BYTES`].
    pub(crate) fn push_trace(&mut self, trace: &Trace) -> Result<(), TraceTooLarge> {
        let mut stored = StoredTrace {
            flow: self.flow_index(&trace.flow),
            id: trace.id,
            class: trace.class,
            started_unix_ns: trace.started_unix_ns,
            duration_ns: trace.duration_ns,
            seed: trace.seed,
            build: self.intern(&trace.build),
            kept: trace.kept,
            method: self.intern(&trace.method),
            path: self.intern(&trace.path),
            target: self.intern(&trace.target),
            version: self.intern(&trace.version),
            peer: self.intern(&trace.peer),
            request_headers: trace.request_headers.iter().map(|header| self.intern(header)).collect(),
            request_body: self.intern(&trace.request_body),
            status: trace.status,
            response_headers: trace.response_headers.iter().map(|header| self.intern(header)).collect(),
            response_body: self.intern(&trace.response_body),
            outcome: trace.outcome.clone(),
            events: trace.events.iter().map(|event| event.clone().map(|value| self.intern(&value))).collect(),
            events_dropped: trace.events_dropped,
            worker: trace.worker,
            origin: match &trace.origin {
                Origin::NotRecorded => Origin::NotRecorded,
                Origin::Absent => Origin::Absent,
                Origin::Named(recorded) => Origin::Named(self.intern(recorded)),
            },
            redaction: trace.redaction.clone(),
            undelivered: trace.is_undelivered,
            recorded_by: trace.recorded_by,
            sealed_by: trace.sealed_by,
        };
        let mut len = 0;
        stored.map_pieces(|piece| {
            len += self.piece_len(piece);
            piece
        });
        self.push(&mut stored, len)
    }

    fn intern(&mut self, part: &impl Encode) -> PieceId {
        let bytes = codec::encode(part);
        if let Some(piece) = self.interned.get(&bytes) {
            return *piece;
        }
        let piece = self.add_piece(|out| out.extend_from_slice(&bytes));
        self.interned.insert(bytes, piece);
        piece
    }

    /// Encodes the block as it is now. More traces may be added afterwards.
    pub(crate) fn build_records(&mut self, key: u64) -> BlockRecords {
        let rest = &mut self.scratch;
        rest.clear();
        rest.extend_from_slice(self.pieces.plain());
        let counts = (self.trace_ends.len() as u32, self.pieces.count() as u32);
        codec::encode_into((counts, self.base_ms, &self.flows), rest);
        let mut before = 0;
        for &end in &self.trace_ends {
            delta_varint::write(u64::from(end - before), rest);
            before = end;
        }
        self.pieces.write_lengths(rest);
        self.pieces.write_opaque(rest);
        let plain_len = self.traces.len() + self.pieces.opaque().len();
        rest.extend_from_slice(&((plain_len + self.pieces.plain().len()) as u32).to_le_bytes());
        let body = record::write_split(RecordKind::Block, key, &[&self.traces, self.pieces.opaque()], rest);
        self.compressed_256ths = Some(body.len().saturating_sub(plain_len) * 256 / rest.len());
        let summaries = self.summaries.record(key);
        self.index.slots = self.slots.keys();
        let index_len = self.index.slots.len() + 256;
        self.index.bytes = disk_bytes(body.len()) + disk_bytes(summaries.len()) + index_len as u64;
        let index = record::write(RecordKind::BlockIndex, key, &codec::encode(&self.index));
        BlockRecords { index, summaries, body }
    }

    /// Empties the builder for the next block, and keeps its memory.
    pub(crate) fn clear(&mut self) {
        self.index = BlockIndex::default();
        self.flows.clear();
        self.traces.clear();
        self.trace_ends.clear();
        self.pieces.clear();
        self.summaries.clear();
        self.slots.clear();
        self.shapes.clear();
        self.interned.clear();
    }
}

/// Bytes that a record of this length occupies in the file. redb allocates powers of two.
fn disk_bytes(len: usize) -> u64 {
    if len < 2048 { len as u64 + 64 } else { (len as u64 + 64).next_power_of_two().max(4096) }
}

/// Error: the trace exceeds [`MAX_TRACE_BYTES`].
#[derive(Debug)]
pub(crate) struct TraceTooLarge;

#[cfg(test)]
mod tests {
    use zerver_trace::Decision;

    use super::*;
    use crate::block::block_body::BlockBody;
    use crate::block::summaries;
    use crate::sample_traces;

    #[test]
    fn a_block_decodes_to_its_traces_and_summaries() {
        let mut builder = BlockBuilder::default();
        let traces: Vec<_> = (0..20).map(sample_traces::trace).collect();
        for trace in &traces {
            builder.push_trace(trace).unwrap();
        }
        let records = builder.build_records(5);
        let body = BlockBody::read(5, &records.body).unwrap();
        let summaries = summaries::read(5, &records.summaries).unwrap();
        assert_eq!((body.len(), summaries.len()), (20, 20));
        for (at, trace) in traces.iter().enumerate() {
            assert_eq!(body.trace(at).unwrap(), *trace);
            assert_eq!(summaries[at], trace.summary());
        }
        assert!(body.trace(20).is_err());
        let index = BlockIndex::read(5, &records.index).unwrap();
        assert_eq!(index, builder.index);
        assert_eq!((index.count, index.min_id, index.max_id), (20, traces[0].id, traces[19].id));
    }

    #[test]
    fn traces_of_one_shape_take_few_bytes_each() {
        let mut builder = BlockBuilder::default();
        let mut trace = sample_traces::trace(1);
        let event =
            |n| Event::StepRan { step: n, ready_ns: 0, at_ns: 0, cpu_ns: 9, decision: Decision::Continue };
        trace.events.extend((0..50).map(event));
        let mut longest = 0;
        for n in 0..50 {
            let at = |at: usize| 1_000_000 + n * 900 + at as u64 * 700;
            for (place, event) in trace.events.iter_mut().enumerate() {
                if let Event::StepRan { ready_ns, at_ns, .. } = event {
                    (*ready_ns, *at_ns) = (at(place), at(place) + 30);
                }
            }
            trace.id = sample_traces::id(n);
            trace.outcome = if n % 2 == 0 { Outcome::Done } else { Outcome::TimedOut { step: n as u16 } };
            let before = builder.traces.len();
            builder.push_trace(&trace).unwrap();
            longest = longest.max(builder.traces.len() - before);
            let record = builder.build_records(1).body;
            assert_eq!(BlockBody::read(1, &record).unwrap().trace(n as usize).unwrap(), trace);
        }
        assert_eq!(builder.shapes.len(), 1);
        assert!(longest < 260, "{longest}");
    }
}
