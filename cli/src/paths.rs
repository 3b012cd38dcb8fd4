//! Paths: as text for people, and what is there.

use std::path::Path;
use std::{fs, io};

/// Returns the path with control characters escaped.
pub(crate) fn display(path: &Path) -> String {
    zerver_trace::text::clean(&path.to_string_lossy()).into_owned()
}

/// Returns true if nothing would be overwritten in this folder.
pub(crate) fn is_empty_or_absent(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}
