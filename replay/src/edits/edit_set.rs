//! All changes that a replay makes to its inputs.

use bincode::{Decode, Encode};

use crate::edits::answer_edit::AnswerEdit;
use crate::edits::faults::Fault;
use crate::edits::live_kind::LiveKind;
use crate::edits::slot_edit::SlotEdit;

/// What is to be different this time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct Edits {
    /// Slots, in whole or in part.
    pub slots: Vec<SlotEdit>,
    /// The step that sees the edited slots first; the one after the step that writes them, where nothing is said.
    pub at: Option<String>,
    /// Headers of the request: name and value. They replace those of this name.
    pub headers: Vec<(String, String)>,
    /// The body of the request.
    pub body: Option<Vec<u8>>,
    /// What effects give.
    pub answers: Vec<AnswerEdit>,
    /// What goes wrong with effects.
    pub faults: Vec<Fault>,
    /// The kinds of effect that are performed for real where nothing else answers them.
    pub live: Vec<LiveKind>,
}

impl Edits {
    /// Whether nothing is different.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
            && self.headers.is_empty()
            && self.body.is_none()
            && self.answers.is_empty()
            && self.faults.is_empty()
            && self.live.is_empty()
    }
}
