//! What `dev` runs: a package that Cargo builds, or a program that is there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::source_watch::{LastBuild, Watch, Watched};
use crate::args::{Dev, Global};
use crate::error::Trouble;
use crate::locate;
use crate::service::cargo::Package;

/// What is run.
pub(super) enum Service {
    Package(Package),
    Exe { exe: PathBuf, folder: PathBuf },
}

impl Service {
    pub(super) fn find(args: &Dev) -> Result<Self, Trouble> {
        let Some(exe) = &args.program.exe else {
            return Package::find(&args.app, args.program.bin.as_deref()).map(Self::Package);
        };
        let found = |path: &Path| {
            fs::canonicalize(path)
                .map_err(|error| Trouble::new(format!("cannot find {}", path.display())).because(&error))
        };
        // Not its canonical path: a link to a program may come to point to a newer one.
        found(exe)?;
        let exe = std::path::absolute(exe)
            .map_err(|error| Trouble::new(format!("cannot find {}", exe.display())).because(&error))?;
        Ok(Self::Exe { exe, folder: found(&args.app)? })
    }

    /// Where its store is, if nothing else is said.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Package(package) => &package.folder,
            Self::Exe { folder, .. } => folder,
        }
    }

    /// Where it runs: as with `cargo run`, where we do.
    pub(super) fn run_in(&self) -> PathBuf {
        env::current_dir().unwrap_or_else(|_| self.folder().to_owned())
    }

    pub(super) fn exe(&self) -> Option<PathBuf> {
        match self {
            Self::Package(_) => None,
            Self::Exe { exe, .. } => Some(exe.clone()),
        }
    }

    pub(super) fn watch(
        &self,
        store: &Path,
        last_build: LastBuild,
        changed: impl Fn() + Send + 'static,
    ) -> Result<Watch, Trouble> {
        let watched = match self {
            Self::Exe { exe, .. } => Watched::Program(exe.clone()),
            Self::Package(package) => Watched::Sources {
                roots: package.sources.clone(),
                workspace: package.workspace.clone(),
                ignored: vec![store.to_owned(), package.target.clone()],
                last_build,
            },
        };
        Watch::start(watched, changed)
    }
}

/// The folder of the store, as an absolute path; it need not be there yet.
pub(super) fn store(global: &Global, folder: &Path) -> Result<PathBuf, Trouble> {
    let dir = global.store.clone().unwrap_or_else(|| folder.join(".zerver"));
    // Said before anything is built for it.
    if dir.exists() && !dir.is_dir() {
        return Err(locate::no_folder(&dir));
    }
    std::path::absolute(&dir)
        .map_err(|error| Trouble::new(format!("cannot use {}", dir.display())).because(&error))
}
