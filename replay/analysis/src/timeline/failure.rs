//! What went wrong with a request.

use std::fmt;
use std::sync::Arc;

use super::step::Step;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of a failure (`not_found`), or how else the request ended: `panicked`, `timed_out`, `gone`, `rejected`.
    pub kind: String,
    /// What it is about, such as `todo`; may be empty.
    pub what: String,
    /// Which one, such as `456`; may be empty.
    pub key: String,
    /// More, for a person; may be empty.
    pub message: String,
    /// The step that failed, asked for the effect that failed, or was the last.
    pub step: Option<Arc<Step>>,
    /// Where it panicked, if it did and that is known: the source file, and the line from 1.
    pub panicked_at: Option<(String, u32)>,
    /// The effects that failed or were still under way, each with how it ended.
    pub effects: Vec<(String, String)>,
    /// What caused it, nearest first.
    pub causes: Vec<String>,
}

impl Failure {
    /// Where in the source it comes from, as far as that is known: the place of a panic, or else the step.
    pub fn source(&self) -> Option<(&str, u32)> {
        let step = self.step.as_ref().filter(|step| step.line > 0);
        let place = self.panicked_at.as_ref().map(|(file, line)| (file.as_str(), *line));
        place.or_else(|| step.map(|step| (step.file.as_str(), step.line)))
    }
}

/// In a line: `not_found todo 456: no such row`.
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
