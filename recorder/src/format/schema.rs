//! X

use super::format_error::FormatError;

/// The schema that this build writes. Since 2 a trace says which worker it was on, and blocks have shapes; since 3 it
/// has the scheme and the authority of its request, tells the time an answer lay ready from the time of its effect, and
/// says what was changed in it to be kept.
pub(crate) const SCHEMA: u16 = 3;
/// The oldest schema of a store that this build reads,
pub(super) const OLDEST: u16 = 3;
/// and that of a portable file.
pub(super) const OLDEST_PORTABLE: u16 = 1;

/// Whether this build reads a schema.
pub(super) fn check_schema(found: u16, oldest: u16) -> Result<(), FormatError> {
    match found {
        _ if found > SCHEMA => Err(FormatError::Newer { found, newest: SCHEMA }),
        _ if found < oldest => Err(FormatError::Older { found, oldest }),
        _ => Ok(()),
    }
}
