//! The parts of the traces in a block.
//!
//! A part that occurs again, such as a header, a shared value or an empty body, is recognized by its bytes. It is
//! described, searched for secrets and sealed once per block, or once at all if it occurs in many blocks.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;
use zerver_trace::secret::Rule;

use crate::block::block_builder::BlockBuilder;
use crate::block::stored_trace::PieceId;
use crate::describe::known_parts::KnownParts;
use crate::describe::part::Part;
use crate::describe::part_content::NewPart;
use crate::secrets::sealer::Sealer;
use crate::secrets::trace_secrets::TraceSecrets;

/// Maximum number of sets of secrets that are remembered.
const MAX_SETS: usize = 4096;

/// Number of a part in its table.
pub(crate) type PartId = u32;

/// The parts of the block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct PartTable {
    rule: Rule,
    by_hash: HashMap<u64, PartId, BuildHasherDefault<IdentityHasher>>,
    #[expect(
        clippy::vec_box,
        reason = "a part is large, and moves between here and the parts that are known"
    )]
    parts: Vec<Box<Part>>,
    /// The bytes by which parts are recognized, followed by those of the current search.
    bytes: Vec<u8>,
    /// Parts of the last trace of each flow, in their order. The next trace of the flow usually has the same ones,
    /// which are then found without hashing.
    predictions: Vec<(usize, Vec<PartId>)>,
    /// Position in `predictions` of the flow of the current trace.
    current: usize,
    /// Number of parts of the current trace so far.
    position: usize,
    /// Parts of earlier blocks.
    known: KnownParts,
    /// Number of parts that were ever created.
    created: u64,
    /// Sets of secrets, by the serial numbers of the parts that contain them, and the set that was used last.
    sets: HashMap<Vec<u64>, SecretSet>,
    last_set: Option<(Vec<u64>, SecretSet)>,
    /// Number of the next set. Numbers are unique across blocks.
    next_set: u64,
}

/// All secrets of a trace.
#[derive(Debug, Clone)]
pub(crate) struct SecretSet {
    number: u64,
    secrets: Arc<TraceSecrets>,
}

impl SecretSet {
    pub(crate) fn secrets(&self) -> &TraceSecrets {
        &self.secrets
    }
}

impl PartTable {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, ..Self::default() }
    }

    pub(crate) const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Returns the part with these bytes. `prefix` precedes the value in its piece. Equal bytes with another `salt` are
    /// another part. `describe` is called only for a new part.
    pub(crate) fn intern(
        &mut self,
        salt: u64,
        prefix: &[u8],
        bytes: &[u8],
        describe: impl FnOnce(&Rule) -> NewPart,
    ) -> PartId {
        let at = self.position;
        self.position += 1;
        if let Some(&part) = self.predictions.get(self.current).and_then(|(_, parts)| parts.get(at)) {
            let known = &self.parts[part as usize];
            if known.salt == salt
                && known.prefix_len == prefix.len()
                && self.bytes[known.bytes.clone()].split_at(known.prefix_len) == (prefix, bytes)
            {
                return part;
            }
        }
        let part = self.find_or_add(salt, prefix, bytes, describe);
        if let Some((_, parts)) = self.predictions.get_mut(self.current) {
            match parts.get_mut(at) {
                Some(habitual) => *habitual = part,
                None => parts.push(part),
            }
        }
        part
    }

    /// Begins a trace of a flow, which is identified by its address.
    pub(crate) fn begin_trace(&mut self, flow: usize) {
        self.position = 0;
        self.current = self.predictions.iter().position(|(of, _)| *of == flow).unwrap_or_else(|| {
            self.predictions.push((flow, Vec::new()));
            self.predictions.len() - 1
        });
    }

    fn find_or_add(
        &mut self,
        salt: u64,
        prefix: &[u8],
        bytes: &[u8],
        describe: impl FnOnce(&Rule) -> NewPart,
    ) -> PartId {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(prefix);
        self.bytes.extend_from_slice(bytes);
        let hash = xxh3_64_with_seed(&self.bytes[start..], salt ^ (prefix.len() as u64) << 48);
        if let Some(&part) = self.by_hash.get(&hash) {
            let known = &self.parts[part as usize];
            if known.salt == salt
                && known.prefix_len == prefix.len()
                && self.bytes[known.bytes.clone()] == self.bytes[start..]
            {
                self.bytes.truncate(start);
                return part;
            }
        }
        let range = start..self.bytes.len();
        let entry = match self.known.take(hash, salt, prefix.len(), &self.bytes[start..]) {
            Some(mut known) => {
                known.bytes = range;
                known
            }
            None => {
                let NewPart { content, is_secret, own_secrets, secrets } = describe(&self.rule);
                self.created += 1;
                Box::new(Part {
                    serial: self.created,
                    hash,
                    known_bytes: None,
                    salt,
                    bytes: range,
                    prefix_len: prefix.len(),
                    content,
                    is_secret,
                    own_secrets,
                    secrets: (!secrets.is_empty()).then(|| Arc::new(secrets)),
                    was_checked: false,
                    trigrams: None,
                    plain_piece: None,
                    clear_of_set: 0,
                    masked_pieces: Vec::new(),
                    plain_encoding: None,
                    masked_encoding: None,
                })
            }
        };
        let part = self.parts.len() as PartId;
        self.parts.push(entry);
        self.by_hash.insert(hash, part);
        part
    }

    /// Number of parts of the current trace so far, for [`PartTable::rewind`].
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// Undoes a search that panicked. Parts that were added since stay in the table.
    pub(crate) fn rewind(&mut self, position: usize) {
        self.position = position;
        self.bytes.truncate(self.parts.last().map_or(0, |part| part.bytes.end));
    }

    pub(crate) fn has_secrets(&self, part: PartId) -> bool {
        self.parts[part as usize].secrets.is_some()
    }

    /// Returns the set of secrets of a trace: those of `parts`, and `more`.
    pub(crate) fn secret_set(&mut self, parts: &[PartId], more: TraceSecrets) -> Option<SecretSet> {
        if parts.is_empty() && more.is_empty() {
            return None;
        }
        let serials = parts.iter().map(|part| self.parts[*part as usize].serial);
        if more.is_empty() {
            if let Some((last, set)) = &self.last_set
                && serials.clone().eq(last.iter().copied())
            {
                return Some(set.clone());
            }
            let serials: Vec<u64> = serials.clone().collect();
            if let Some(set) = self.sets.get(&serials).cloned() {
                self.last_set = Some((serials, set.clone()));
                return Some(set);
            }
        }
        let serials: Vec<u64> = serials.collect();
        self.next_set += 1;
        let secrets = match parts {
            [part] if more.is_empty() => self.parts[*part as usize].secrets.clone().unwrap_or_default(),
            _ => {
                let mut secrets = TraceSecrets::default();
                for part in parts {
                    if let Some(announced) = &self.parts[*part as usize].secrets {
                        secrets.extend(announced);
                    }
                }
                secrets.extend(&more);
                Arc::new(secrets)
            }
        };
        let set = SecretSet { number: self.next_set, secrets };
        if more.is_empty() {
            if self.sets.len() >= MAX_SETS {
                self.sets.clear();
            }
            self.sets.insert(serials, set.clone());
        }
        Some(set)
    }

    /// Returns the piece that holds a part in a trace with these secrets.
    pub(crate) fn piece_for(
        &mut self,
        part: PartId,
        set: Option<&SecretSet>,
        sealer: &mut Sealer,
        builder: &mut BlockBuilder,
    ) -> PieceId {
        let entry = &mut self.parts[part as usize];
        let number = set.map_or(0, |set| set.number);
        if let Some(plain) = entry.plain_piece
            && (entry.is_secret || entry.clear_of_set == number)
        {
            return plain;
        }
        let prefix = &self.bytes[entry.bytes.start..entry.bytes.start + entry.prefix_len];
        let set = set.filter(|set| !entry.is_secret && entry.may_contain(set.secrets()));
        let Some(set) = set else {
            entry.clear_of_set = number;
            return entry.add_plain_piece(prefix, &self.rule, sealer, builder);
        };
        if let Some((_, piece)) = entry.masked_pieces.iter().rev().find(|(number, _)| *number == set.number) {
            return *piece;
        }
        if let Some((number, encoding)) = &entry.masked_encoding
            && *number == set.number
        {
            let piece = encoding.add_to(builder);
            entry.masked_pieces.push((set.number, piece));
            return piece;
        }
        let Some(hidden) = entry.with_copies_masked(set.secrets(), &self.rule, sealer) else {
            entry.clear_of_set = number;
            return entry.add_plain_piece(prefix, &self.rule, sealer, builder);
        };
        entry.add_masked_piece(set.number, &hidden, prefix, builder)
    }

    /// Empties the table for the next block, and keeps its memory and the parts that are likely to occur again.
    pub(crate) fn clear(&mut self) {
        self.by_hash.clear();
        for part in self.parts.drain(..) {
            let bytes = &self.bytes[part.bytes.clone()];
            self.known.keep(part, bytes);
        }
        self.bytes.clear();
        self.predictions.clear();
    }

    /// Forgets what is sealed under the key so far. The table must be empty.
    pub(crate) fn forget_seals(&mut self) {
        self.known.clear();
    }
}

/// Hasher for keys that are hashes already.
#[derive(Debug, Default)]
pub(crate) struct IdentityHasher(pub(crate) u64);

impl Hasher for IdentityHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = self.0.rotate_left(5) ^ n;
    }
}
