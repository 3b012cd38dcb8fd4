//! What stops a command: what failed, why, and what to do about it.

use std::error::Error;
use std::io;

use zerver_replay::Sameness;

/// How a command ended when nothing stopped it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// Exit code 0.
    Fine,
    /// Exit code 1: it did what was asked, and found something.
    Finding,
    /// Exit code 2: it found nothing, and not everything could be looked at.
    Unknown,
}

impl From<Sameness> for Done {
    fn from(sameness: Sameness) -> Self {
        match sameness {
            Sameness::Same => Self::Fine,
            Sameness::Different => Self::Finding,
            Sameness::Incomplete => Self::Unknown,
        }
    }
}

/// Exit code 2, with something to read.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) what: String,
    pub(crate) causes: Vec<String>,
    pub(crate) hints: Vec<String>,
    /// Nobody reads our output any more, which is no trouble at all.
    pub(crate) is_broken_pipe: bool,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), causes: Vec::new(), hints: Vec::new(), is_broken_pipe: false }
    }

    /// Adds an error, and what caused that, as the reason.
    pub(crate) fn because(mut self, error: &dyn Error) -> Self {
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

    /// All of it in a line, but for what to do.
    pub(crate) fn line(&self) -> String {
        std::iter::once(&self.what).chain(&self.causes).cloned().collect::<Vec<_>>().join(": ")
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// An error while printing.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let mut trouble = Self::new("cannot print").because(&error);
        trouble.is_broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        trouble
    }
}
