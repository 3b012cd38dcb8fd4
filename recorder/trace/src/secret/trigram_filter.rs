//! An approximate set of trigrams.

/// An approximate set of trigrams (runs of three bytes). Lookups can return false positives.
#[derive(Debug, Clone, Copy, Default)]
pub struct TrigramFilter([u64; 16]);

impl TrigramFilter {
    const BITS: usize = 1024;

    /// Adds a trigram.
    pub const fn insert(&mut self, [a, b, c]: [u8; 3]) {
        let hash = Self::hash((a as u32) << 16 | (b as u32) << 8 | c as u32);
        self.0[hash >> 6] |= 1 << (hash & 63);
    }

    /// Returns the number of a trigram, for [`has_number`](Self::has_number).
    pub const fn number([a, b, c]: [u8; 3]) -> u16 {
        Self::hash((a as u32) << 16 | (b as u32) << 8 | c as u32) as u16
    }

    /// Returns false only if no trigram with this number was added.
    #[inline]
    pub const fn has_number(&self, number: u16) -> bool {
        let number = number as usize % Self::BITS;
        self.0[number >> 6] >> (number & 63) & 1 == 1
    }

    /// Adds all trigrams of some bytes.
    pub fn insert_all(&mut self, bytes: &[u8]) {
        bytes.windows(3).for_each(|three| self.insert([three[0], three[1], three[2]]));
    }

    const fn hash(three: u32) -> usize {
        (three.wrapping_mul(0x9e37_79b1) >> 22) as usize
    }

    /// Returns false only if the trigram was not added.
    #[inline]
    pub const fn has(&self, [a, b, c]: [u8; 3]) -> bool {
        let hash = Self::hash((a as u32) << 16 | (b as u32) << 8 | c as u32);
        self.0[hash >> 6] >> (hash & 63) & 1 == 1
    }

    /// Returns the indices at which an added trigram may begin.
    #[inline]
    pub fn positions(&self, bytes: &[u8]) -> impl Iterator<Item = usize> {
        let each = bytes.windows(3).enumerate();
        each.filter(|(_, three)| self.has([three[0], three[1], three[2]])).map(|(at, _)| at)
    }
}
