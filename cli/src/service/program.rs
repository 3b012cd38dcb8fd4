//! Which program a command runs: the one that is named, or that of a package, built.

use std::path::{Path, PathBuf};

use super::cargo::{self, Package};
use crate::args::{Global, Program};
use crate::error::Trouble;

/// The program: the one that is named, or that of the package, built.
pub(crate) fn program(
    app: Option<&PathBuf>,
    program: &Program,
    store: Option<&Path>,
    global: &Global,
) -> Result<PathBuf, Trouble> {
    if let Some(exe) = &program.exe {
        return Ok(exe.clone());
    }
    let app = app.cloned().or_else(|| app_of(store?));
    let package = Package::find(&app.unwrap_or_else(|| PathBuf::from(".")), program.bin.as_deref())?;
    cargo::build(&package, program.release, global)
}

/// The package that a store is in: `APP/.zerver`.
pub(crate) fn app_of(store: &Path) -> Option<PathBuf> {
    let store = store.canonicalize().ok()?;
    let app = store.parent()?;
    (store.file_name()? == ".zerver" && app.join("Cargo.toml").is_file()).then(|| app.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_in_a_package_is_of_that_package() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        std::fs::create_dir(&store).unwrap();
        assert_eq!(app_of(&store), None);
        std::fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(app_of(&store), Some(dir.path().canonicalize().unwrap()));
        assert_eq!(app_of(dir.path()), None);
    }
}
