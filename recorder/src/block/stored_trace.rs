//! A trace as its block holds it: with references to pieces in the place of values.
//!
//! The traces of a block have most values in common. Each such value is a piece of the block, which holds it once.

use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_trace::{
    Class, Event, FlowInfo, Header, Kept, Origin, Outcome, Recorded, RecordedBody, RecordedBy, Redaction,
    RequestId, SealedBy, Trace,
};

use crate::block::trace_values::event_value_mut;
use crate::format::FormatError;
use crate::format::delta_varint::NumberVisitor;

/// Number of a piece. A piece is the encoding of a `String`, a `Recorded`, a header, a body, an `Outcome` or a shape.
pub(crate) type PieceId = u32;

/// A [`Trace`] with pieces in the place of its values.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StoredTrace {
    /// Position among the flows of the block.
    pub(crate) flow: u32,
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) seed: u64,
    pub(crate) build: PieceId,
    pub(crate) kept: Kept,
    pub(crate) method: PieceId,
    pub(crate) path: PieceId,
    pub(crate) target: PieceId,
    pub(crate) version: PieceId,
    pub(crate) peer: PieceId,
    pub(crate) request_headers: Vec<PieceId>,
    pub(crate) request_body: PieceId,
    pub(crate) status: u16,
    pub(crate) response_headers: Vec<PieceId>,
    pub(crate) response_body: PieceId,
    pub(crate) outcome: Outcome,
    pub(crate) events: Vec<Event<PieceId>>,
    pub(crate) events_dropped: u32,
    pub(crate) worker: Option<u16>,
    pub(crate) origin: Origin<PieceId>,
    pub(crate) redaction: Redaction,
    pub(crate) undelivered: bool,
    /// Late, because it was added with schema 3.5.
    pub(crate) recorded_by: RecordedBy,
    /// Last, because it was added with schema 3.8.
    pub(crate) sealed_by: SealedBy,
}

/// Source of the pieces to which a stored trace refers.
pub(crate) trait PieceSource {
    fn piece<T: Decode<()>>(&mut self, number: PieceId) -> Result<T, FormatError>;
}

/// The fields of a trace that lists and searches use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SummaryFields {
    pub(crate) flow: u32,
    pub(crate) id: RequestId,
    pub(crate) class: Class,
    pub(crate) started_unix_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) method: PieceId,
    pub(crate) path: PieceId,
    pub(crate) status: u16,
    pub(crate) outcome: &'static str,
    pub(crate) failed: bool,
    pub(crate) worker: Option<u16>,
    pub(crate) origin: Option<PieceId>,
}

impl SummaryFields {
    /// Returns true under the same conditions as [`zerver_trace::Summary::has_succeeded`].
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

    /// Visits the numbers that differ from trace to trace, always in the same order.
    pub(crate) fn visit_numbers(&mut self, to: &mut impl NumberVisitor) {
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
                Event::PolicyDecided { at_ns, wait_ns, .. } => {
                    to.time(at_ns);
                    to.plain(wait_ns);
                }
                Event::BodyReceived { at_ns }
                | Event::SlotWritten { at_ns, .. }
                | Event::EffectCompleted { at_ns, .. }
                | Event::Reclassified { at_ns, .. }
                | Event::EffectQueued { at_ns, .. }
                | Event::EffectStarted { at_ns, .. }
                | Event::Migrated { at_ns, .. }
                | Event::QuantumExceeded { at_ns, .. }
                | Event::StepPanicked { at_ns, .. }
                | Event::EffectPoint { at_ns, .. }
                | Event::UndoRegistered { at_ns, .. }
                | Event::UndoStarted { at_ns, .. }
                | Event::UndoEnded { at_ns, .. }
                | Event::FaultInjected { at_ns, .. }
                | Event::Logged { at_ns, .. }
                | Event::StepLogged { at_ns, .. } => to.time(at_ns),
                Event::StepYielded { .. } => {}
            }
        }
        to.time(&mut self.duration_ns);
    }

    /// Replaces the number of each piece, always in the same order.
    pub(crate) fn map_pieces(&mut self, mut f: impl FnMut(PieceId) -> PieceId) {
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

    /// Loads the pieces and returns the whole trace.
    pub(crate) fn into_trace(
        self,
        flow: Arc<FlowInfo>,
        pieces: &mut impl PieceSource,
    ) -> Result<Trace, FormatError> {
        let mut headers = |numbers: Vec<PieceId>| -> Result<Vec<Header<Recorded>>, FormatError> {
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
            recorded_by: self.recorded_by,
            sealed_by: self.sealed_by,
        })
    }
}
