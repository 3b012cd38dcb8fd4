//! The header of a store file, which comes before the pages of the database.
//!
//! The header shows if a file was written by zerver, and in which schema, before the database may touch the file.

use super::format_error::FormatError;
use super::schema::{OLDEST, SCHEMA, Schema};
use super::schema_check::check_schema;

/// Length of the header: one page, so that the rest of the file stays aligned.
pub(crate) const HEADER_LEN: usize = 4096;
const HEADER_MAGIC: &[u8; 16] = b"zerver store\r\n\x1a\n";
/// Offset of the schema.
pub(crate) const SCHEMA_AT: usize = 16;

/// Returns the header of a new file.
pub(crate) fn new() -> Vec<u8> {
    let mut header = vec![0; HEADER_LEN];
    header[..16].copy_from_slice(HEADER_MAGIC);
    header[SCHEMA_AT..SCHEMA_AT + 2].copy_from_slice(&SCHEMA.to_bytes());
    header
}

/// Checks the header of a file. `head` is the start of the file, up to [`HEADER_LEN`] bytes.
pub(crate) fn check(head: &[u8]) -> Result<(), FormatError> {
    let known = head.len().min(16);
    if head[..known] != HEADER_MAGIC[..known] || head.is_empty() {
        return Err(FormatError::Foreign);
    }
    let Some(schema) = schema(head) else { return Err(FormatError::Truncated { len: head.len() }) };
    check_schema(schema, OLDEST)?;
    match head.get(18..HEADER_LEN) {
        None => Err(FormatError::Truncated { len: head.len() }),
        Some(rest) if rest.iter().any(|&byte| byte != 0) => Err(FormatError::Checksum),
        Some(_) => Ok(()),
    }
}

fn schema(head: &[u8]) -> Option<Schema> {
    head.get(SCHEMA_AT..)?.first_chunk().copied().map(Schema::from_bytes)
}

/// Returns true if the header has an older schema than `newest`. The header must be updated before records of that
/// schema are written, so that builds that cannot read them refuse the whole file.
pub(crate) fn is_older_than(head: &[u8], newest: Schema) -> bool {
    schema(head).is_some_and(|schema| schema < newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_checked_for_its_magic_and_schema() {
        let header = new();
        assert_eq!(check(&header), Ok(()));
        assert_eq!(check(b"SQLite format 3\0"), Err(FormatError::Foreign));
        assert_eq!(check(b"SQ"), Err(FormatError::Foreign));
        assert_eq!(check(&header[..100]), Err(FormatError::Truncated { len: 100 }));
        let with = |schema: Schema| {
            let mut header = header.clone();
            header[16..18].copy_from_slice(&schema.to_bytes());
            check(&header)
        };
        let newer = Schema::new(SCHEMA.major, SCHEMA.minor + 1);
        assert_eq!(with(newer), Err(FormatError::Newer { found: newer, newest: SCHEMA }));
        let zero = Schema::new(0, 0);
        assert_eq!(with(zero), Err(FormatError::Older { found: zero, oldest: OLDEST }));
        assert!(is_older_than(&header, newer) && !is_older_than(&header, SCHEMA));
        assert!(!is_older_than(&header[..17], newer));
    }
}
