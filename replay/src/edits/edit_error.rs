//! Errors in the text of an edit.

/// The text of an edit is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EditError(String);

impl EditError {
    pub(crate) const fn new(text: String) -> Self {
        Self(text)
    }
}
