//! The reasons why secrets cannot be read.

use std::path::PathBuf;

use thiserror::Error;

/// The reason why a secret could not be read.
#[derive(Debug, Clone, Error)]
pub enum SealError {
    /// The key is missing.
    #[error("the key {} is missing; secrets can be read only with the store that recorded them", path.display())]
    NoKey {
        /// Expected path of the key.
        path: PathBuf,
    },
    /// The key cannot be used.
    #[error("the key {} cannot be used: {reason}", path.display())]
    BadKey {
        /// Path of the key.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The secret was sealed under another key, or damaged.
    #[error("the secret was not sealed under the key {key}, or it was damaged")]
    WrongKey {
        /// Path or id of the key that was tried.
        key: String,
    },
    /// The key is on the node that recorded the trace, and was not sent to the fleet.
    #[error(
        "the key of these secrets stays on the node that recorded them, and {place} has only sealed values; use the store of \
         that node"
    )]
    Elsewhere {
        /// Name of the fleet, without a password.
        place: String,
    },
    /// The key is in the fleet, and was not unwrapped.
    #[error("{reason}")]
    Wrapped {
        /// The reason, and what to do.
        reason: String,
        /// True if no reader of the fleet can unwrap it: it is missing there, or was changed.
        is_lost: bool,
    },
    /// The trace was exported, and only hashes of its secrets are left.
    #[error("the trace was exported without its secrets; use the store that recorded it")]
    Exported,
}
