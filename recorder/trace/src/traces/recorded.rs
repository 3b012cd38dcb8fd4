//! Recorded values: plain, sealed, hashed, or missing.

use bincode::{Decode, Encode};

use crate::Value;

/// A value in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Recorded {
    /// The value in plain.
    Plain {
        /// The value.
        value: Value,
        /// A line for a person, for values that are not readable on their own.
        summary: Option<String>,
    },
    /// A secret, encrypted under the key stored next to the store.
    Sealed {
        /// Keyed hash, equal for equal values under one key.
        hash: [u8; 16],
        /// Nonce and ciphertext.
        sealed: Vec<u8>,
        /// The value with its secrets masked, or `None` if the entire value is secret.
        masked: Option<Box<Masked>>,
    },
    /// A secret in an exported trace: it can be compared but not read.
    Hashed {
        /// Keyed hash, equal for equal values under one key.
        hash: [u8; 16],
        /// The value with its secrets masked, or `None` if the entire value is secret.
        masked: Option<Box<Masked>>,
    },
    /// The value could not be recorded.
    Missing(MissingReason),
}

/// A value with a mask in place of each secret in it: `<secret:3f9a2c71d0e4>`. Equal secrets have equal masks.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Masked {
    /// The masked value.
    pub value: Value,
    /// The masked line for a person.
    pub summary: Option<String>,
}

impl Recorded {
    /// Returns the value with its secrets masked, or `None` if the entire value is secret or missing.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Plain { value, .. } => Some(value),
            Self::Sealed { masked, .. } | Self::Hashed { masked, .. } => {
                masked.as_ref().map(|masked| &masked.value)
            }
            Self::Missing(_) => None,
        }
    }

    /// Returns the line for a person, with secrets masked.
    pub fn summary(&self) -> Option<&str> {
        match self {
            Self::Plain { summary, .. } => summary.as_deref(),
            Self::Sealed { masked, .. } | Self::Hashed { masked, .. } => masked.as_ref()?.summary.as_deref(),
            Self::Missing(_) => None,
        }
    }

    /// Returns true if the value is or contains a secret.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Sealed { .. } | Self::Hashed { .. })
    }
}

/// Reason why a value is missing.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum MissingReason {
    /// The value exceeds the limits on size or nesting.
    TooLarge,
    /// The value's `Serialize` failed with this message.
    Failed(String),
    /// The trace was imported, and its source does not contain the value.
    NotImported,
}

/// A body in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RecordedBody {
    /// Length of the complete body, in bytes.
    pub full_len: u64,
    /// Number of bytes recorded.
    pub kept_len: u64,
    /// Recorded bytes, as a value.
    pub bytes: Recorded,
}
