//! Blocks: about a hundred traces that are compressed, written and removed together.
//!
//! A block is three records under one number: the *head*, small and read by every search; the *summaries*, read by
//! lists; the *body*, read to load a trace. Blocks are numbered without a gap, so that a missing one is noticed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_trace::{FlowInfo, Origin, Outcome, Trace};

use crate::format::{self, FormatError, Kind};
use crate::head::Head;
use crate::numbers;
use crate::row::{Own, Piece, Pieces, Row, Shape, time_of};
use crate::summaries::Summaries;

/// A block is full with so many traces,
pub(crate) const FULL: usize = 192;
/// or when their encoding has so many bytes,
const FULL_BYTES: usize = 256 << 10;
/// or with so many, if one more would take it over a power of two, for those are the sizes which it can have on the disk.
const ENOUGH: usize = 64;
/// A trace may have so many bytes.
pub(crate) const MAX_TRACE: usize = 4 << 20;
/// A block may have so many pieces: more do not fit, and few bytes may not ask for the memory of more.
const MAX_PIECES: u32 = 3 << 20;
/// So many shapes are looked through for that of a trace.
const LOOKED_AT: usize = 24;

/// A block that is being filled. It is laid out as rows, which are not compressed; then pieces; then how many rows and
/// pieces there are, the time from which rows count, the flows, and how long each row and each piece is; then in four
/// bytes where the pieces end.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) head: Head,
    flows: Vec<Arc<FlowInfo>>,
    /// The time of the first id in it, from which rows count, in milliseconds since the Unix epoch.
    base_ms: u64,
    rows: Vec<u8>,
    row_ends: Vec<u32>,
    pieces: Vec<u8>,
    piece_ends: Vec<u32>,
    pub(crate) summaries: Summaries,
    /// Those that were needed last come first.
    shapes: Vec<Shape>,
    own: Own,
    /// The pieces of traces that come as such.
    known: HashMap<Vec<u8>, Piece>,
    /// Room for what is compressed.
    raw: Vec<u8>,
    /// How many of 256 bytes compression has left of that the last time.
    shrinks_to: Option<usize>,
}

/// The records of a block.
pub(crate) struct Records {
    pub(crate) head: Vec<u8>,
    pub(crate) summaries: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Open {
    pub(crate) const fn len(&self) -> usize {
        self.row_ends.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.row_ends.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.len() >= FULL
            || self.rows.len() + self.pieces.len() >= FULL_BYTES
            || self.summaries.is_full()
            || (self.len() >= ENOUGH && self.fills_its_pages())
    }

    /// Whether the body, as long as it will be, is just below what it may take up.
    fn fills_its_pages(&self) -> bool {
        let pieces = self.pieces.len() * self.shrinks_to.unwrap_or(128) / 256;
        let expected = self.rows.len() + pieces + 2 * self.len();
        // What comes next may be longer than the others, and shrink less.
        expected > 2048 && taken(expected) != taken(expected + expected / 32)
    }

    /// How many pieces there are, to go back to with [`Open::cut`].
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
    /// row stays as it is.
    pub(crate) fn push(&mut self, row: &mut Row, len: usize) -> Result<(), TooLarge> {
        let glance = row.glance();
        let outcome = std::mem::replace(&mut row.outcome, Outcome::Done);
        row.strip(&mut self.own);
        let told = (outcome != Outcome::Done).then(|| self.piece(|out| format::encode_into(&outcome, out)));
        let shape = self.shape(row);
        let start = self.rows.len();
        if self.is_empty() {
            self.base_ms = time_of(glance.id);
        }
        self.own.write(&self.shapes[shape], told, self.base_ms, &mut self.rows);
        let len = len + self.shapes[shape].len + told.map_or(0, |piece| self.piece_len(piece));
        if self.rows.len() - start + len > MAX_TRACE {
            self.rows.truncate(start);
            row.restore(&self.own);
            row.outcome = outcome;
            return Err(TooLarge);
        }
        self.row_ends.push(self.rows.len() as u32);
        let flow = &self.flows[glance.flow as usize];
        self.head.add(&glance, &flow.name);
        // What a text encodes to is in its piece.
        let text =
            |piece| span(&self.piece_ends, piece).and_then(|span| self.pieces.get(span)).unwrap_or(&[0]);
        let origin = glance.origin.map(text);
        let texts = [text(glance.method), text(glance.path)];
        self.summaries.push(&glance, self.base_ms, &flow.name, texts, origin);
        Ok(())
    }

    /// Where the shape is that this row was made.
    fn shape(&mut self, row: &Row) -> usize {
        let looked_at = self.shapes.iter().take(LOOKED_AT);
        let at = looked_at.into_iter().position(|shape| shape.is(row)).unwrap_or_else(|| {
            let (pieces, ends) = (&mut self.pieces, &mut self.piece_ends);
            let start = pieces.len();
            let shape = Shape::new(row, &self.own, |row| {
                format::encode_into(row, pieces);
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
    pub(crate) fn push_trace(&mut self, trace: &Trace) -> Result<(), TooLarge> {
        let mut row = Row {
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
            undelivered: trace.is_undelivered,
        };
        let mut len = 0;
        row.renumber(|piece| {
            len += self.piece_len(piece);
            piece
        });
        self.push(&mut row, len)
    }

    fn known(&mut self, part: &impl Encode) -> Piece {
        let bytes = format::encode(part);
        if let Some(piece) = self.known.get(&bytes) {
            return *piece;
        }
        let piece = self.piece(|out| out.extend_from_slice(&bytes));
        self.known.insert(bytes, piece);
        piece
    }

    /// The records of the block as it is now.
    pub(crate) fn records(&mut self, key: u64) -> Records {
        let rest = &mut self.raw;
        rest.clear();
        rest.extend_from_slice(&self.pieces);
        let counts = (self.row_ends.len() as u32, self.piece_ends.len() as u32);
        format::encode_into((counts, self.base_ms, &self.flows), rest);
        for ends in [&self.row_ends, &self.piece_ends] {
            let mut before = 0;
            for &end in ends {
                numbers::put(u64::from(end - before), rest);
                before = end;
            }
        }
        rest.extend_from_slice(&((self.rows.len() + self.pieces.len()) as u32).to_le_bytes());
        let body = format::seal_parts(Kind::Block, key, &self.rows, rest);
        self.shrinks_to = Some(body.len().saturating_sub(self.rows.len()) * 256 / rest.len());
        let summaries = self.summaries.record(key);
        self.head.bytes = taken(body.len()) + taken(summaries.len()) + 256;
        let head = format::seal_record(Kind::Head, key, &format::encode(&self.head));
        Records { head, summaries, body }
    }

    /// Forgets all, and keeps the memory for the next block.
    pub(crate) fn clear(&mut self) {
        self.head = Head::default();
        self.flows.clear();
        self.rows.clear();
        self.row_ends.clear();
        self.pieces.clear();
        self.piece_ends.clear();
        self.summaries.clear();
        self.shapes.clear();
        self.known.clear();
    }
}

/// Where the one of this number lies, by where each ends.
fn span(ends: &[u32], number: u32) -> Option<Range<usize>> {
    let at = number as usize;
    let end = *ends.get(at)? as usize;
    Some(at.checked_sub(1).map_or(0, |before| ends[before] as usize)..end)
}

/// What a record of this length takes up: redb hands out pages in powers of two.
fn taken(len: usize) -> u64 {
    if len < 2048 { len as u64 + 64 } else { (len as u64 + 64).next_power_of_two().max(4096) }
}

/// A trace is larger than a trace may be.
#[derive(Debug)]
pub(crate) struct TooLarge;

/// The traces of a block, each decoded when it is asked for.
pub(crate) struct Body<'a> {
    raw: Cow<'a, [u8]>,
    flows: Vec<Arc<FlowInfo>>,
    base_ms: u64,
    row_ends: Vec<u32>,
    piece_ends: Vec<u32>,
    /// Where the pieces begin.
    pieces: usize,
}

impl<'a> Body<'a> {
    pub(crate) fn read(key: u64, record: &'a [u8]) -> Result<Self, FormatError> {
        let raw = format::open_record(Kind::Block, key, record)?;
        let odd = || FormatError::Malformed("the traces do not fill the block".to_owned());
        let (rest, at) = raw.split_last_chunk().ok_or_else(odd)?;
        let at = u32::from_le_bytes(*at) as usize;
        type Told = ((u32, u32), u64, Vec<Arc<FlowInfo>>);
        let (((rows, pieces), base_ms, flows), mut rest) =
            format::decode_prefix::<Told>(rest.get(at..).ok_or_else(odd)?)?;
        if rows.max(pieces) > MAX_PIECES {
            return Err(FormatError::TooLarge);
        }
        let mut ends = |count: u32| -> Result<Vec<u32>, FormatError> {
            let (mut ends, mut end) = (Vec::new(), 0usize);
            for _ in 0..count {
                end = usize::try_from(numbers::take(&mut rest)?)
                    .map_or(usize::MAX, |len| end.saturating_add(len));
                ends.push(u32::try_from(end).ok().filter(|_| end <= at).ok_or_else(odd)?);
            }
            Ok(ends)
        };
        let (row_ends, piece_ends) = (ends(rows)?, ends(pieces)?);
        let last = |ends: &[u32]| ends.last().map_or(0, |&end| end as usize);
        let pieces = last(&row_ends);
        if pieces + last(&piece_ends) != at || !rest.is_empty() {
            return Err(odd());
        }
        Ok(Self { raw, flows, base_ms, row_ends, piece_ends, pieces })
    }

    pub(crate) const fn len(&self) -> usize {
        self.row_ends.len()
    }

    /// The trace at this position.
    pub(crate) fn trace(&self, position: usize) -> Result<Trace, FormatError> {
        let missing = || FormatError::Malformed(format!("there is no trace {position} in the block"));
        let number = u32::try_from(position).map_err(|_| missing())?;
        let span = span(&self.row_ends, number).ok_or_else(missing)?;
        let mut pieces = Reading { body: self, left: (2 * MAX_TRACE).saturating_sub(span.len()) };
        let row = Row::read(self.raw.get(span).ok_or_else(missing)?, self.base_ms, &mut pieces)?;
        let flow = self.flows.get(row.flow as usize);
        let flow = Arc::clone(flow.ok_or_else(|| FormatError::Malformed("no such flow".to_owned()))?);
        row.trace(flow, &mut pieces)
    }
}

/// The pieces of one trace.
struct Reading<'a> {
    body: &'a Body<'a>,
    /// What they may still take up in memory, in bytes: a piece may be named many times, and be more there than here.
    left: usize,
}

impl Pieces for Reading<'_> {
    fn piece<T: Decode<()>>(&mut self, number: Piece) -> Result<T, FormatError> {
        let body = self.body;
        let bytes = span(&body.piece_ends, number)
            .and_then(|span| body.raw.get(body.pieces + span.start..body.pieces + span.end))
            .ok_or_else(|| FormatError::Malformed(format!("there is no piece {number} in the block")))?;
        let taken = bytes.len() + size_of::<T>();
        self.left = self.left.checked_sub(taken).ok_or(FormatError::TooLarge)?;
        format::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Decision, Event, Recorded, Value};

    use super::*;
    use crate::{head, sample, summaries};

    #[test]
    fn a_block_gives_back_its_traces_and_their_summaries() {
        let mut open = Open::default();
        let traces: Vec<_> = (0..20).map(sample::trace).collect();
        for trace in &traces {
            open.push_trace(trace).unwrap();
        }
        let records = open.records(5);
        let body = Body::read(5, &records.body).unwrap();
        let summaries = summaries::read(5, &records.summaries).unwrap();
        assert_eq!((body.len(), summaries.len()), (20, 20));
        for (at, trace) in traces.iter().enumerate() {
            assert_eq!(body.trace(at).unwrap(), *trace);
            assert_eq!(summaries[at], trace.summary());
        }
        assert!(body.trace(20).is_err());
        let head = head::read(5, &records.head).unwrap();
        assert_eq!(head, open.head);
        assert_eq!((head.count, head.min_id, head.max_id), (20, traces[0].id, traces[19].id));
    }

    #[test]
    fn traces_that_went_the_same_way_differ_by_little() {
        let mut open = Open::default();
        let mut trace = sample::trace(1);
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
            trace.id = sample::id(n);
            trace.outcome = if n % 2 == 0 { Outcome::Done } else { Outcome::TimedOut { step: n as u16 } };
            let before = open.rows.len();
            open.push_trace(&trace).unwrap();
            longest = longest.max(open.rows.len() - before);
            let record = open.records(1).body;
            assert_eq!(Body::read(1, &record).unwrap().trace(n as usize).unwrap(), trace);
        }
        assert_eq!(open.shapes.len(), 1);
        assert!(longest < 260, "{longest}");
    }

    #[test]
    fn a_trace_that_names_a_large_piece_again_and_again_is_an_error() {
        let mut trace = sample::trace(1);
        let value = Value::from_serialize(&"x".repeat(200_000)).unwrap();
        let event = Event::SlotWritten {
            step: 0,
            slot: 1,
            at_ns: 1,
            value: Recorded::Plain { value, summary: None },
        };
        trace.events = vec![event.clone(); 10];
        let mut open = Open::default();
        open.push_trace(&trace).unwrap();
        // Once in the block, whatever its events are.
        assert!(open.pieces.len() < 201_000);
        assert_eq!(Body::read(1, &open.records(1).body).unwrap().trace(0).unwrap(), trace);
        trace.events = vec![event; 100];
        assert!(open.push_trace(&trace).is_err());
        // And written by somebody else.
        let record = open.records(1).body;
        let body = Body::read(1, &record).unwrap();
        let mut pieces = Reading { body: &body, left: MAX_TRACE };
        let mut row = Row::read(&body.raw[..body.pieces], body.base_ms, &mut pieces).unwrap();
        row.events = vec![row.events[0].clone(); 100];
        open.push(&mut row, 0).unwrap();
        let record = open.records(1).body;
        assert_eq!(Body::read(1, &record).unwrap().trace(1), Err(FormatError::TooLarge));
    }
}
