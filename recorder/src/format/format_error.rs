//! The reasons for which bytes are rejected by a decoder of this crate.

use thiserror::Error;

use super::schema::Schema;

/// The reason why bytes are not a record that this build can read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FormatError {
    /// The bytes do not begin with a zerver magic number.
    #[error("not written by zerver")]
    Foreign,
    /// A later release wrote the data.
    #[error("schema {found} is newer than {newest}, the newest that this build reads; use a newer zerver")]
    Newer {
        /// Schema of the data.
        found: Schema,
        /// Newest schema that this build reads.
        newest: Schema,
    },
    /// The data was written by a release that is no longer supported.
    #[error("schema {found} is older than {oldest}, the oldest that this build reads; use an older zerver")]
    Older {
        /// Schema of the data.
        found: Schema,
        /// Oldest schema that this build reads.
        oldest: Schema,
    },
    /// The data ends too early.
    #[error("truncated after {len} bytes")]
    Truncated {
        /// Length of the data, in bytes.
        len: usize,
    },
    /// This many bytes follow the end of the data.
    #[error("{0} bytes follow the end")]
    Trailing(usize),
    /// The checksum does not match: the data was changed after it was written.
    #[error("the checksum does not match; the data was damaged after it was written")]
    Checksum,
    /// The data is a valid record, but another one belongs here.
    #[error("another record is in this place")]
    Misplaced,
    /// The data is, or claims to be, larger than any record.
    #[error("larger than a record may be")]
    TooLarge,
    /// The checksum matches, but the contents are invalid.
    #[error("invalid contents: {0}")]
    Malformed(String),
}
