//! The shape of a stored trace, and the delta that turns the shape back into the trace.
//!
//! Traces of requests that took the same path differ only in their ids, their times and a few of their pieces. The
//! shape is kept once in the block, and each trace as its delta.

use zerver_trace::RequestId;

use crate::block::compact_id;
use crate::block::stored_trace::{PieceId, PieceSource, StoredTrace};
use crate::format::FormatError;
use crate::format::delta_varint::{self, DeltaReader, DeltaWriter};

/// The common part of similar traces: a stored trace whose id, numbers and pieces are zero.
#[derive(Debug)]
pub(crate) struct TraceShape {
    stored: StoredTrace,
    /// Pieces of the first trace of this shape.
    common: Vec<PieceId>,
    /// Piece that holds the encoded shape, with the pieces of that first trace.
    pub(crate) piece: PieceId,
    /// Length of the encoded shape, in bytes.
    pub(crate) len: usize,
}

/// Everything that is removed from a stored trace to turn it into its shape.
#[derive(Debug)]
pub(crate) struct ShapeDelta {
    id: RequestId,
    started_unix_ns: u64,
    seed: u64,
    numbers: Vec<u8>,
    pieces: Vec<PieceId>,
}

impl Default for ShapeDelta {
    fn default() -> Self {
        Self { id: NO_ID, started_unix_ns: 0, seed: 0, numbers: Vec::new(), pieces: Vec::new() }
    }
}

impl ShapeDelta {
    /// Appends the encoded trace: its shape and what differs from it. `outcome` is `None` if the outcome is `Done`.
    /// Times are relative to `base_ms`.
    pub(crate) fn write(
        &self,
        shape: &TraceShape,
        outcome: Option<PieceId>,
        base_ms: u64,
        out: &mut Vec<u8>,
    ) {
        delta_varint::write(u64::from(shape.piece), out);
        delta_varint::write(outcome.map_or(0, |piece| u64::from(piece) + 1), out);
        compact_id::write(self.id, self.started_unix_ns, base_ms, out);
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.numbers);
        let mut unchanged = 0;
        for (piece, common) in std::iter::zip(&self.pieces, &shape.common) {
            if piece == common {
                unchanged += 1;
                continue;
            }
            delta_varint::write(std::mem::take(&mut unchanged), out);
            delta_varint::write(u64::from(*piece), out);
        }
    }
}

impl TraceShape {
    /// Creates a shape from a trace that was stripped to it. `put` adds the encoded shape to the block, and returns its
    /// piece and its length.
    pub(crate) fn new(
        stored: &StoredTrace,
        delta: &ShapeDelta,
        put: impl FnOnce(&StoredTrace) -> (PieceId, usize),
    ) -> Self {
        let (mut stored, mut pieces) = (stored.clone(), delta.pieces.iter());
        stored.map_pieces(|_| pieces.next().copied().unwrap_or_default());
        let (piece, len) = put(&stored);
        stored.map_pieces(|_| 0);
        Self { stored, common: delta.pieces.clone(), piece, len }
    }

    /// Returns true if a stripped trace has this shape.
    pub(crate) fn matches(&self, stored: &StoredTrace) -> bool {
        self.stored == *stored
    }
}

impl StoredTrace {
    /// Turns the trace into its shape, and moves the rest into `delta`.
    pub(crate) fn strip_to_shape(&mut self, delta: &mut ShapeDelta) {
        delta.id = std::mem::replace(&mut self.id, NO_ID);
        delta.started_unix_ns = std::mem::take(&mut self.started_unix_ns);
        delta.seed = std::mem::take(&mut self.seed);
        delta.numbers.clear();
        self.visit_numbers(&mut DeltaWriter::new(&mut delta.numbers));
        delta.pieces.clear();
        self.map_pieces(|piece| {
            delta.pieces.push(piece);
            0
        });
    }

    /// Undoes [`StoredTrace::strip_to_shape`].
    pub(crate) fn restore(&mut self, delta: &ShapeDelta) {
        self.id = delta.id;
        (self.started_unix_ns, self.seed) = (delta.started_unix_ns, delta.seed);
        self.visit_numbers(&mut DeltaReader::new(&delta.numbers));
        let mut pieces = delta.pieces.iter();
        self.map_pieces(|_| pieces.next().copied().unwrap_or_default());
    }

    /// Decodes what [`ShapeDelta::write`] encoded.
    pub(crate) fn read(
        bytes: &[u8],
        base_ms: u64,
        pieces: &mut impl PieceSource,
    ) -> Result<Self, FormatError> {
        let encoded = EncodedTrace::read(bytes, base_ms)?;
        let mut stored = pieces.piece::<Self>(encoded.shape)?;
        if let Some(outcome) = encoded.outcome {
            stored.outcome = pieces.piece(outcome)?;
        }
        (stored.id, stored.started_unix_ns, stored.seed) =
            (encoded.id, encoded.started_unix_ns, encoded.seed);
        let mut reader = DeltaReader::new(encoded.rest);
        stored.visit_numbers(&mut reader);
        let (mut changes, mut failed) = (encoded.changes(reader.finish()?), None);
        stored.map_pieces(|common| {
            changes.next(common).unwrap_or_else(|error| {
                failed = Some(error);
                common
            })
        });
        failed.map_or_else(|| changes.finish(), Err)?;
        Ok(stored)
    }
}

/// An encoded trace: what precedes its numbers, and the rest.
pub(crate) struct EncodedTrace<'b> {
    pub(crate) shape: PieceId,
    outcome: Option<PieceId>,
    pub(crate) id: RequestId,
    started_unix_ns: u64,
    seed: u64,
    /// The numbers, and the pieces that differ from those of the shape.
    pub(crate) rest: &'b [u8],
}

impl<'b> EncodedTrace<'b> {
    pub(crate) fn read(bytes: &'b [u8], base_ms: u64) -> Result<Self, FormatError> {
        let mut rest = bytes;
        let (shape, outcome) = (piece(&mut rest)?, piece(&mut rest)?.checked_sub(1));
        let (id, started_unix_ns) = compact_id::read(base_ms, &mut rest)?;
        let cut = || FormatError::Malformed("a trace ends too early".to_owned());
        let (seed, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        Ok(Self { shape, outcome, id, started_unix_ns, seed: u64::from_le_bytes(*seed), rest })
    }

    /// Returns the changed pieces, given the bytes that follow the numbers.
    pub(crate) const fn changes(&self, rest: &'b [u8]) -> PieceChanges<'b> {
        PieceChanges { rest, unchanged: None }
    }
}

/// The pieces of a trace that differ from those of its shape.
pub(crate) struct PieceChanges<'b> {
    rest: &'b [u8],
    /// Number of unchanged pieces before the next change.
    unchanged: Option<u64>,
}

impl PieceChanges<'_> {
    /// Returns the next piece of the trace, given that of the shape.
    pub(crate) fn next(&mut self, common: PieceId) -> Result<PieceId, FormatError> {
        if self.unchanged.is_none() && !self.rest.is_empty() {
            self.unchanged = Some(delta_varint::read(&mut self.rest)?);
        }
        match self.unchanged {
            None => Ok(common),
            Some(0) => {
                self.unchanged = None;
                piece(&mut self.rest)
            }
            Some(more) => {
                self.unchanged = Some(more - 1);
                Ok(common)
            }
        }
    }

    /// Checks that nothing follows.
    pub(crate) fn finish(self) -> Result<(), FormatError> {
        match self.unchanged.is_some() || !self.rest.is_empty() {
            true => Err(FormatError::Trailing(self.rest.len())),
            false => Ok(()),
        }
    }
}

const NO_ID: RequestId = RequestId::from_u128(0);

fn piece(bytes: &mut &[u8]) -> Result<PieceId, FormatError> {
    let number = delta_varint::read(bytes)?;
    PieceId::try_from(number)
        .map_err(|_| FormatError::Malformed(format!("piece {number} is missing from the block")))
}
