//! All edits of a replay.

use bincode::{Decode, Encode};

use crate::edits::answer_edit::AnswerEdit;
use crate::edits::faults::Fault;
use crate::edits::live_kind::LiveKind;
use crate::edits::slot_edit::SlotEdit;

/// Changes to the inputs of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Edits {
    /// New values of slots, whole or in part.
    pub slots: Vec<SlotEdit>,
    /// First step that sees the new slot values. By default, the step after the one that writes the slot.
    pub at: Option<String>,
    /// Names and values of request headers. They replace all headers with these names.
    pub headers: Vec<(String, String)>,
    /// New request body.
    pub body: Option<Vec<u8>>,
    /// New answers of effects.
    pub answers: Vec<AnswerEdit>,
    /// Faults injected into effects.
    pub faults: Vec<Fault>,
    /// Kinds of effect performed for real if nothing else answers them.
    pub live: Vec<LiveKind>,
}

impl Edits {
    /// Returns true if there are no edits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
            && self.headers.is_empty()
            && self.body.is_none()
            && self.answers.is_empty()
            && self.faults.is_empty()
            && self.live.is_empty()
    }
}
