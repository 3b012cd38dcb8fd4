//! A line that is being typed.

use super::drafts::Drafts;
use super::edit_targets::EditTarget;
use crate::text_input::TextInput;

/// A line that is being typed.
#[derive(Debug)]
pub(super) struct OpenPrompt {
    pub(super) target: EditTarget,
    pub(super) input: TextInput,
    pub(super) error: Option<String>,
    /// Whether it is what an effect of the same kind got.
    pub(super) is_example: bool,
    /// What was to be different before this was typed, if the run with it was refused: leaving goes back to it.
    pub(super) before: Option<Drafts>,
}

/// A line that was typed, until the run with it has come to an end.
#[derive(Debug)]
pub(super) struct SubmittedPrompt {
    /// The number of the run.
    pub(super) number: u64,
    pub(super) prompt: OpenPrompt,
}

impl OpenPrompt {
    pub(super) fn new(target: EditTarget, text: &str) -> Self {
        let input =
            if matches!(target, EditTarget::Secret(_)) { TextInput::secret() } else { TextInput::new(text) };
        Self { target, input, error: None, is_example: false, before: None }
    }
}
