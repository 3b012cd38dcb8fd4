//! Collects the keys of the block that is being filled.

use std::collections::{BTreeSet, HashSet};

use zerver_trace::{Event, FlowInfo, Recorded, SlotInfo};

use super::slot_keys::SlotKeys;
use super::value_keys::{names, unindexed_key, value_keys};
use crate::block::pieces::Pieces;
use crate::block::stored_trace::PieceId;
use crate::format::codec;

/// Maximum number of keys of a block. With more, searches read the block.
const MAX_KEYS: usize = 2048;

/// The keys of the block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct SlotIndexer {
    /// True once there was a flow with an indexed slot. Without one, blocks have no keys.
    is_on: bool,
    /// True if values of this block have no keys.
    is_incomplete: bool,
    keys: BTreeSet<u64>,
    /// Values that have their keys, as flow, slot and piece. The piece is `None` if the slot is not indexed.
    seen: HashSet<(u32, u16, Option<PieceId>)>,
}

impl SlotIndexer {
    /// Notes a flow of the block. `has_traces` is true if there are traces of other flows in it already.
    pub(crate) fn add_flow(&mut self, flow: &FlowInfo, has_traces: bool) {
        if !self.is_on && flow.slots.iter().any(|slot| slot.is_indexed) {
            self.is_on = true;
            self.is_incomplete = has_traces;
        }
    }

    /// Adds the values that a trace wrote to slots. `flow_number` is the position of its flow in the block.
    pub(in crate::block) fn add_trace(
        &mut self,
        flow_number: u32,
        flow: &FlowInfo,
        events: &[Event<PieceId>],
        pieces: &Pieces,
    ) {
        if !self.is_on || self.is_incomplete {
            return;
        }
        for event in events {
            let Event::SlotWritten { slot: number, value, .. } = event else { continue };
            // A slot that the flow does not list is found without an index, and a secret one is not found.
            let Some(slot) = flow.slots.get(usize::from(*number)).filter(|slot| !slot.is_secret) else {
                continue;
            };
            let piece = slot.is_indexed.then_some(*value);
            if self.seen.insert((flow_number, *number, piece)) {
                self.add_value(slot, piece.map(|piece| pieces.get(piece)));
            }
        }
        if self.keys.len() > MAX_KEYS {
            self.is_incomplete = true;
            self.keys.clear();
        }
    }

    fn add_value(&mut self, slot: &SlotInfo, encoded: Option<&[u8]>) {
        let recorded = encoded.map(codec::decode::<Recorded>);
        for name in names(slot) {
            let keys = match &recorded {
                Some(Ok(recorded)) => match recorded.value() {
                    Some(value) => value_keys(name, &value.root()),
                    None => Some(Vec::new()),
                },
                Some(Err(_)) | None => None,
            };
            self.keys.extend(keys.unwrap_or_else(|| vec![unindexed_key(name)]));
        }
    }

    /// Forgets the pieces after the first `count`, whose numbers others will have.
    pub(crate) fn truncate_pieces(&mut self, count: usize) {
        self.seen.retain(|(.., piece)| piece.is_none_or(|piece| (piece as usize) < count));
    }

    /// Returns the keys so far.
    pub(crate) fn keys(&self) -> SlotKeys {
        match self.is_on && !self.is_incomplete {
            true => SlotKeys::new(self.keys.iter().copied()),
            false => SlotKeys::default(),
        }
    }

    /// Begins the next block.
    pub(crate) fn clear(&mut self) {
        self.is_incomplete = false;
        self.keys.clear();
        self.seen.clear();
    }
}
