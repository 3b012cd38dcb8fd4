//! The files that a program is made of, by Cargo's own account of the last build.
//!
//! Beside each program Cargo writes a dependency file in Makefile syntax ("dep-info", `target/debug/app.d`), which names
//! every source file of the packages by path, what `include_str!` and the like read, and what build scripts asked to be
//! watched (`cargo::rerun-if-changed`, which may name folders).

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
    /// The sources of a program that Cargo has built; none if Cargo left no list beside it.
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
    pub(super) fn has_others_within(&self, folder: &Path) -> bool {
        let is_rust = |path: &Path| path.extension().is_some_and(|extension| extension == "rs");
        self.folders.iter().chain(&self.files).any(|path| path.starts_with(folder) && !is_rust(path))
    }

    /// The folders that must be watched to see a change of any of them.
    pub(super) fn watched_folders(&self) -> impl Iterator<Item = &Path> {
        let parents = self.files.iter().filter_map(|file| file.parent());
        parents.chain(self.folders.iter().map(PathBuf::as_path))
    }
}

/// The prerequisites of `target: a b\ c`: separated by spaces, with a backslash before a space within a path.
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
    fn a_dependency_file_names_what_was_read() {
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
        assert!(found.has_others_within(&root.join("a b")) && !found.has_others_within(&root.join("src")));
    }

    #[test]
    fn other_texts_name_nothing() {
        assert_eq!(parse(""), None);
        assert_eq!(parse("no target\n"), None);
        assert_eq!(parse("a: relative/main.rs\n").unwrap().len(), 0);
    }
}
