//! A column that grows by whole chunks: existing values never move, and at most one chunk is partly unused.

const PIECE: usize = 4096;

#[derive(Debug)]
pub(super) struct ChunkedColumn<T>(Vec<Vec<T>>);

impl<T> Default for ChunkedColumn<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> ChunkedColumn<T> {
    pub(super) fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    pub(super) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < PIECE => last.push(value),
            _ => {
                let mut piece = Vec::with_capacity(PIECE);
                piece.push(value);
                self.0.push(piece);
            }
        }
    }

    /// Returns the value at an index, which must exist.
    pub(super) fn get(&self, at: usize) -> T {
        self.0[at / PIECE][at % PIECE]
    }
}
