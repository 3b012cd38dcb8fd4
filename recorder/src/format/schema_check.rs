//! The check that this build reads data of a schema.

use super::format_error::FormatError;
use super::schema::{SCHEMA, Schema};

/// Checks that this build reads a schema.
pub(super) fn check_schema(found: Schema, oldest: Schema) -> Result<(), FormatError> {
    match found {
        _ if found > SCHEMA => Err(FormatError::Newer { found, newest: SCHEMA }),
        _ if found < oldest => Err(FormatError::Older { found, oldest }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema::{OLDEST, OLDEST_PORTABLE};

    #[test]
    fn newer_and_older_schemas_are_refused() {
        let Schema { major, minor } = SCHEMA;
        assert_eq!(check_schema(SCHEMA, OLDEST), Ok(()));
        for found in [Schema::new(major, minor + 1), Schema::new(major + 1, 0)] {
            assert_eq!(check_schema(found, OLDEST), Err(FormatError::Newer { found, newest: SCHEMA }));
        }
        let found = Schema::new(OLDEST.major - 1, 255);
        assert_eq!(check_schema(found, OLDEST), Err(FormatError::Older { found, oldest: OLDEST }));
        assert_eq!(check_schema(found, OLDEST_PORTABLE), Ok(()));
    }
}
