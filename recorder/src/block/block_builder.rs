//! Blocks: about a hundred traces that are compressed, written and removed together.
//!
//! A block is three records under one number: the *index*, small and read by every search; the *summaries*, read by
//! lists; the *body*, read to load a trace. Blocks are numbered without a gap, so that a missing one is noticed.

use std::collections::HashMap;
use std::sync::Arc;

use bincode::Encode;
use zerver_trace::{FlowInfo, Origin, Outcome, Trace};

use crate::block::block_body::{MAX_TRACE, span};
use crate::block::block_index::BlockIndex;
use crate::block::compact_id;
use crate::block::stored_trace::{Piece, StoredTrace};
use crate::block::summaries::Summaries;
use crate::block::trace_shape::{ShapeDelta, TraceShape};
use crate::format::delta_varint;
use crate::format::record::RecordKind;
use crate::format::{codec, record};

/// A block is full with so many traces,
pub(crate) const FULL: usize = 192;
/// or when their encoding has so many bytes,
const FULL_BYTES: usize = 256 << 10;
/// or with so many, if one more would take it over a power of two, for those are the sizes which it can have on the disk.
const ENOUGH: usize = 64;
/// So many shapes are looked through for that of a trace.
const LOOKED_AT: usize = 24;

/// A block that is being filled. It is laid out as stored, which are not compressed; then pieces; then how many stored and
/// pieces there are, the time from which stored count, the flows, and how long each stored and each piece is; then in four
/// bytes where the pieces end.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    pub(crate) index: BlockIndex,
    flows: Vec<Arc<FlowInfo>>,
    /// The time of the first id in it, from which stored count, in milliseconds since the Unix epoch.
    base_ms: u64,
    stored: Vec<u8>,
    trace_ends: Vec<u32>,
    pieces: Vec<u8>,
    piece_ends: Vec<u32>,
    pub(crate) summaries: Summaries,
    /// Those that were needed last come first.
    shapes: Vec<TraceShape>,
    own: ShapeDelta,
    /// The pieces of traces that come as such.
    known: HashMap<Vec<u8>, Piece>,
    /// Room for what is compressed.
    raw: Vec<u8>,
    /// How many of 256 bytes compression has left of that the last time.
    shrinks_to: Option<usize>,
}

/// The records of a block.
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
        self.len() >= FULL
            || self.stored.len() + self.pieces.len() >= FULL_BYTES
            || self.summaries.is_full()
            || (self.len() >= ENOUGH && self.fills_its_pages())
    }

    /// Whether the body, as long as it will be, is just below what it may take up.
    fn fills_its_pages(&self) -> bool {
        let pieces = self.pieces.len() * self.shrinks_to.unwrap_or(128) / 256;
        let expected = self.stored.len() + pieces + 2 * self.len();
        // What comes next may be longer than the others, and shrink less.
        expected > 2048 && taken(expected) != taken(expected + expected / 32)
    }

    #[cfg(test)]
    pub(super) const fn piece_bytes(&self) -> usize {
        self.pieces.len()
    }

    /// How many pieces there are, to go back to with [`BlockBuilder::cut`].
    pub(crate) const fn mark(&self) -> usize {
        self.piece_ends.len()
    }

    /// Takes back the pieces that were added since.
    pub(crate) fn cut(&mut self, mark: usize) {
        self.piece_ends.truncate(mark);
        self.pieces.truncate(self.piece_ends.last().map_or(0, |&end| end as usize));
        self.shapes.retain(|shape| (shape.piece as usize) < mark);
    }

    /// Adds a piece, whatever others there are.
    pub(crate) fn piece(&mut self, encode: impl FnOnce(&mut Vec<u8>)) -> Piece {
        encode(&mut self.pieces);
        self.piece_ends.push(self.pieces.len() as u32);
        (self.piece_ends.len() - 1) as Piece
    }

    /// The position of a flow.
    pub(crate) fn flow(&mut self, flow: &Arc<FlowInfo>) -> u32 {
        let known = self.flows.iter().position(|known| Arc::ptr_eq(known, flow) || known == flow);
        known.unwrap_or_else(|| {
            self.flows.push(Arc::clone(flow));
            self.flows.len() - 1
        }) as u32
    }

    /// How long a piece is, in bytes.
    pub(crate) fn piece_len(&self, piece: Piece) -> usize {
        span(&self.piece_ends, piece).map_or(0, |span| span.len())
    }

    /// Adds a trace whose pieces are there, of `len` bytes together, unless it is larger than a trace may be; then the
    /// stored stays as it is.
    pub(crate) fn push(&mut self, stored: &mut StoredTrace, len: usize) -> Result<(), TraceTooLarge> {
        let fields = stored.summary_fields();
        let outcome = std::mem::replace(&mut stored.outcome, Outcome::Done);
        stored.strip_to_shape(&mut self.own);
        let told = (outcome != Outcome::Done).then(|| self.piece(|out| codec::encode_into(&outcome, out)));
        let shape = self.shape(stored);
        let start = self.stored.len();
        if self.is_empty() {
            self.base_ms = compact_id::time_ms(fields.id);
        }
        self.own.write(&self.shapes[shape], told, self.base_ms, &mut self.stored);
        let len = len + self.shapes[shape].len + told.map_or(0, |piece| self.piece_len(piece));
        if self.stored.len() - start + len > MAX_TRACE {
            self.stored.truncate(start);
            stored.restore(&self.own);
            stored.outcome = outcome;
            return Err(TraceTooLarge);
        }
        self.trace_ends.push(self.stored.len() as u32);
        let flow = &self.flows[fields.flow as usize];
        self.index.add(&fields, &flow.name);
        // What a text encodes to is in its piece.
        let text =
            |piece| span(&self.piece_ends, piece).and_then(|span| self.pieces.get(span)).unwrap_or(&[0]);
        let origin = fields.origin.map(text);
        let texts = [text(fields.method), text(fields.path)];
        self.summaries.push(&fields, self.base_ms, &flow.name, texts, origin);
        Ok(())
    }

    /// Where the shape is that this stored was made.
    fn shape(&mut self, stored: &StoredTrace) -> usize {
        let looked_at = self.shapes.iter().take(LOOKED_AT);
        let at = looked_at.into_iter().position(|shape| shape.is(stored)).unwrap_or_else(|| {
            let (pieces, ends) = (&mut self.pieces, &mut self.piece_ends);
            let start = pieces.len();
            let shape = TraceShape::new(stored, &self.own, |stored| {
                codec::encode_into(stored, pieces);
                ends.push(pieces.len() as u32);
                ((ends.len() - 1) as Piece, pieces.len() - start)
            });
            self.shapes.push(shape);
            self.shapes.len() - 1
        });
        // It moves forward, and those that come again and again get to the front.
        let ahead = at / 2;
        self.shapes.swap(ahead, at);
        ahead
    }

    /// Adds a trace that comes as one, unless it is larger than a trace may be.
    pub(crate) fn push_trace(&mut self, trace: &Trace) -> Result<(), TraceTooLarge> {
        let mut stored = StoredTrace {
            flow: self.flow(&trace.flow),
            id: trace.id,
            class: trace.class,
            started_unix_ns: trace.started_unix_ns,
            duration_ns: trace.duration_ns,
            seed: trace.seed,
            build: self.known(&trace.build),
            kept: trace.kept,
            method: self.known(&trace.method),
            path: self.known(&trace.path),
            target: self.known(&trace.target),
            version: self.known(&trace.version),
            peer: self.known(&trace.peer),
            request_headers: trace.request_headers.iter().map(|header| self.known(header)).collect(),
            request_body: self.known(&trace.request_body),
            status: trace.status,
            response_headers: trace.response_headers.iter().map(|header| self.known(header)).collect(),
            response_body: self.known(&trace.response_body),
            outcome: trace.outcome.clone(),
            events: trace.events.iter().map(|event| event.clone().map(|value| self.known(&value))).collect(),
            events_dropped: trace.events_dropped,
            worker: trace.worker,
            origin: match &trace.origin {
                Origin::NotRecorded => Origin::NotRecorded,
                Origin::Absent => Origin::Absent,
                Origin::Named(recorded) => Origin::Named(self.known(recorded)),
            },
            redaction: trace.redaction.clone(),
            undelivered: trace.undelivered,
        };
        let mut len = 0;
        stored.map_pieces(|piece| {
            len += self.piece_len(piece);
            piece
        });
        self.push(&mut stored, len)
    }

    fn known(&mut self, part: &impl Encode) -> Piece {
        let bytes = codec::encode(part);
        if let Some(piece) = self.known.get(&bytes) {
            return *piece;
        }
        let piece = self.piece(|out| out.extend_from_slice(&bytes));
        self.known.insert(bytes, piece);
        piece
    }

    /// The records of the block as it is now.
    pub(crate) fn records(&mut self, key: u64) -> BlockRecords {
        let rest = &mut self.raw;
        rest.clear();
        rest.extend_from_slice(&self.pieces);
        let counts = (self.trace_ends.len() as u32, self.piece_ends.len() as u32);
        codec::encode_into((counts, self.base_ms, &self.flows), rest);
        for ends in [&self.trace_ends, &self.piece_ends] {
            let mut before = 0;
            for &end in ends {
                delta_varint::write(u64::from(end - before), rest);
                before = end;
            }
        }
        rest.extend_from_slice(&((self.stored.len() + self.pieces.len()) as u32).to_le_bytes());
        let body = record::write_split(RecordKind::Block, key, &self.stored, rest);
        self.shrinks_to = Some(body.len().saturating_sub(self.stored.len()) * 256 / rest.len());
        let summaries = self.summaries.record(key);
        self.index.bytes = taken(body.len()) + taken(summaries.len()) + 256;
        let index = record::write(RecordKind::BlockIndex, key, &codec::encode(&self.index));
        BlockRecords { index, summaries, body }
    }

    /// Forgets all, and keeps the memory for the next block.
    pub(crate) fn clear(&mut self) {
        self.index = BlockIndex::default();
        self.flows.clear();
        self.stored.clear();
        self.trace_ends.clear();
        self.pieces.clear();
        self.piece_ends.clear();
        self.summaries.clear();
        self.shapes.clear();
        self.known.clear();
    }
}

/// What a record of this length takes up: redb hands out pages in powers of two.
fn taken(len: usize) -> u64 {
    if len < 2048 { len as u64 + 64 } else { (len as u64 + 64).next_power_of_two().max(4096) }
}

/// A trace is larger than a trace may be.
#[derive(Debug)]
pub(crate) struct TraceTooLarge;

#[cfg(test)]
mod tests {
    use zerver_trace::{Decision, Event};

    use super::*;
    use crate::block::block_body::BlockBody;
    use crate::block::summaries;
    use crate::sample_traces;

    #[test]
    fn a_block_gives_back_its_traces_and_their_summaries() {
        let mut builder = BlockBuilder::default();
        let traces: Vec<_> = (0..20).map(sample_traces::trace).collect();
        for trace in &traces {
            builder.push_trace(trace).unwrap();
        }
        let records = builder.records(5);
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
    fn traces_that_went_the_same_way_differ_by_little() {
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
            let before = builder.stored.len();
            builder.push_trace(&trace).unwrap();
            longest = longest.max(builder.stored.len() - before);
            let record = builder.records(1).body;
            assert_eq!(BlockBody::read(1, &record).unwrap().trace(n as usize).unwrap(), trace);
        }
        assert_eq!(builder.shapes.len(), 1);
        assert!(longest < 260, "{longest}");
    }
}
