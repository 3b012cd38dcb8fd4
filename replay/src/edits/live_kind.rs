//! Kinds of effect that a replay performs for real.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;

/// `KIND` or `KIND:reads`: a kind of effect to perform for real.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LiveKind {
    /// Kind of effect.
    pub kind: String,
    /// True if only calls that change nothing at the other end are performed.
    pub reads_only: bool,
}

impl FromStr for LiveKind {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let (kind, reads_only) = match text.split_once(':') {
            None => (text, false),
            Some((kind, "reads")) => (kind, true),
            Some((kind, other)) => {
                return Err(EditError::new(format!(
                    "unknown suffix {other:?}; write {kind} or {kind}:reads"
                )));
            }
        };
        match kind.trim() {
            "" => Err(EditError::new(format!("no kind of effect in {text:?}; write KIND or KIND:reads"))),
            kind => Ok(Self { kind: kind.to_owned(), reads_only }),
        }
    }
}
