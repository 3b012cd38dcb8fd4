//! Reasons why a replay did not run.

use bincode::{Decode, Encode};
use zerver_trace::nearest_name;

/// A replay was not run because the request for it was invalid.
#[derive(Debug, Clone, Default, PartialEq, Eq, thiserror::Error, Encode, Decode)]
#[error("{message}")]
pub struct ReplayError {
    /// Message for the user.
    pub message: String,
    /// Reasons, nearest first.
    pub causes: Vec<String>,
    /// Suggestions for the user.
    pub hints: Vec<String>,
}

impl ReplayError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the nearest of `names` as a hint, or all of them if none is near.
    pub(crate) fn suggest(self, given: &str, names: &[&str]) -> Self {
        match nearest_name(given, names.iter().copied()) {
            Some(name) => self.hint(format!("did you mean {name}?")),
            None if names.is_empty() => self,
            None => self.hint(format!("available: {}", names.join(", "))),
        }
    }
}
