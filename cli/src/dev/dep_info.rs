//! Files that the last build read, from Cargo's dep-info.
//!
//! Next to each program Cargo writes a file in Makefile syntax (`target/debug/app.d`). It lists every source file of the
//! packages by path, the files that `include_str!` and the like read, and the files and folders of
//! `cargo::rerun-if-changed`.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The files and folders that a build has read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SourceFiles {
    files: HashSet<PathBuf>,
    folders: Vec<PathBuf>,
}

impl SourceFiles {
    /// Returns the sources of a program that Cargo has built; `None` if there is no dep-info.
    pub(super) fn of(exe: &Path) -> Option<Self> {
        let mut name = OsString::from(exe.file_name()?);
        name.push(".d");
        let text = fs::read_to_string(exe.with_file_name(name)).ok()?;
        let (folders, files): (Vec<_>, Vec<_>) = parse(&text)?.into_iter().partition(|path| path.is_dir());
        Some(Self { files: files.into_iter().collect(), folders })
    }

    pub(super) fn contains(&self, path: &Path) -> bool {
        self.files.contains(path) || self.folders.iter().any(|folder| path.starts_with(folder))
    }

    /// Returns true if the build read anything but Rust sources within a folder.
    pub(super) fn has_other_files_in(&self, folder: &Path) -> bool {
        let is_rust = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
        self.folders.iter().chain(&self.files).any(|path| path.starts_with(folder) && !is_rust(path))
    }

    /// Returns the folders to watch to notice any change.
    pub(super) fn watched_folders(&self) -> impl Iterator<Item = &Path> {
        let parents = self.files.iter().filter_map(|file| file.parent());
        parents.chain(self.folders.iter().map(PathBuf::as_path))
    }
}

/// Parses the prerequisites of `target: a b\ c`. Spaces separate them; a backslash escapes a space in a path.
fn parse(text: &str) -> Option<HashSet<PathBuf>> {
    let (_, list) = text.lines().next()?.split_once(": ")?;
    let mut paths = HashSet::new();
    let mut path = String::new();
    let mut chars = list.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.next_if_eq(&' ').is_some() => path.push(' '),
            ' ' => drop(paths.insert(PathBuf::from(std::mem::take(&mut path)))),
            c => path.push(c),
        }
    }
    paths.insert(PathBuf::from(path));
    paths.retain(|path| path.is_absolute());
    Some(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dep_info_lists_the_files_that_were_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let exe = root.join("app.v2");
        assert_eq!(SourceFiles::of(&exe), None);
        fs::create_dir(root.join("proto")).unwrap();
        let shown = root.display();
        fs::write(
            root.join("app.v2.d"),
            format!("{shown}/app.v2: {shown}/src/main.rs {shown}/a\\ b/todo.sql {shown}/proto\n"),
        )
        .unwrap();
        let found = SourceFiles::of(&exe).unwrap();
        for path in ["src/main.rs", "a b/todo.sql", "proto", "proto/deep/a.proto"] {
            assert!(found.contains(&root.join(path)), "{path}");
        }
        for path in ["src/other.rs", "a", "b/todo.sql", "dev.log"] {
            assert!(!found.contains(&root.join(path)), "{path}");
        }
        assert!(found.has_other_files_in(&root.join("a b")) && !found.has_other_files_in(&root.join("src")));
    }

    #[test]
    fn other_text_lists_no_files() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("no target\n"), None);
        assert_eq!(parse("a: relative/main.rs\n").unwrap().len(), 0);
    }
}
