//! The prompt of the replay screen: a line that is being typed, or was submitted.

use super::drafts::Drafts;
use super::edit_targets::EditTarget;
use crate::text_input::TextInput;

/// Line being typed.
#[derive(Debug)]
pub(super) struct OpenPrompt {
    pub(super) target: EditTarget,
    pub(super) input: TextInput,
    pub(super) error: Option<String>,
    /// True if the text is the answer to another effect of the same kind.
    pub(super) is_example: bool,
    /// Edits before a submission that was refused. Canceling restores them.
    pub(super) before: Option<Drafts>,
}

/// Submitted line, kept until its replay has ended.
#[derive(Debug)]
pub(super) struct SubmittedPrompt {
    /// Number of the replay.
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
