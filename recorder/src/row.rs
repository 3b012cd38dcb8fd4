//! A trace as it lies in its block: what differs from trace to trace, and the numbers of the pieces of the block that
//! hold the rest. Traces of one block have most of their values in common, and each is there once.

use std::sync::Arc;

use bincode::{Decode, Encode};
use zerver_trace::{
    Answer, Class, Event, FlowInfo, Header, Kept, Outcome, Recorded, RecordedBody, RequestId, Trace,
};

use crate::format::FormatError;

/// The number of a piece: what a `String` encodes to, or a `Recorded`, or a header or a body with one.
pub(crate) type Piece = u32;

/// A [`Trace`] with pieces for its values.
#[derive(Debug, Encode, Decode)]
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
    /// At the end, as [`format::as_now`](crate::format::as_now) has it.
    pub(crate) worker: Option<u16>,
}

/// Where the pieces of a row are read from.
pub(crate) trait Pieces {
    fn piece<T: Decode<()>>(&mut self, number: Piece) -> Result<T, FormatError>;
}

impl Row {
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
        let headers = self.request_headers.iter_mut().chain(&mut self.response_headers);
        for piece in texts.into_iter().chain(headers).chain(self.events.iter_mut().filter_map(value_mut)) {
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
        })
    }
}

fn value_mut<V>(event: &mut Event<V>) -> Option<&mut V> {
    match event {
        Event::Yielded { progress: value, .. }
        | Event::Wrote { value, .. }
        | Event::Asked { args: value, .. }
        | Event::Answered { answer: Answer::Ok(value), .. } => Some(value),
        Event::Received { .. }
        | Event::Ran { .. }
        | Event::Answered { .. }
        | Event::Moved { .. }
        | Event::Held { .. }
        | Event::Begun { .. }
        | Event::Carried { .. } => None,
    }
}
