//! The versions of the data layout.

use super::format_error::FormatError;

/// Schema that this build writes.
///
/// - 2 added the worker of a trace, and the shapes of a block.
/// - 3 added the scheme and authority of the request, the time from which the result of an effect was available, and the
///   list of texts that were cut or masked.
pub(crate) const SCHEMA: u16 = 3;
/// Oldest schema of a store that this build reads.
pub(super) const OLDEST: u16 = 3;
/// Oldest schema of a portable file that this build reads.
pub(super) const OLDEST_PORTABLE: u16 = 1;

/// Checks that this build reads a schema.
pub(super) fn check_schema(found: u16, oldest: u16) -> Result<(), FormatError> {
    match found {
        _ if found > SCHEMA => Err(FormatError::Newer { found, newest: SCHEMA }),
        _ if found < oldest => Err(FormatError::Older { found, oldest }),
        _ => Ok(()),
    }
}
