//! Program that a command runs: the one the user named, or the binary of a package, built first.

use std::path::{Path, PathBuf};

use super::cargo::{self, Package};
use crate::args::{Global, Program};
use crate::error::CommandError;

/// Returns the program to run. Without a named program or package, the package that holds the store is built, or else
/// the package in the current folder.
pub(crate) fn program(
    app: Option<&Path>,
    program: &Program,
    store: Option<&Path>,
    global: &Global,
) -> Result<PathBuf, CommandError> {
    if let Some(exe) = &program.exe {
        return Ok(exe.clone());
    }
    cargo::build(&package(app, program, store)?, program.release, global)
}

/// Returns the package to build.
pub(crate) fn package(
    app: Option<&Path>,
    program: &Program,
    store: Option<&Path>,
) -> Result<Package, CommandError> {
    let app = app.map(Path::to_owned).or_else(|| package_of(store?));
    Package::find(&app.unwrap_or_else(|| PathBuf::from(".")), program.bin.as_deref())
}

/// Returns the package that holds a store: `APP/.zerver`.
fn package_of(store: &Path) -> Option<PathBuf> {
    let store = store.canonicalize().ok()?;
    let app = store.parent()?;
    (store.file_name()? == ".zerver" && app.join("Cargo.toml").is_file()).then(|| app.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_a_package_belongs_to_that_package() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        std::fs::create_dir(&store).unwrap();
        assert_eq!(package_of(&store), None);
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(package_of(&store), Some(dir.path().canonicalize().unwrap()));
        assert_eq!(package_of(dir.path()), None);
    }
}
