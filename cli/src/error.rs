//! Result of a command: its outcome, or an error with causes and hints.

use std::error::Error;
use std::io;

use zerver_replay::{ReplayError, Sameness};

/// Outcome of a command that no error stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandOutcome {
    /// Exit code 0.
    Success,
    /// Exit code 1: the command did its work and found something.
    Finding,
    /// Exit code 2: the command found nothing, but could not compare everything.
    Incomplete,
}

impl From<Sameness> for CommandOutcome {
    fn from(sameness: Sameness) -> Self {
        match sameness {
            Sameness::Same => Self::Success,
            Sameness::Different => Self::Finding,
            Sameness::Incomplete => Self::Incomplete,
        }
    }
}

/// Error that stops a command with exit code 2: what failed, why, and what to do next.
#[derive(Debug)]
pub(crate) struct CommandError {
    pub(crate) message: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
    /// True if the reader of the output has closed it, which is no error for the user.
    pub(crate) is_broken_pipe: bool,
}

impl CommandError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hints: Vec::new(), is_broken_pipe: false }
    }

    /// Adds an error and its sources as causes.
    pub(crate) fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = error.to_string();
            // Some errors repeat their source in their own text.
            if !self.causes.last().is_some_and(|last| last.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds a cause.
    pub(crate) fn with_cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a hint.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the message and the causes on one line, without the hints.
    pub(crate) fn one_line(&self) -> String {
        std::iter::once(&self.message).chain(&self.causes).cloned().collect::<Vec<_>>().join(": ")
    }
}

/// Converts the refusal of a service.
impl From<ReplayError> for CommandError {
    fn from(refusal: ReplayError) -> Self {
        let ReplayError { message, causes, hints } = refusal;
        Self { causes, hints, ..Self::new(message) }
    }
}

/// Converts an error of printing.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        let mut converted = Self::new("cannot print").caused_by(&error);
        converted.is_broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        converted
    }
}
