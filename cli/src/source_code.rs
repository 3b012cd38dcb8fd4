//! Source files of steps, named as the compiler saw them: read, and opened in an editor.

use std::env;
use std::path::{Path, PathBuf};

use zerver_recorder::regular_file;
use zerver_trace::text::clean;

use crate::editor;

/// Maximum size of a source file, in bytes.
const MAX_SOURCE: u64 = 1 << 20;

/// Opens an editor at a line of a source file.
pub(crate) fn edit(store: &Path, file: &str, line: u32) -> Result<(), String> {
    let here = env::current_dir().unwrap_or_default();
    let path = find(file, &[store, &here]).ok_or_else(|| {
        format!(
            "cannot find {}: looked in {} and {}, and above",
            clean(file),
            store.display(),
            here.display()
        )
    })?;
    editor::open(&path, line).map_err(|error| error.one_line())
}

/// Returns the text of a source file.
pub(crate) fn text(store: &Path, file: &str) -> Option<String> {
    read(file, &[store, &env::current_dir().unwrap_or_default()]).map(|(_, text)| text)
}

/// Finds a source file from these folders, and returns its absolute path and its text.
pub(crate) fn read(file: &str, below: &[&Path]) -> Option<(PathBuf, String)> {
    let path = find(file, below)?.canonicalize().ok()?;
    let text = regular_file::read_text(&path, MAX_SOURCE).ok()?;
    Some((path, text))
}

/// Finds a file that is named from the root of its workspace, which is above the store or the current folder.
fn find(file: &str, below: &[&Path]) -> Option<PathBuf> {
    let file = Path::new(file);
    // A trace may come from anywhere, and name any file.
    if file.extension().is_none_or(|extension| extension != "rs") {
        return None;
    }
    if file.is_absolute() {
        return file.is_file().then(|| file.to_owned());
    }
    let roots = below.iter().flat_map(|path| path.ancestors());
    roots.map(|root| root.join(file)).find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_found_from_the_root_of_its_workspace() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("examples/todos/.zerver");
        let file = dir.path().join("examples/todos/src/main.rs");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "").unwrap();
        for name in ["examples/todos/src/main.rs", "src/main.rs", &file.display().to_string()] {
            assert_eq!(find(name, &[&store]), Some(file.clone()), "{name}");
        }
        for name in ["src/other.rs", "", "src", "/etc/passwd"] {
            assert_eq!(find(name, &[&store]), None, "{name}");
        }
    }
}
