//! The header of a store file, which comes before the pages of the database.
//!
//! The header shows if a file was written by zerver, and in which schema, before the database may touch the file.

use super::format_error::FormatError;
use super::schema::{OLDEST, SCHEMA, check_schema};

/// Length of the header: one page, so that the rest of the file stays aligned.
pub(crate) const HEADER_LEN: usize = 4096;
const HEADER_MAGIC: &[u8; 16] = b"zerver store\r\n\x1a\n";

/// Returns the header of a new file.
pub(crate) fn new() -> Vec<u8> {
    let mut header = vec![0; HEADER_LEN];
    header[..16].copy_from_slice(HEADER_MAGIC);
    header[16..18].copy_from_slice(&SCHEMA.to_le_bytes());
    header
}

/// Checks the header of a file. `head` is the start of the file, up to [`HEADER_LEN`] bytes.
pub(crate) fn check(head: &[u8]) -> Result<(), FormatError> {
    let known = head.len().min(16);
    if head[..known] != HEADER_MAGIC[..known] || head.is_empty() {
        return Err(FormatError::Foreign);
    }
    let Some(schema) = head.get(16..).and_then(|rest| rest.first_chunk()) else {
        return Err(FormatError::Truncated { len: head.len() });
    };
    check_schema(u16::from_le_bytes(*schema), OLDEST)?;
    match head.get(18..HEADER_LEN) {
        None => Err(FormatError::Truncated { len: head.len() }),
        Some(rest) if rest.iter().any(|&byte| byte != 0) => Err(FormatError::Checksum),
        Some(_) => Ok(()),
    }
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
        let with = |schema: u16| {
            let mut header = header.clone();
            header[16..18].copy_from_slice(&schema.to_le_bytes());
            check(&header)
        };
        assert_eq!(with(SCHEMA + 1), Err(FormatError::Newer { found: SCHEMA + 1, newest: SCHEMA }));
        assert_eq!(with(0), Err(FormatError::Older { found: 0, oldest: OLDEST }));
    }
}
