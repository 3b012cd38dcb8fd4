//! The recording that a replay runs again: a trace, and the values behind its seals.

use std::collections::BTreeMap;
use std::fmt;

use bincode::{Decode, Encode};
use zerver_trace::{MissingReason, Recorded, Trace, Value};

use crate::value::json;

/// A trace with what its sealed values hold.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Recording {
    /// The trace, as it is in the store.
    pub trace: Trace,
    /// What is behind its seals, as far as the key is there.
    pub secrets: Secrets,
}

/// Sealed values, opened, by their hash.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Secrets(pub BTreeMap<[u8; 16], Value>);

/// Why a recorded value is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Hash,
    Missing(MissingReason),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => f.write_str("only a hash of it is here"),
            Self::Missing(missing) => write!(f, "not recorded: {}", json::why(missing)),
        }
    }
}

impl Secrets {
    pub(crate) fn plain<'v>(&'v self, recorded: &'v Recorded) -> Result<&'v Value, Unavailable> {
        match recorded {
            Recorded::Plain { value, .. } => Ok(value),
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } => {
                self.0.get(hash).ok_or(Unavailable::Hash)
            }
            Recorded::Missing(missing) => Err(Unavailable::Missing(missing.clone())),
        }
    }
}
