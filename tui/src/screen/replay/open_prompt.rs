//! A line that is being typed.

use super::drafts::Drafts;
use super::edit_targets::About;
use crate::text_input::TextInput;

/// A line that is being typed.
#[derive(Debug)]
pub(super) struct Typing {
    pub(super) about: About,
    pub(super) prompt: TextInput,
    pub(super) error: Option<String>,
    /// Whether it is what an effect of the same kind got.
    pub(super) is_like: bool,
    /// What was to be different before this was typed, if the run with it was refused: leaving goes back to it.
    pub(super) before: Option<Drafts>,
}

/// A line that was typed, until the run with it has come to an end.
#[derive(Debug)]
pub(super) struct Sent {
    /// The number of the run.
    pub(super) number: u64,
    pub(super) typing: Typing,
}

impl Typing {
    pub(super) fn of(about: About, text: &str) -> Self {
        let prompt =
            if matches!(about, About::Secret(_)) { TextInput::secret() } else { TextInput::new(text) };
        Self { about, prompt, error: None, is_like: false, before: None }
    }
}
