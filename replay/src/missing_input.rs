//! Inputs that a recording lacks, so that it cannot be replayed.

use std::fmt;

use bincode::{Decode, Encode};

/// An input of a recorded request that could not be rebuilt, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum MissingInput {
    /// A header of the request.
    Header {
        /// Name of the header.
        name: String,
        /// Reason, such as `only a hash is available`.
        reason: String,
    },
    /// The authority that the request named.
    Authority {
        /// Reason.
        reason: String,
    },
    /// The body of the request, or a part of it.
    Body {
        /// Reason.
        reason: String,
    },
    /// Something that no edit can supply, with the reason.
    Other(String),
}

impl MissingInput {
    /// Returns true if this is the header with this name.
    pub fn is_header(&self, wanted: &str) -> bool {
        matches!(self, Self::Header { name, .. } if name == wanted)
    }

    /// Returns the text without the option that supplies the input.
    pub fn description(&self) -> String {
        match self {
            Self::Header { name, reason } => format!("the request's header {name}: {reason}"),
            Self::Authority { reason } => format!("the authority: {reason}"),
            Self::Body { reason } => format!("the request's body: {reason}"),
            Self::Other(reason) => reason.clone(),
        }
    }
}

/// Writes the input, the reason, and the option of the command line that supplies the input.
impl fmt::Display for MissingInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description())?;
        match self {
            Self::Header { name, .. } => write!(f, "; --request-header {name}=.."),
            Self::Authority { .. } => f.write_str("; --request-header host=.."),
            Self::Body { .. } => f.write_str("; --request-body TEXT"),
            Self::Other(_) => Ok(()),
        }
    }
}
