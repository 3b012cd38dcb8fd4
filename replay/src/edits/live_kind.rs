//! Kinds of effect that a replay performs for real.

use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::edits::edit_error::EditError;

/// `KIND` or `KIND:reads`.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct LiveKind {
    /// The kind of effect.
    pub kind: String,
    /// Whether only those are performed that change nothing at the other end.
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
                    "{other:?} is nothing to perform; write {kind} or {kind}:reads"
                )));
            }
        };
        match kind.trim() {
            "" => Err(EditError::new(format!("{text:?} names no kind of effect; write KIND or KIND:reads"))),
            kind => Ok(Self { kind: kind.to_owned(), reads_only }),
        }
    }
}
