//! Program that a command runs: the one the user named, or the binary of a package, built first.
//!
//! Without either, the store decides: the package that holds it, else the package or program that recorded it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zerver_recorder::{Reader, StoreOrigin};

use super::cargo::{self, Package};
use crate::args::{Global, Program};
use crate::error::CommandError;

/// Program of a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ServiceProgram {
    /// Binary of a package, to be built.
    Package(Package),
    /// Existing program.
    Exe(PathBuf),
}

impl ServiceProgram {
    /// Finds the program to run with the requests of a store.
    pub(crate) fn find(
        app: Option<&Path>,
        program: &Program,
        store: Option<&Reader>,
    ) -> Result<Self, CommandError> {
        let bin = program.bin.as_deref();
        if let Some(exe) = &program.exe {
            return Ok(Self::Exe(exe.clone()));
        }
        if let Some(app) = app {
            return Package::find(app, bin).map(Self::Package);
        }
        if let Some(package) = store.and_then(Reader::dir).and_then(package_of) {
            return Package::find(&package, bin).map(Self::Package);
        }
        let origin = store.and_then(|store| store.origin().ok()).unwrap_or_default();
        match from_origin(&origin, bin) {
            Some(found) => Ok(found),
            None => Package::find(Path::new("."), bin).map(Self::Package),
        }
    }

    /// Builds the program if necessary. Cargo prints progress and errors to standard error.
    pub(crate) fn build(self, is_release: bool, global: &Global) -> Result<PathBuf, CommandError> {
        match self {
            Self::Package(package) => cargo::build(&package, is_release, global),
            Self::Exe(exe) => Ok(exe),
        }
    }

    /// Builds the program if necessary, without printing anything.
    pub(crate) fn build_silently(self, is_release: bool) -> Result<PathBuf, CommandError> {
        match self {
            Self::Package(package) => cargo::build_silently(&package, is_release),
            Self::Exe(exe) => Ok(exe),
        }
    }
}

/// Returns the package that holds a store: `APP/.zerver`.
fn package_of(store: &Path) -> Option<PathBuf> {
    let store = store.canonicalize().ok()?;
    let app = store.parent()?;
    (store.file_name()? == ".zerver" && app.join("Cargo.toml").is_file()).then(|| app.to_owned())
}

/// Returns the program that recorded a store, if it is still there. A program that Cargo built is built again from its
/// package. Other programs have to belong to the user: a store may come from anywhere.
fn from_origin(origin: &StoreOrigin, bin: Option<&str>) -> Option<ServiceProgram> {
    let program = origin.program.as_deref()?;
    if let Some(folder) = origin.package.as_deref().filter(|folder| folder.join("Cargo.toml").is_file()) {
        let bin = bin.or(program.file_name().and_then(|name| name.to_str()));
        if let Ok(package) = Package::find(folder, bin)
            && program.starts_with(&package.target)
        {
            return Some(ServiceProgram::Package(package));
        }
    }
    is_own_file(program).then(|| ServiceProgram::Exe(program.to_owned()))
}

/// Returns true for a file that belongs to the user, and that no other user can write to.
fn is_own_file(path: &Path) -> bool {
    let user = rustix::process::getuid().as_raw();
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.uid() == user && meta.mode() & 0o022 == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_store_in_a_package_belongs_to_that_package() {
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join(".zerver");
        fs::create_dir(&store).unwrap();
        assert_eq!(package_of(&store), None);
        fs::write(dir.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(package_of(&store), Some(dir.path().canonicalize().unwrap()));
        assert_eq!(package_of(dir.path()), None);
    }

    #[test]
    fn the_program_that_recorded_a_store_is_used_if_it_belongs_to_the_user() {
        let dir = tempfile::tempdir().unwrap();
        let exe = dir.path().join("app");
        let origin = StoreOrigin { package: Some(dir.path().to_owned()), program: Some(exe.clone()) };
        assert_eq!(from_origin(&StoreOrigin::default(), None), None);
        assert_eq!(from_origin(&origin, None), None, "it is gone");
        fs::write(&exe, "").unwrap();
        let set_mode = |mode| fs::set_permissions(&exe, fs::Permissions::from_mode(mode)).unwrap();
        set_mode(0o777);
        assert_eq!(from_origin(&origin, None), None, "others may have written it");
        set_mode(0o755);
        assert_eq!(from_origin(&origin, None), Some(ServiceProgram::Exe(exe)));
    }
}
