//! Reads the traces of a block, each decoded when it is requested.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bincode::Decode;
use zerver_trace::{FlowInfo, Trace};

use crate::block::stored_trace::{PieceId, PieceSource, StoredTrace};
use crate::block::trace_shape::EncodedTrace;
use crate::format::record::RecordKind;
use crate::format::{FormatError, codec, delta_varint, record};

/// Maximum size of an encoded trace with its pieces, in bytes.
pub(crate) const MAX_TRACE_BYTES: usize = 4 << 20;
/// Maximum number of pieces in a block. A valid block holds fewer, and a damaged count must not allocate more.
const MAX_PIECES: u32 = 3 << 20;

/// Returns the range of an entry, given the end offset of each.
fn span(ends: &[u32], number: u32) -> Option<Range<usize>> {
    let at = number as usize;
    let end = *ends.get(at)? as usize;
    Some(at.checked_sub(1).map_or(0, |before| ends[before] as usize)..end)
}

/// The decoded frame of a block body.
pub(crate) struct BlockBody<'a> {
    raw: Cow<'a, [u8]>,
    flows: Vec<Arc<FlowInfo>>,
    base_ms: u64,
    trace_ends: Vec<u32>,
    /// Range of each piece in `raw`.
    piece_spans: Vec<(u32, u32)>,
}

impl<'a> BlockBody<'a> {
    pub(crate) fn read(key: u64, record: &'a [u8]) -> Result<Self, FormatError> {
        let raw = record::read(RecordKind::Block, key, record)?;
        let malformed = || FormatError::Malformed("the traces do not fill the block".to_owned());
        let (rest, at) = raw.split_last_chunk().ok_or_else(malformed)?;
        let at = u32::from_le_bytes(*at) as usize;
        type Frame = ((u32, u32), u64, Vec<Arc<FlowInfo>>);
        let (((traces, pieces), base_ms, flows), mut rest) =
            codec::decode_prefix::<Frame>(rest.get(at..).ok_or_else(malformed)?)?;
        if traces.max(pieces) > MAX_PIECES {
            return Err(FormatError::TooLarge);
        }
        let mut ends = |count: u32| -> Result<Vec<u32>, FormatError> {
            let (mut ends, mut end) = (Vec::new(), 0usize);
            for _ in 0..count {
                end = usize::try_from(delta_varint::read(&mut rest)?)
                    .map_or(usize::MAX, |len| end.saturating_add(len));
                ends.push(u32::try_from(end).ok().filter(|_| end <= at).ok_or_else(malformed)?);
            }
            Ok(ends)
        };
        let (trace_ends, piece_ends) = (ends(traces)?, ends(pieces)?);
        let last = |ends: &[u32]| ends.last().copied().unwrap_or_default();
        let first_piece = last(&trace_ends);
        if first_piece as usize + last(&piece_ends) as usize != at {
            return Err(malformed());
        }
        let piece_spans = piece_spans(&piece_ends, first_piece, rest)?;
        Ok(Self { raw, flows, base_ms, trace_ends, piece_spans })
    }

    pub(crate) const fn len(&self) -> usize {
        self.trace_ends.len()
    }

    /// Returns the same body with bytes of its own.
    pub(crate) fn into_owned(self) -> BlockBody<'static> {
        let Self { raw, flows, base_ms, trace_ends, piece_spans } = self;
        BlockBody { raw: Cow::Owned(raw.into_owned()), flows, base_ms, trace_ends, piece_spans }
    }

    pub(crate) const fn piece_count(&self) -> usize {
        self.piece_spans.len()
    }

    /// Reads the beginning of the trace at a position.
    pub(crate) fn encoded(&self, position: usize) -> Result<EncodedTrace<'_>, FormatError> {
        EncodedTrace::read(self.trace_bytes(position)?, self.base_ms)
    }

    /// Returns the flow with this number.
    pub(crate) fn flow(&self, number: u32) -> Result<&Arc<FlowInfo>, FormatError> {
        let missing = || FormatError::Malformed("the flow of a trace is missing from the block".to_owned());
        self.flows.get(number as usize).ok_or_else(missing)
    }

    /// Decodes a piece.
    pub(crate) fn piece<T: Decode<()>>(&self, number: PieceId) -> Result<T, FormatError> {
        codec::decode(self.piece_bytes(number)?)
    }

    fn piece_bytes(&self, number: PieceId) -> Result<&[u8], FormatError> {
        self.piece_spans
            .get(number as usize)
            .and_then(|&(start, end)| self.raw.get(start as usize..end as usize))
            .ok_or_else(|| FormatError::Malformed(format!("piece {number} is missing from the block")))
    }

    fn trace_bytes(&self, position: usize) -> Result<&[u8], FormatError> {
        let number = u32::try_from(position).ok();
        number
            .and_then(|number| self.raw.get(span(&self.trace_ends, number)?))
            .ok_or_else(|| FormatError::Malformed(format!("trace {position} is missing from the block")))
    }

    /// Decodes the trace at a position.
    pub(crate) fn trace(&self, position: usize) -> Result<Trace, FormatError> {
        let bytes = self.trace_bytes(position)?;
        let mut pieces = PieceReader { body: self, left: (2 * MAX_TRACE_BYTES).saturating_sub(bytes.len()) };
        let stored = StoredTrace::read(bytes, self.base_ms, &mut pieces)?;
        let flow = Arc::clone(self.flow(stored.flow)?);
        stored.into_trace(flow, &mut pieces)
    }
}

/// Returns the range of each piece. The opaque pieces lie before the others; `opaque` lists their distances.
fn piece_spans(ends: &[u32], first: u32, mut opaque: &[u8]) -> Result<Vec<(u32, u32)>, FormatError> {
    let missing = || FormatError::Malformed("an opaque piece is missing from the block".to_owned());
    let mut spans = Vec::with_capacity(ends.len());
    let mut before = 0;
    for &end in ends {
        spans.push((0, end - before));
        before = end;
    }
    let (mut at, mut next) = (first, 0u64);
    let mut is_opaque = vec![false; if opaque.is_empty() { 0 } else { ends.len() }];
    while !opaque.is_empty() {
        let number = next.saturating_add(delta_varint::read(&mut opaque)?);
        let place = usize::try_from(number).ok().filter(|place| *place < spans.len()).ok_or_else(missing)?;
        spans[place] = (at, at + spans[place].1);
        at = spans[place].1;
        is_opaque[place] = true;
        next = number + 1;
    }
    for (place, span) in spans.iter_mut().enumerate() {
        if !is_opaque.get(place).copied().unwrap_or_default() {
            *span = (at, at + span.1);
            at = span.1;
        }
    }
    Ok(spans)
}

/// Reads the pieces of one trace, within a memory budget.
struct PieceReader<'a> {
    body: &'a BlockBody<'a>,
    /// Bytes of memory that the pieces may still occupy: a piece may be referenced many times, and may be larger in
    /// memory than in the block.
    left: usize,
}

impl PieceSource for PieceReader<'_> {
    fn piece<T: Decode<()>>(&mut self, number: PieceId) -> Result<T, FormatError> {
        let bytes = self.body.piece_bytes(number)?;
        let taken = bytes.len() + size_of::<T>();
        self.left = self.left.checked_sub(taken).ok_or(FormatError::TooLarge)?;
        codec::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Event, Recorded, Value};

    use super::*;
    use crate::block::block_builder::BlockBuilder;
    use crate::sample_traces;

    #[test]
    fn a_trace_that_refers_to_a_large_piece_too_often_is_an_error() {
        let mut trace = sample_traces::trace(1);
        let value = Value::from_serialize(&"x".repeat(200_000)).unwrap();
        let event = Event::SlotWritten {
            step: 0,
            slot: 1,
            at_ns: 1,
            value: Recorded::Plain { value, summary: None },
        };
        trace.events = vec![event.clone(); 10];
        let mut builder = BlockBuilder::default();
        builder.push_trace(&trace).unwrap();
        // The block holds the piece once, however many events refer to it.
        assert!(builder.pieces_len() < 201_000);
        assert_eq!(BlockBody::read(1, &builder.build_records(1).body).unwrap().trace(0).unwrap(), trace);
        trace.events = vec![event; 100];
        assert!(builder.push_trace(&trace).is_err());
        // The same trace in a block that another program wrote.
        let record = builder.build_records(1).body;
        let body = BlockBody::read(1, &record).unwrap();
        let mut pieces = PieceReader { body: &body, left: MAX_TRACE_BYTES };
        let mut stored = StoredTrace::read(body.trace_bytes(0).unwrap(), body.base_ms, &mut pieces).unwrap();
        stored.events = vec![stored.events[0].clone(); 100];
        builder.push(&mut stored, 0).unwrap();
        let record = builder.build_records(1).body;
        assert_eq!(BlockBody::read(1, &record).unwrap().trace(1), Err(FormatError::TooLarge));
    }
}
