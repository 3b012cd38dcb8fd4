//! The source files and documents of the project, for the tests that read them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::root;

/// Returns the files below a folder with one of these extensions, sorted, without build output.
pub(crate) fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "target" && name != "node_modules" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|is| extensions.iter().any(|extension| is == *extension)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Returns the path of a file relative to the root of the project.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns the `src` folders of all crates of the workspace.
pub(crate) fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    let members = members.split('"').skip(1).step_by(2).map(|member| format!("{member}/src"));
    let members: Vec<_> = members.filter(|src| root().join(src).is_dir()).collect();
    assert!(members.len() > 5, "found only {members:?}");
    members
}
