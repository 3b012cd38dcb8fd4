//! Failure of a request.

use std::fmt;
use std::sync::Arc;

use crate::timeline::rows::step::Step;

/// Failure of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Kind of failure (`not_found`), or the reason why a request ended otherwise: `panicked`, `timed_out`,
    /// `client_left`, `rejected`. `gone` is the kind of a failure with status 410.
    pub kind: String,
    /// Subject of the failure, such as `todo`; may be empty.
    pub what: String,
    /// Key of the subject, such as `456`; may be empty.
    pub key: String,
    /// Message for the user; may be empty.
    pub message: String,
    /// Step that failed, requested the failed effect, or was the last.
    pub step: Option<Arc<Step>>,
    /// Source file and line of a panic, if known. Lines count from 1.
    pub panicked_at: Option<(String, u32)>,
    /// Effects that failed or were in flight, each with its end in words.
    pub effects: Vec<(String, String)>,
    /// Causes, nearest first.
    pub causes: Vec<String>,
}

impl Failure {
    /// Returns the source location: that of the panic, or else of the step.
    pub fn source(&self) -> Option<(&str, u32)> {
        let step = self.step.as_ref().filter(|step| step.line > 0);
        let place = self.panicked_at.as_ref().map(|(file, line)| (file.as_str(), *line));
        place.or_else(|| step.map(|step| (step.file.as_str(), step.line)))
    }
}

/// Formats as `not_found todo 456: no such row`.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        for part in [&self.what, &self.key] {
            if !part.is_empty() {
                write!(f, " {part}")?;
            }
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message) }
    }
}
