//! Traces of a block as far as a search needs them: their events without times, and references to their values.
//!
//! The shape of a trace is decoded once per block, and what differs from it is read without building the trace.

use std::collections::BTreeMap;

use zerver_trace::{Event, RequestId, ValuePlace};

use crate::block::stored_trace::{PieceId, StoredTrace};
use crate::block::trace_shape::EncodedTrace;
use crate::block::trace_values::event_value_mut;
use crate::format::FormatError;
use crate::format::delta_varint::{self, NumberVisitor};

/// Number of pieces before those of the headers, in the order of [`StoredTrace::map_pieces`].
const FIXED_PIECES: usize = 8;

/// A shape, prepared for reading its traces.
pub(crate) struct OutlineShape {
    /// Events, with references to the values of the first trace of the shape.
    pub(crate) events: Vec<Event<PieceId>>,
    pub(crate) flow: u32,
    /// Pieces of the first trace of the shape.
    common: Vec<PieceId>,
    /// Number of its numbers.
    numbers: usize,
    request_headers: usize,
    response_headers: usize,
    /// Place of the last value of each slot among the pieces.
    slots: BTreeMap<u16, usize>,
}

/// Counts numbers.
struct NumberCounter(usize);

impl NumberVisitor for NumberCounter {
    fn time(&mut self, _: &mut u64) {
        self.0 += 1;
    }

    fn span(&mut self, _: &mut u64) {
        self.0 += 1;
    }

    fn plain(&mut self, _: &mut u64) {
        self.0 += 1;
    }
}

impl OutlineShape {
    pub(crate) fn new(mut stored: StoredTrace) -> Self {
        let (mut numbers, mut common) = (NumberCounter(0), Vec::new());
        stored.visit_numbers(&mut numbers);
        stored.map_pieces(|piece| {
            common.push(piece);
            piece
        });
        let (request_headers, response_headers) =
            (stored.request_headers.len(), stored.response_headers.len());
        let (mut slots, mut at) = (BTreeMap::new(), FIXED_PIECES + request_headers + response_headers);
        for event in &mut stored.events {
            let slot = if let Event::SlotWritten { slot, .. } = event { Some(*slot) } else { None };
            if event_value_mut(event).is_some() {
                slots.extend(slot.map(|slot| (slot, at)));
                at += 1;
            }
        }
        Self {
            events: stored.events,
            flow: stored.flow,
            common,
            numbers: numbers.0,
            request_headers,
            response_headers,
            slots,
        }
    }

    /// Returns the places of values among the pieces of a trace.
    pub(crate) fn pieces_at(&self, place: ValuePlace) -> std::ops::Range<usize> {
        let one = |at: usize| at..at + 1;
        let headers = FIXED_PIECES..FIXED_PIECES + self.request_headers;
        match place {
            ValuePlace::Build => one(0),
            ValuePlace::Target => one(3),
            ValuePlace::Peer => one(5),
            ValuePlace::RequestBody => one(6),
            ValuePlace::ResponseBody => one(7),
            ValuePlace::RequestHeaders => headers,
            ValuePlace::ResponseHeaders => headers.end..headers.end + self.response_headers,
            ValuePlace::Slot(slot) => self.slots.get(&slot).map_or(0..0, |at| one(*at)),
        }
    }

    /// Reads the pieces of a trace of this shape. Returns its id.
    pub(crate) fn read(
        &self,
        trace: &EncodedTrace<'_>,
        pieces: &mut Vec<PieceId>,
    ) -> Result<RequestId, FormatError> {
        let mut rest = trace.rest;
        delta_varint::skip(self.numbers, &mut rest)?;
        pieces.clear();
        let mut changes = trace.changes(rest);
        for common in &self.common {
            pieces.push(changes.next(*common)?);
        }
        changes.finish()?;
        Ok(trace.id)
    }
}
