//! X

use zerver_trace::RequestId;

use crate::block::compact_id;
use crate::block::stored_trace::{Piece, PieceSource, StoredTrace};
use crate::format::FormatError;
use crate::format::delta_varint::{self, DeltaReader, DeltaWriter};

/// What stored of one shape have in common: a stored whose id, numbers and pieces are 0.
#[derive(Debug)]
pub(crate) struct TraceShape {
    stored: StoredTrace,
    /// The pieces of the first of them.
    usual: Vec<Piece>,
    /// The piece that holds it, and how long that is.
    pub(crate) piece: Piece,
    pub(crate) len: usize,
}

/// What is taken out of a stored to make a shape of it.
#[derive(Debug)]
pub(crate) struct ShapeDelta {
    id: RequestId,
    started_unix_ns: u64,
    seed: u64,
    numbers: Vec<u8>,
    pieces: Vec<Piece>,
}

impl Default for ShapeDelta {
    fn default() -> Self {
        Self { id: NO_ID, started_unix_ns: 0, seed: 0, numbers: Vec::new(), pieces: Vec::new() }
    }
}

impl ShapeDelta {
    /// Appends what a stored differs by from its shape. Its outcome is a piece, if it is any but done. Times count from
    /// `base_ms`.
    pub(crate) fn write(&self, shape: &TraceShape, outcome: Option<Piece>, base_ms: u64, out: &mut Vec<u8>) {
        delta_varint::write(u64::from(shape.piece), out);
        delta_varint::write(outcome.map_or(0, |piece| u64::from(piece) + 1), out);
        compact_id::write(self.id, self.started_unix_ns, base_ms, out);
        out.extend_from_slice(&self.seed.to_le_bytes());
        out.extend_from_slice(&self.numbers);
        let mut alike = 0;
        for (piece, usual) in std::iter::zip(&self.pieces, &shape.usual) {
            if piece == usual {
                alike += 1;
                continue;
            }
            delta_varint::write(std::mem::take(&mut alike), out);
            delta_varint::write(u64::from(*piece), out);
        }
    }
}

impl TraceShape {
    /// The shape that a stored was made, with the pieces that it had; `put` finds it a place in the block.
    pub(crate) fn new(
        stored: &StoredTrace,
        own: &ShapeDelta,
        put: impl FnOnce(&StoredTrace) -> (Piece, usize),
    ) -> Self {
        let (mut stored, mut pieces) = (stored.clone(), own.pieces.iter());
        stored.map_pieces(|_| pieces.next().copied().unwrap_or_default());
        let (piece, len) = put(&stored);
        stored.map_pieces(|_| 0);
        Self { stored, usual: own.pieces.clone(), piece, len }
    }

    /// Whether it is the one that this stored was made.
    pub(crate) fn is(&self, stored: &StoredTrace) -> bool {
        self.stored == *stored
    }
}

impl StoredTrace {
    /// Makes a shape of it.
    pub(crate) fn strip_to_shape(&mut self, own: &mut ShapeDelta) {
        own.id = std::mem::replace(&mut self.id, NO_ID);
        own.started_unix_ns = std::mem::take(&mut self.started_unix_ns);
        own.seed = std::mem::take(&mut self.seed);
        own.numbers.clear();
        self.visit_numbers(&mut DeltaWriter::new(&mut own.numbers));
        own.pieces.clear();
        self.map_pieces(|piece| {
            own.pieces.push(piece);
            0
        });
    }

    /// Makes of a shape what it was.
    pub(crate) fn restore(&mut self, own: &ShapeDelta) {
        self.id = own.id;
        (self.started_unix_ns, self.seed) = (own.started_unix_ns, own.seed);
        self.visit_numbers(&mut DeltaReader::new(&own.numbers));
        let mut pieces = own.pieces.iter();
        self.map_pieces(|_| pieces.next().copied().unwrap_or_default());
    }

    /// The stored that was written.
    pub(crate) fn read(
        bytes: &[u8],
        base_ms: u64,
        pieces: &mut impl PieceSource,
    ) -> Result<Self, FormatError> {
        let mut rest = bytes;
        let mut stored = pieces.piece::<Self>(piece(&mut rest)?)?;
        if let Some(outcome) = piece(&mut rest)?.checked_sub(1) {
            stored.outcome = pieces.piece(outcome)?;
        }
        (stored.id, stored.started_unix_ns) = compact_id::read(base_ms, &mut rest)?;
        let cut = || FormatError::Malformed("a trace is cut off".to_owned());
        let (seed, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        stored.seed = u64::from_le_bytes(*seed);
        let mut reader = DeltaReader::new(rest);
        stored.visit_numbers(&mut reader);
        let mut rest = reader.finish()?;
        let (mut alike, mut failed) = (None, None);
        let mut next = |usual| -> Result<Piece, FormatError> {
            if alike.is_none() && !rest.is_empty() {
                alike = Some(delta_varint::read(&mut rest)?);
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
        stored.map_pieces(|usual| {
            next(usual).unwrap_or_else(|error| {
                failed = Some(error);
                usual
            })
        });
        match failed {
            Some(error) => Err(error),
            None if alike.is_some() || !rest.is_empty() => Err(FormatError::Trailing(rest.len())),
            None => Ok(stored),
        }
    }
}

const NO_ID: RequestId = RequestId::from_u128(0);

fn piece(bytes: &mut &[u8]) -> Result<Piece, FormatError> {
    let number = delta_varint::read(bytes)?;
    Piece::try_from(number).map_err(|_| FormatError::Malformed(format!("there is no piece {number}")))
}
