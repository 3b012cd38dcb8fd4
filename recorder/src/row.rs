//! A trace as it lies in its block. Traces of one block have most of their values in common, which are pieces of the
//! block, each there once; and those that went the same way are alike but for their ids, their times and a few of their
//! pieces. The rest of them, the *shape*, is there once as well, and a trace is what it differs by from its shape.

use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_trace::{
    Answer, Class, Event, FlowInfo, Header, Kept, Origin, Outcome, Recorded, RecordedBody, Redaction,
    RequestId, Trace,
};

use crate::format::FormatError;
use crate::numbers::{self, Giving, Numbers, Taking};

/// The number of a piece: what a `String` encodes to, or a `Recorded`, or a header or a body with one, or an `Outcome`,
/// or a shape.
pub(crate) type Piece = u32;

/// A [`Trace`] with pieces for its values.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Row {
    /// Position among the flows of the block.
    pub(crate) flow: u32,
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) seed: u64,
    pub(crate) build: Piece,
    pub(crate) kept: Kept,
    pub(crate) method: Piece,
    pub(crate) path: Piece,
    pub(crate) target: Piece,
    pub(crate) version: Piece,
    pub(crate) peer: Piece,
    pub(crate) request_headers: Vec<Piece>,
    pub(crate) request_body: Piece,
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<Piece>,
    pub(crate) response_body: Piece,
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event<Piece>>,
    pub(crate) events_dropped: u32,
    pub(crate) worker: Option<u16>,
    pub(crate) origin: Origin<Piece>,
    pub(crate) redaction: Redaction,
    pub(crate) undelivered: bool,
}

/// Where the pieces of a row are read from.
pub(crate) trait Pieces {
    fn piece<T: Decode<()>>(&mut self, number: Piece) -> Result<T, FormatError>;
}

/// What rows of one shape have in common: a row whose id, numbers and pieces are 0.
#[derive(Debug)]
pub(crate) struct Shape {
    row: Row,
    /// The pieces of the first of them.
    usual: Vec<Piece>,
    /// The piece that holds it, and how long that is.
    pub(crate) piece: Piece,
    pub(crate) len: usize,
}

/// What is taken out of a row to make a shape of it.
#[derive(Debug)]
pub(crate) struct Own {
    id: RequestId,
    started_unix_ns: u64,
    seed: u64,
    numbers: Vec<u8>,
    pieces: Vec<Piece>,
}

/// What lists and searches go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Glance {
    pub(crate) flow: u32,
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) method: Piece,
    pub(crate) path: Piece,
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
    pub(crate) failed: bool,
    pub(crate) worker: Option<u16>,
    pub(crate) origin: Option<Piece>,
}

impl Glance {
    /// As [`zerver_trace::Summary::has_succeeded`].
    pub(crate) fn has_succeeded(&self) -> bool {
        !self.failed && self.outcome == Outcome::Done.as_str() && matches!(self.status, 200..=399)
    }
}

impl Row {
    pub(crate) const fn glance(&self) -> Glance {
        Glance {
            flow: self.flow,
            id: self.id,
            class: self.class,
            started_unix_ns: self.started_unix_ns,
            duration_ns: self.duration_ns,
            method: self.method,
            path: self.path,
            status: self.status,
            outcome: self.outcome.as_str(),
            failed: self.outcome.is_failure() || self.status >= 500,
            worker: self.worker,
            origin: match self.origin {
                Origin::Named(piece) => Some(piece),
                Origin::Absent | Origin::NotRecorded => None,
            },
        }
    }

    /// Makes a shape of it.
    pub(crate) fn strip(&mut self, own: &mut Own) {
        own.id = std::mem::replace(&mut self.id, NO_ID);
        own.started_unix_ns = std::mem::take(&mut self.started_unix_ns);
        own.seed = std::mem::take(&mut self.seed);
        own.numbers.clear();
        self.each_number(&mut Taking::new(&mut own.numbers));
        own.pieces.clear();
        self.renumber(|piece| {
            own.pieces.push(piece);
            0
        });
    }

    /// Makes of a shape what it was.
    pub(crate) fn restore(&mut self, own: &Own) {
        self.id = own.id;
        (self.started_unix_ns, self.seed) = (own.started_unix_ns, own.seed);
        self.each_number(&mut Giving::new(&own.numbers));
        let mut pieces = own.pieces.iter();
        self.renumber(|_| pieces.next().copied().unwrap_or_default());
    }

    /// The row that was written.
    pub(crate) fn read(bytes: &[u8], base_ms: u64, pieces: &mut impl Pieces) -> Result<Self, FormatError> {
        let mut rest = bytes;
        let mut row = pieces.piece::<Self>(piece(&mut rest)?)?;
        if let Some(outcome) = piece(&mut rest)?.checked_sub(1) {
            row.outcome = pieces.piece(outcome)?;
        }
        (row.id, row.started_unix_ns) = take_id(base_ms, &mut rest)?;
        let cut = || FormatError::Malformed("a trace is cut off".to_owned());
        let (seed, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        row.seed = u64::from_le_bytes(*seed);
        let mut giving = Giving::new(rest);
        row.each_number(&mut giving);
        let mut rest = giving.finish()?;
        let (mut alike, mut failed) = (None, None);
        let mut next = |usual| -> Result<Piece, FormatError> {
            if alike.is_none() && !rest.is_empty() {
                alike = Some(numbers::take(&mut rest)?);
            }
            match alike {
                None => Ok(usual),
                Some(0) => {
                    alike = None;
                    piece(&mut rest)
                }
                Some(more) => {
                    alike = Some(more - 1);
                    Ok(usual)
                }
            }
        };
        row.renumber(|usual| {
            next(usual).unwrap_or_else(|error| {
                failed = Some(error);
                usual
            })
        });
        match failed {
            Some(error) => Err(error),
            None if alike.is_some() || !rest.is_empty() => Err(FormatError::Trailing(rest.len())),
            None => Ok(row),
        }
    }

    /// What differs from trace to trace, in its order.
    fn each_number(&mut self, to: &mut impl Numbers) {
        for event in &mut self.events {
            match event {
                Event::StepRan { ready_ns, at_ns, cpu_ns, .. } => {
                    to.time(ready_ns);
                    to.time(at_ns);
                    to.span(cpu_ns);
                }
                Event::EffectRequested { at_ns, timeout_ns, .. } => {
                    to.time(at_ns);
                    timeout_ns.iter_mut().for_each(|ns| to.plain(ns));
                }
                Event::CompletionDelayed { ready_ns, at_ns, .. } => {
                    to.time(ready_ns);
                    to.time(at_ns);
                }
                Event::ReadDelayed { unread_ns, ran_ns, .. } => {
                    to.plain(unread_ns);
                    to.plain(ran_ns);
                }
                Event::BodyReceived { at_ns }
                | Event::SlotWritten { at_ns, .. }
                | Event::EffectCompleted { at_ns, .. }
                | Event::Reclassified { at_ns, .. }
                | Event::EffectQueued { at_ns, .. }
                | Event::EffectStarted { at_ns, .. }
                | Event::Migrated { at_ns, .. }
                | Event::QuantumExceeded { at_ns, .. }
                | Event::StepPanicked { at_ns, .. } => to.time(at_ns),
                Event::StepYielded { .. } => {}
            }
        }
        to.time(&mut self.duration_ns);
    }

    /// Puts another number in the place of each.
    pub(crate) fn renumber(&mut self, mut f: impl FnMut(Piece) -> Piece) {
        let texts = [
            &mut self.build,
            &mut self.method,
            &mut self.path,
            &mut self.target,
            &mut self.version,
            &mut self.peer,
            &mut self.request_body,
            &mut self.response_body,
        ];
        for piece in texts {
            *piece = f(*piece);
        }
        for piece in self.request_headers.iter_mut().chain(&mut self.response_headers) {
            *piece = f(*piece);
        }
        for piece in self.events.iter_mut().filter_map(value_mut) {
            *piece = f(*piece);
        }
        if let Origin::Named(piece) = &mut self.origin {
            *piece = f(*piece);
        }
    }

    /// The trace, with its values in their places.
    pub(crate) fn trace(self, flow: Arc<FlowInfo>, pieces: &mut impl Pieces) -> Result<Trace, FormatError> {
        let mut headers = |numbers: Vec<Piece>| -> Result<Vec<Header<Recorded>>, FormatError> {
            numbers.into_iter().map(|number| pieces.piece(number)).collect()
        };
        let (request_headers, response_headers) =
            (headers(self.request_headers)?, headers(self.response_headers)?);
        let mut events = Vec::with_capacity(self.events.len());
        for mut event in self.events {
            let recorded = match value_mut(&mut event) {
                Some(number) => Some(pieces.piece::<Recorded>(*number)?),
                None => None,
            };
            let mut recorded = recorded.into_iter();
            let nothing = || Recorded::Missing(zerver_trace::MissingReason::TooLarge);
            events.push(event.map(|_| recorded.next().unwrap_or_else(nothing)));
        }
        Ok(Trace {
            id: self.id,
            flow,
            class: self.class,
            started_unix_ns: self.started_unix_ns,
            duration_ns: self.duration_ns,
            seed: self.seed,
            build: pieces.piece(self.build)?,
            kept: self.kept,
            method: pieces.piece(self.method)?,
            path: pieces.piece(self.path)?,
            target: pieces.piece(self.target)?,
            version: pieces.piece(self.version)?,
            peer: pieces.piece(self.peer)?,
            request_headers,
            request_body: pieces.piece::<RecordedBody>(self.request_body)?,
            status: self.status,
            response_headers,
            response_body: pieces.piece::<RecordedBody>(self.response_body)?,
            outcome: self.outcome,
            events,
            events_dropped: self.events_dropped,
            worker: self.worker,
            origin: match self.origin {
                Origin::NotRecorded => Origin::NotRecorded,
                Origin::Absent => Origin::Absent,
                Origin::Named(number) => Origin::Named(pieces.piece(number)?),
            },
            redaction: self.redaction,
            is_undelivered: self.undelivered,
        })
    }
}

impl Default for Own {
    fn default() -> Self {
        Self { id: NO_ID, started_unix_ns: 0, seed: 0, numbers: Vec::new(), pieces: Vec::new() }
    }
}

impl Own {
    /// Appends what a row differs by from its shape. Its outcome is a piece, if it is any but done. Times count from
    /// `base_ms`.
    pub(crate) fn write(&self, shape: &Shape, outcome: Option<Piece>, base_ms: u64, out: &mut Vec<u8>) {
        numbers::put(u64::from(shape.piece), out);
        numbers::put(outcome.map_or(0, |piece| u64::from(piece) + 1), out);
        put_id(self.id, self.started_unix_ns, base_ms, out);
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.numbers);
        let mut alike = 0;
        for (piece, usual) in std::iter::zip(&self.pieces, &shape.usual) {
            if piece == usual {
                alike += 1;
                continue;
            }
            numbers::put(std::mem::take(&mut alike), out);
            numbers::put(u64::from(*piece), out);
        }
    }
}

impl Shape {
    /// The shape that a row was made, with the pieces that it had; `put` finds it a place in the block.
    pub(crate) fn new(row: &Row, own: &Own, put: impl FnOnce(&Row) -> (Piece, usize)) -> Self {
        let (mut row, mut pieces) = (row.clone(), own.pieces.iter());
        row.renumber(|_| pieces.next().copied().unwrap_or_default());
        let (piece, len) = put(&row);
        row.renumber(|_| 0);
        Self { row, usual: own.pieces.clone(), piece, len }
    }

    /// Whether it is the one that this row was made.
    pub(crate) fn is(&self, row: &Row) -> bool {
        self.row == *row
    }
}

const NO_ID: RequestId = RequestId::from_u128(0);

/// The time in an id, for ids begin with when their requests began: in milliseconds since the Unix epoch.
pub(crate) const fn time_of(id: RequestId) -> u64 {
    (id.as_u128() >> 80) as u64
}

/// Appends an id, and when its request began.
pub(crate) fn put_id(id: RequestId, started_unix_ns: u64, base_ms: u64, out: &mut Vec<u8>) {
    let ms = time_of(id);
    numbers::put_difference(ms, base_ms, out);
    out.extend_from_slice(&id.as_u128().to_le_bytes()[..10]);
    numbers::put_difference(started_unix_ns, ms.wrapping_mul(1_000_000), out);
}

/// Takes both from the start of some bytes.
pub(crate) fn take_id(base_ms: u64, bytes: &mut &[u8]) -> Result<(RequestId, u64), FormatError> {
    let ms = numbers::take_difference(base_ms, bytes)?;
    let Some((low, rest)) = bytes.split_first_chunk::<10>() else {
        return Err(FormatError::Malformed("an id is cut off".to_owned()));
    };
    *bytes = rest;
    let started_unix_ns = numbers::take_difference(ms.wrapping_mul(1_000_000), bytes)?;
    let mut id = [0; 16];
    id[..10].copy_from_slice(low);
    id[10..].copy_from_slice(&ms.to_le_bytes()[..6]);
    Ok((RequestId::from_u128(u128::from_le_bytes(id)), started_unix_ns))
}

fn piece(bytes: &mut &[u8]) -> Result<Piece, FormatError> {
    let number = numbers::take(bytes)?;
    Piece::try_from(number).map_err(|_| FormatError::Malformed(format!("there is no piece {number}")))
}

fn value_mut<V>(event: &mut Event<V>) -> Option<&mut V> {
    match event {
        Event::StepYielded { progress: value, .. }
        | Event::SlotWritten { value, .. }
        | Event::EffectRequested { args: value, .. }
        | Event::EffectCompleted { answer: Answer::Ok(value), .. } => Some(value),
        Event::BodyReceived { .. }
        | Event::StepRan { .. }
        | Event::EffectCompleted { .. }
        | Event::Reclassified { .. }
        | Event::EffectQueued { .. }
        | Event::EffectStarted { .. }
        | Event::Migrated { .. }
        | Event::QuantumExceeded { .. }
        | Event::CompletionDelayed { .. }
        | Event::ReadDelayed { .. }
        | Event::StepPanicked { .. } => None,
    }
}
