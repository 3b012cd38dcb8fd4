//! Parts that outlive their block.
//!
//! A part that occurs in several blocks, such as the token of a user or a page that many requests get, is described and
//! searched for secrets once. A part that has occurred in one block only is not kept, so that values that never repeat
//! cost nothing.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;

use crate::describe::part::Part;
use crate::describe::part_table::IdentityHasher;

/// Size of the parts that are kept, in bytes, from which on those that were not used lately are forgotten.
const MAX_BYTES: usize = 4 << 20;
/// Maximum length of a part that is kept, in bytes.
const MAX_PART: usize = 64 << 10;

/// Parts of earlier blocks in two generations. A part that is used again returns into the newer one; once that is large
/// enough, the older one is forgotten.
#[derive(Debug, Default)]
pub(super) struct KnownParts {
    newer: Generation,
    older: Generation,
    /// Size of the newer generation.
    bytes: usize,
    seen: SeenFilter,
}

/// Parts by their hashes.
type Generation = HashMap<u64, Box<Part>, BuildHasherDefault<IdentityHasher>>;

impl KnownParts {
    /// Removes the part with these bytes, and returns it.
    pub(super) fn take(
        &mut self,
        hash: u64,
        salt: u64,
        prefix_len: usize,
        bytes: &[u8],
    ) -> Option<Box<Part>> {
        for generation in [&mut self.newer, &mut self.older] {
            if let Entry::Occupied(known) = generation.entry(hash)
                && known.get().salt == salt
                && known.get().prefix_len == prefix_len
                && known.get().known_bytes.as_deref() == Some(bytes)
            {
                return Some(known.remove());
            }
        }
        None
    }

    /// Keeps a part of a block that has ended, if it has occurred before.
    pub(super) fn keep(&mut self, mut part: Box<Part>, bytes: &[u8]) {
        if bytes.len() > MAX_PART || !(part.known_bytes.is_some() || self.seen.insert(part.hash)) {
            return;
        }
        if self.bytes >= MAX_BYTES {
            self.older = std::mem::take(&mut self.newer);
            self.bytes = 0;
        }
        part.leave_block(bytes);
        self.bytes += 2 * bytes.len() + size_of::<Part>();
        self.newer.insert(part.hash, part);
    }

    /// Forgets all parts.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Number of bits of a filter.
const BITS: usize = 1 << 20;
/// Number of hashes at which a filter is full enough: about a tenth of the answers are wrong then.
const MAX_HASHES: usize = BITS / 10;

/// The hashes of the parts of the latest blocks, approximately. A wrong answer keeps a part for nothing.
#[derive(Debug, Default)]
struct SeenFilter {
    newer: Vec<u64>,
    older: Vec<u64>,
    /// Number of hashes in the newer half.
    hashes: usize,
}

impl SeenFilter {
    /// Adds a hash. Returns true if it had been added before.
    fn insert(&mut self, hash: u64) -> bool {
        if self.hashes == 0 {
            self.newer.clear();
            self.newer.resize(BITS / 64, 0);
        }
        let (at, bit) = ((hash >> 38) as usize % (BITS / 64), 1 << (hash >> 32 & 63));
        let is_in = |half: &[u64]| half.get(at).is_some_and(|word| word & bit != 0);
        let was_seen = is_in(&self.newer) || is_in(&self.older);
        if !is_in(&self.newer) {
            self.newer[at] |= bit;
            self.hashes += 1;
        }
        if self.hashes >= MAX_HASHES {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.hashes = 0;
        }
        was_seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_seen_until_many_others_were() {
        let mut seen = SeenFilter::default();
        let hash = |n: u64| xxhash_rust::xxh3::xxh3_64(&n.to_le_bytes());
        assert!(!seen.insert(hash(1)));
        assert!(seen.insert(hash(1)));
        let wrong = (2..2 + MAX_HASHES as u64 / 2).filter(|n| seen.insert(hash(*n))).count();
        assert!(wrong < MAX_HASHES / 10, "{wrong}");
        assert!(seen.insert(hash(1)));
        (0..4 * MAX_HASHES as u64).for_each(|n| {
            let _ = seen.insert(hash(1_000_000 + n));
        });
        // A wrong answer is possible for one hash, but not for most of them.
        let forgotten = (2..1_000).filter(|n| !seen.insert(hash(*n))).count();
        assert!(forgotten > 700, "{forgotten}");
    }
}
