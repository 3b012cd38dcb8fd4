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
use crate::format::delta_varint::NumberVisitor;

/// The number of a piece: what a `String` encodes to, or a `Recorded`, or a header or a body with one, or an `Outcome`,
/// or a shape.
pub(crate) type Piece = u32;

/// A [`Trace`] with pieces for its values.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredTrace {
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

/// Where the pieces of a stored are read from.
pub(crate) trait PieceSource {
    fn piece<T: Decode<()>>(&mut self, number: Piece) -> Result<T, FormatError>;
}

/// What lists and searches go by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SummaryFields {
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

impl SummaryFields {
    /// As [`zerver_trace::Summary::has_succeeded`].
    pub(crate) fn has_succeeded(&self) -> bool {
        !self.failed && self.outcome == Outcome::Done.as_str() && matches!(self.status, 200..=399)
    }
}

impl StoredTrace {
    pub(crate) const fn summary_fields(&self) -> SummaryFields {
        SummaryFields {
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

    /// What differs from trace to trace, in its order.
    pub(super) fn visit_numbers(&mut self, to: &mut impl NumberVisitor) {
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
    pub(crate) fn map_pieces(&mut self, mut f: impl FnMut(Piece) -> Piece) {
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
        for piece in self.events.iter_mut().filter_map(event_value_mut) {
            *piece = f(*piece);
        }
        if let Origin::Named(piece) = &mut self.origin {
            *piece = f(*piece);
        }
    }

    /// The trace, with its values in their places.
    pub(crate) fn trace(
        self,
        flow: Arc<FlowInfo>,
        pieces: &mut impl PieceSource,
    ) -> Result<Trace, FormatError> {
        let mut headers = |numbers: Vec<Piece>| -> Result<Vec<Header<Recorded>>, FormatError> {
            numbers.into_iter().map(|number| pieces.piece(number)).collect()
        };
        let (request_headers, response_headers) =
            (headers(self.request_headers)?, headers(self.response_headers)?);
        let mut events = Vec::with_capacity(self.events.len());
        for mut event in self.events {
            let recorded = match event_value_mut(&mut event) {
                Some(number) => Some(pieces.piece::<Recorded>(*number)?),
                None => None,
            };
            let mut recorded = recorded.into_iter();
            let nothing = || Recorded::Missing(zerver_trace::Missing::TooLarge);
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
            undelivered: self.undelivered,
        })
    }
}

fn event_value_mut<V>(event: &mut Event<V>) -> Option<&mut V> {
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
