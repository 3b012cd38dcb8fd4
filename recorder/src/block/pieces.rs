//! The pieces of a block that is being filled.

use crate::block::stored_trace::PieceId;
use crate::format::delta_varint;

/// Pieces in the order of their numbers. Encrypted ones are kept apart, because compression would only slow them down.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    plain: Vec<u8>,
    opaque: Vec<u8>,
    spans: Vec<Span>,
}

/// Place of a piece among the pieces of its kind.
#[derive(Debug, Clone, Copy)]
struct Span {
    end: u32,
    len: u32,
    is_opaque: bool,
}

impl Pieces {
    /// Returns the number of pieces.
    pub(super) const fn count(&self) -> usize {
        self.spans.len()
    }

    /// Returns the bytes of the pieces that are worth compressing.
    pub(super) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Returns the bytes of the others.
    pub(super) fn opaque(&self) -> &[u8] {
        &self.opaque
    }

    /// Adds a piece without looking for an equal one.
    pub(super) fn add(&mut self, is_opaque: bool, encode: impl FnOnce(&mut Vec<u8>)) -> PieceId {
        let bytes = if is_opaque { &mut self.opaque } else { &mut self.plain };
        let start = bytes.len();
        encode(bytes);
        let (end, len) = (bytes.len() as u32, (bytes.len() - start) as u32);
        self.spans.push(Span { end, len, is_opaque });
        (self.spans.len() - 1) as PieceId
    }

    /// Returns a piece, which is empty if there is none of this number.
    pub(super) fn get(&self, piece: PieceId) -> &[u8] {
        let Some(span) = self.spans.get(piece as usize) else { return &[] };
        let bytes = if span.is_opaque { &self.opaque } else { &self.plain };
        &bytes[(span.end - span.len) as usize..span.end as usize]
    }

    /// Removes every piece after the first `count`.
    pub(super) fn truncate(&mut self, count: usize) {
        self.spans.truncate(count);
        for (is_opaque, bytes) in [(false, &mut self.plain), (true, &mut self.opaque)] {
            let last = self.spans.iter().rev().find(|span| span.is_opaque == is_opaque);
            bytes.truncate(last.map_or(0, |span| span.end as usize));
        }
    }

    /// Encodes the length of each piece.
    pub(super) fn write_lengths(&self, out: &mut Vec<u8>) {
        self.spans.iter().for_each(|span| delta_varint::write(u64::from(span.len), out));
    }

    /// Encodes which pieces are opaque: the distance of each from the one before. Nothing if none is.
    pub(super) fn write_opaque(&self, out: &mut Vec<u8>) {
        let mut next = 0;
        for (number, _) in (0..).zip(&self.spans).filter(|(_, span)| span.is_opaque) {
            delta_varint::write(number - next, out);
            next = number + 1;
        }
    }

    /// Removes all pieces, and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.plain.clear();
        self.opaque.clear();
        self.spans.clear();
    }
}
