//! Blocks: about a hundred traces that are compressed, written and removed together, and what is kept about each
//! block so that a list or a search need not open it.
//!
//! A block is three records under one number: the *head*, small and read by every search; the *summaries*, read by
//! lists; the *body*, read to load a trace. Blocks are numbered without a gap, so that a missing one is noticed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_trace::{Class, FlowInfo, Query, RequestId, Status, Summary, Trace};

use crate::format::{self, FormatError, Kind};
use crate::row::{Piece, Pieces, Row};

/// A block is full with so many traces,
pub(crate) const FULL: usize = 128;
/// or when their encoding has so many bytes.
const FULL_BYTES: usize = 256 << 10;
/// A trace may have so many bytes.
pub(crate) const MAX_TRACE: usize = 4 << 20;

/// What is known of one flow within a block.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FlowCount {
    pub(crate) name: String,
    pub(crate) count: u32,
    pub(crate) failed: u32,
    pub(crate) min_ns: u64,
    pub(crate) max_ns: u64,
}

/// What is known of a block without opening it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Head {
    pub(crate) count: u32,
    pub(crate) min_id: RequestId,
    pub(crate) max_id: RequestId,
    /// Of when its requests began, in nanoseconds since the Unix epoch.
    pub(crate) min_started: u64,
    pub(crate) max_started: u64,
    /// One bit for each class of status in it, 1xx being bit 1 and none bit 0.
    pub(crate) statuses: u8,
    pub(crate) flows: Vec<FlowCount>,
    /// Requests since the block before which the policy did not keep,
    pub(crate) not_kept: u64,
    /// and which did not fit the queue.
    pub(crate) overflowed: u64,
    /// What the block takes up in the store, in bytes.
    pub(crate) bytes: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            count: 0,
            min_id: RequestId::from_u128(u128::MAX),
            max_id: RequestId::from_u128(0),
            min_started: u64::MAX,
            max_started: 0,
            statuses: 0,
            flows: Vec::new(),
            not_kept: 0,
            overflowed: 0,
            bytes: 0,
        }
    }
}

impl Head {
    fn add(&mut self, row: &Row, name: &str, failed: bool) {
        self.count += 1;
        self.min_id = self.min_id.min(row.id);
        self.max_id = self.max_id.max(row.id);
        self.min_started = self.min_started.min(row.started_unix_ns);
        self.max_started = self.max_started.max(row.started_unix_ns);
        self.statuses |= status_bit(row.status);
        let at = self.flows.iter().position(|flow| flow.name == name).unwrap_or_else(|| {
            let name = name.to_owned();
            self.flows.push(FlowCount { name, count: 0, failed: 0, min_ns: u64::MAX, max_ns: 0 });
            self.flows.len() - 1
        });
        let flow = &mut self.flows[at];
        flow.count += 1;
        flow.failed += u32::from(failed);
        flow.min_ns = flow.min_ns.min(row.duration_ns);
        flow.max_ns = flow.max_ns.max(row.duration_ns);
    }

    /// Whether a trace that a query wants may be in the block.
    pub(crate) fn may_match(&self, query: &Query) -> bool {
        let status = query.status.is_none_or(|status| {
            self.statuses
                & match status {
                    Status::Code(code) => status_bit(code),
                    Status::Class(digit) => status_bit(digit * 100),
                }
                != 0
        });
        status
            && query.since_unix_ns.is_none_or(|since| self.max_started >= since)
            && self.of(query.flow.as_deref()).any(|flow| {
                (!query.failed || flow.failed > 0) && query.slower_than_ns.is_none_or(|ns| flow.max_ns > ns)
            })
    }

    /// The flows in it: all of them, or the one of this name.
    pub(crate) fn of(&self, name: Option<&str>) -> impl Iterator<Item = &FlowCount> {
        self.flows.iter().filter(move |flow| name.is_none_or(|name| flow.name == name))
    }
}

const fn status_bit(status: u16) -> u8 {
    match status / 100 {
        class @ 1..=7 => 1 << class,
        _ => 1,
    }
}

/// A block that is being filled. It is laid out as rows, then pieces, then flows and where each row and each piece ends,
/// then in four bytes where those begin.
#[derive(Debug, Default)]
pub(crate) struct Open {
    pub(crate) head: Head,
    flows: Vec<Arc<FlowInfo>>,
    rows: Vec<u8>,
    row_ends: Vec<u32>,
    pieces: Vec<u8>,
    piece_ends: Vec<u32>,
    summaries: Vec<u8>,
    /// The pieces of traces that come as such.
    known: HashMap<Vec<u8>, Piece>,
    /// Room for all of it.
    raw: Vec<u8>,
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

    pub(crate) const fn is_full(&self) -> bool {
        self.len() >= FULL || self.rows.len() + self.pieces.len() >= FULL_BYTES
    }

    /// How many pieces there are, to go back to with [`Open::cut`].
    pub(crate) const fn mark(&self) -> usize {
        self.piece_ends.len()
    }

    /// Takes back the pieces that were added since.
    pub(crate) fn cut(&mut self, mark: usize) {
        self.piece_ends.truncate(mark);
        self.pieces.truncate(self.piece_ends.last().map_or(0, |&end| end as usize));
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

    /// Adds a trace whose pieces are there, of `len` bytes together, unless it is larger than a trace may be.
    pub(crate) fn push(&mut self, row: &Row, len: usize) -> Result<(), TooLarge> {
        let start = self.rows.len();
        format::encode_into(row, &mut self.rows);
        if self.rows.len() - start + len > MAX_TRACE {
            self.rows.truncate(start);
            return Err(TooLarge);
        }
        self.row_ends.push(self.rows.len() as u32);
        let failed = row.outcome.is_failure() || row.status >= 500;
        let flow = &self.flows[row.flow as usize];
        self.head.add(row, &flow.name, failed);
        // Laid out as a `Summary` is; what a text encodes to is in its piece.
        format::encode_into((row.id, flow.name.as_str()), &mut self.summaries);
        for piece in [row.method, row.path] {
            let text = span(&self.piece_ends, piece).and_then(|span| self.pieces.get(span));
            self.summaries.extend_from_slice(text.unwrap_or(&[0]));
        }
        format::encode_into(
            (
                row.status,
                row.duration_ns,
                row.class,
                row.started_unix_ns,
                row.outcome.as_str(),
                failed,
                row.worker,
            ),
            &mut self.summaries,
        );
        Ok(())
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
        };
        let mut len = 0;
        row.renumber(|piece| {
            len += self.piece_len(piece);
            piece
        });
        self.push(&row, len)
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
        self.raw.clear();
        self.raw.extend_from_slice(&self.rows);
        self.raw.extend_from_slice(&self.pieces);
        let len = self.raw.len() as u32;
        format::encode_into((&self.flows, &self.row_ends, &self.piece_ends), &mut self.raw);
        self.raw.extend_from_slice(&len.to_le_bytes());
        let body = format::seal_record(Kind::Block, key, &self.raw);
        let summaries = format::seal_record(Kind::Summaries, key, &self.summaries);
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

/// The head of a block.
pub(crate) fn read_head(key: u64, record: &[u8]) -> Result<Head, FormatError> {
    format::decode(&format::open_record(Kind::Head, key, record)?)
}

/// The summaries of a block in their order.
pub(crate) fn read_summaries(key: u64, record: &[u8]) -> Result<Vec<Summary>, FormatError> {
    let raw = format::open_record(Kind::Summaries, key, record)?;
    let (mut rest, mut summaries) = (&raw[..], Vec::new());
    let is_old = format::schema(record) < 2;
    while !rest.is_empty() {
        let (summary, after) = if is_old {
            let (old, after) = format::decode_first::<OldSummary>(rest)?;
            (of_old(old), after)
        } else {
            format::decode_first(rest)?
        };
        summaries.push(summary);
        rest = after;
    }
    Ok(summaries)
}

/// A [`Summary`] of schema 1, which has no worker.
type OldSummary = (RequestId, String, String, String, u16, u64, Class, u64, String, bool);

fn of_old(old: OldSummary) -> Summary {
    let (id, flow, method, path, status, duration_ns, class, started_unix_ns, outcome, failed) = old;
    Summary {
        id,
        flow,
        method,
        path,
        status,
        duration_ns,
        class,
        started_unix_ns,
        outcome,
        failed,
        worker: None,
    }
}

/// The traces of a block, each decoded when it is asked for.
pub(crate) struct Body<'a> {
    schema: u16,
    raw: Cow<'a, [u8]>,
    flows: Vec<Arc<FlowInfo>>,
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
        let (flows, row_ends, piece_ends) =
            format::decode::<(Vec<Arc<FlowInfo>>, Vec<u32>, Vec<u32>)>(rest.get(at..).ok_or_else(odd)?)?;
        let last = |ends: &[u32]| ends.last().map_or(0, |&end| end as usize);
        let pieces = last(&row_ends);
        if !row_ends.is_sorted() || !piece_ends.is_sorted() || pieces + last(&piece_ends) != at {
            return Err(odd());
        }
        Ok(Self { schema: format::schema(record), raw, flows, row_ends, piece_ends, pieces })
    }

    pub(crate) const fn len(&self) -> usize {
        self.row_ends.len()
    }

    /// The trace at this position.
    pub(crate) fn trace(&self, position: usize) -> Result<Trace, FormatError> {
        let missing = || FormatError::Malformed(format!("there is no trace {position} in the block"));
        let number = u32::try_from(position).map_err(|_| missing())?;
        let span = span(&self.row_ends, number).ok_or_else(missing)?;
        let left = MAX_TRACE.saturating_sub(span.len());
        let row = format::as_now(self.schema, self.raw.get(span).ok_or_else(missing)?);
        let row = format::decode::<Row>(&row)?;
        let flow = self.flows.get(row.flow as usize);
        let flow = Arc::clone(flow.ok_or_else(|| FormatError::Malformed("no such flow".to_owned()))?);
        row.trace(flow, &mut Reading { body: self, left })
    }
}

/// The pieces of one trace.
struct Reading<'a> {
    body: &'a Body<'a>,
    /// How many bytes they may still have: a large piece may be named many times.
    left: usize,
}

impl Pieces for Reading<'_> {
    fn piece<T: Decode<()>>(&mut self, number: Piece) -> Result<T, FormatError> {
        let body = self.body;
        let bytes = span(&body.piece_ends, number)
            .and_then(|span| body.raw.get(body.pieces + span.start..body.pieces + span.end))
            .ok_or_else(|| FormatError::Malformed(format!("there is no piece {number} in the block")))?;
        self.left = self.left.checked_sub(bytes.len()).ok_or(FormatError::TooLarge)?;
        format::decode(bytes)
    }
}

#[cfg(test)]
mod tests {
    use zerver_trace::{Event, Recorded, Value};

    use super::*;
    use crate::sample;

    #[test]
    fn a_block_gives_back_its_traces_and_their_summaries() {
        let mut open = Open::default();
        let traces: Vec<_> = (0..20).map(sample::trace).collect();
        for trace in &traces {
            open.push_trace(trace).unwrap();
        }
        let records = open.records(5);
        let body = Body::read(5, &records.body).unwrap();
        let summaries = read_summaries(5, &records.summaries).unwrap();
        assert_eq!((body.len(), summaries.len()), (20, 20));
        for (at, trace) in traces.iter().enumerate() {
            assert_eq!(body.trace(at).unwrap(), *trace);
            assert_eq!(summaries[at], trace.summary());
        }
        assert!(body.trace(20).is_err());
        let head = read_head(5, &records.head).unwrap();
        assert_eq!(head, open.head);
        assert_eq!((head.count, head.min_id, head.max_id), (20, traces[0].id, traces[19].id));
    }

    #[test]
    fn a_trace_that_names_a_large_piece_again_and_again_is_an_error() {
        let mut trace = sample::trace(1);
        let value = Value::of(&"x".repeat(200_000)).unwrap();
        let event =
            Event::Wrote { step: 0, slot: 1, at_ns: 1, value: Recorded::Plain { value, summary: None } };
        trace.events = vec![event.clone(); 10];
        let mut open = Open::default();
        open.push_trace(&trace).unwrap();
        // Once in the block, whatever its events are.
        assert!(open.pieces.len() < 201_000);
        assert_eq!(Body::read(1, &open.records(1).body).unwrap().trace(0).unwrap(), trace);
        trace.events = vec![event; 100];
        assert!(open.push_trace(&trace).is_err());
        // And written by somebody else.
        let mut row = format::decode::<Row>(&open.rows).unwrap();
        row.events = vec![row.events[0].clone(); 100];
        open.rows = format::encode(&row);
        open.row_ends = vec![open.rows.len() as u32];
        let record = open.records(1).body;
        assert_eq!(Body::read(1, &record).unwrap().trace(0), Err(FormatError::TooLarge));
    }

    #[test]
    fn a_head_never_denies_what_its_block_has() {
        let trace = sample::trace(3);
        let mut open = Open::default();
        open.push_trace(&trace).unwrap();
        let summary = trace.summary();
        for flow in [None, Some("todos-item".to_owned()), Some("other".to_owned())] {
            for status in [None, Some(Status::Code(200)), Some(Status::Class(5)), Some(Status::Class(2))] {
                for slower_than_ns in [None, Some(summary.duration_ns - 1), Some(summary.duration_ns)] {
                    for failed in [false, true] {
                        let query =
                            Query { flow: flow.clone(), status, failed, slower_than_ns, ..Query::default() };
                        assert!(!query.matches(&summary) || open.head.may_match(&query), "{query:?}");
                    }
                }
            }
        }
        let query = Query { flow: Some("other".to_owned()), ..Query::default() };
        assert!(!open.head.may_match(&query));
    }
}
