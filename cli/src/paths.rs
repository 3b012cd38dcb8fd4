//! Paths as text for people.

use std::path::Path;

/// Returns the path with control characters escaped.
pub(crate) fn display(path: &Path) -> String {
    zerver_trace::text::clean(&path.to_string_lossy()).into_owned()
}
