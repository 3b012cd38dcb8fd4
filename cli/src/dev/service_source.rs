//! Source of the service that `dev` runs: a package that Cargo builds, or an existing program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::source_watch::{LastBuild, SourceWatch, Watched};
use crate::args::{Dev, Global};
use crate::error::CommandError;
use crate::locate;
use crate::service::cargo::Package;
use crate::store_place::StorePlace;

pub(super) enum ServiceSource {
    Package(Package),
    Exe { exe: PathBuf, folder: PathBuf },
}

impl ServiceSource {
    pub(super) fn find(args: &Dev) -> Result<Self, CommandError> {
        let Some(exe) = &args.program.exe else {
            return Package::find(&args.app, args.program.bin.as_deref()).map(Self::Package);
        };
        let not_found = |path: &Path, error: &dyn std::error::Error| {
            CommandError::new(format!("cannot find {}", path.display())).caused_by(error)
        };
        let canonical = |path: &Path| fs::canonicalize(path).map_err(|error| not_found(path, &error));
        canonical(exe)?;
        // Not the canonical path: a link to the program may later point to a newer one.
        let exe = std::path::absolute(exe).map_err(|error| not_found(exe, &error))?;
        Ok(Self::Exe { exe, folder: canonical(&args.app)? })
    }

    /// Returns the folder of the package, which holds the settings and by default the store.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Package(package) => &package.folder,
            Self::Exe { folder, .. } => folder,
        }
    }

    /// Returns the folder in which the service runs: the current one, as with `cargo run`.
    pub(super) fn working_folder(&self) -> PathBuf {
        env::current_dir().unwrap_or_else(|_| self.folder().to_owned())
    }

    /// Returns the program; `None` if Cargo builds it.
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
    ) -> Result<SourceWatch, CommandError> {
        let watched = match self {
            Self::Exe { exe, .. } => Watched::Program(exe.clone()),
            Self::Package(package) => Watched::Sources {
                roots: package.sources.clone(),
                workspace: package.workspace.clone(),
                ignored: vec![store.to_owned(), package.target.clone()],
                last_build,
            },
        };
        SourceWatch::start(watched, changed)
    }
}

/// Returns the folder of the store as an absolute path. It need not exist yet.
pub(super) fn store_dir(global: &Global, folder: &Path) -> Result<PathBuf, CommandError> {
    let dir = match &global.store {
        Some(name) => match StorePlace::named(name)? {
            StorePlace::Folder(dir) => dir,
            StorePlace::Fleet(url) => {
                return Err(locate::needs_folder(&url, "record into").with_hint(
                    "a service records into its own store, and ships to a fleet with ZERVER_FLEET_STORE",
                ));
            }
        },
        None => folder.join(".zerver"),
    };
    // Reported before anything is built.
    if dir.exists() && !dir.is_dir() {
        return Err(locate::not_a_folder(&dir));
    }
    std::path::absolute(&dir)
        .map_err(|error| CommandError::new(format!("cannot use {}", dir.display())).caused_by(&error))
}
