//! X

use thiserror::Error;

/// Why bytes are not a record that this build can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// They do not begin as zerver's do.
    #[error("this was not written by zerver")]
    Foreign,
    /// A later release wrote it.
    #[error("schema {found} is newer than {newest}, which this build reads; use a newer zerver")]
    Newer {
        /// Its schema.
        found: u16,
        /// The newest that is read.
        newest: u16,
    },
    /// A release too old wrote it.
    #[error("schema {found} is older than {oldest}, the oldest which this build reads; use an older zerver")]
    Older {
        /// Its schema.
        found: u16,
        /// The oldest that is read.
        oldest: u16,
    },
    /// It ends too early.
    #[error("it ends after {len} bytes, too early")]
    Truncated {
        /// Its length.
        len: usize,
    },
    /// Something follows its end.
    #[error("{0} bytes follow its end")]
    Trailing(usize),
    /// Its checksum does not match: it was changed after it was written.
    #[error("its checksum does not match; it was damaged after it was written")]
    Checksum,
    /// It is a record, and not the one that should be here.
    #[error("another record is in its place")]
    Misplaced,
    /// It is, or says that it is, larger than any record may be.
    #[error("it is larger than a record may be")]
    TooLarge,
    /// The checksum matches, and the contents make no sense.
    #[error("its contents make no sense: {0}")]
    Malformed(String),
}
