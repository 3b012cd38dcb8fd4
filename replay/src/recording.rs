//! Input of a replay: a trace, and the plain values behind its seals.

use std::collections::BTreeMap;
use std::fmt;

use bincode::{Decode, Encode};
use zerver_trace::{MissingReason, Recorded, Trace, Value};

use crate::value::json;

/// A trace together with the content of its sealed values.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Recording {
    /// The trace as it is stored.
    pub trace: Trace,
    /// Plain values behind its seals, as far as the key is available.
    pub secrets: Secrets,
}

/// Content of sealed values, by keyed hash.
#[derive(Debug, Clone, Default, PartialEq, Encode, Decode)]
pub struct Secrets(pub BTreeMap<[u8; 16], Value>);

/// Reason why a recorded value is unavailable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Hash,
    Missing(MissingReason),
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash => f.write_str("only a hash is available"),
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
