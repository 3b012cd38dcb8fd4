//! Says when sources change, once for many changes at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::trouble::Trouble;

/// So long a change of a file waits for others that belong to it.
const QUIET: Duration = Duration::from_millis(50);
/// A program is large, and written in many goes.
const QUIET_EXE: Duration = Duration::from_millis(400);

/// Folders with these names hold no sources.
const IGNORED: [&str; 9] =
    ["target", ".git", ".jj", ".hg", ".zerver", ".idea", ".vscode", "node_modules", ".direnv"];

/// What to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watched {
    Sources {
        /// Folders with sources.
        roots: Vec<PathBuf>,
        /// The root of the workspace, of which only the files that steer Cargo count.
        workspace: PathBuf,
        /// Folders in which changes are of our own making: the store, what Cargo builds.
        ignored: Vec<PathBuf>,
    },
    Program(PathBuf),
}

impl Watched {
    /// Whether a change of this path is one to act on.
    fn concerns(&self, path: &Path) -> bool {
        match self {
            Self::Program(exe) => path == exe,
            Self::Sources { roots, workspace, ignored } => {
                if ignored.iter().any(|folder| path.starts_with(folder)) {
                    return false;
                }
                let steers = ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "rust-toolchain"];
                if path.parent() == Some(workspace) && steers.iter().any(|name| path.ends_with(name)) {
                    return true;
                }
                roots.iter().any(|root| {
                    path.strip_prefix(root).is_ok_and(|inside| {
                        !inside.iter().any(|part| IGNORED.iter().any(|name| part == *name))
                            && !is_scratch(inside)
                            && !is_data(inside)
                    })
                })
            }
        }
    }

    /// The folders to watch, and whether with all in them.
    fn folders(&self) -> Vec<(PathBuf, RecursiveMode)> {
        use RecursiveMode::{NonRecursive, Recursive};
        match self {
            Self::Program(exe) => {
                exe.parent().map(|folder| (folder.to_owned(), NonRecursive)).into_iter().collect()
            }
            Self::Sources { roots, workspace, ignored } => {
                let mut folders = vec![(workspace.clone(), NonRecursive)];
                for root in roots {
                    folders.push((root.clone(), NonRecursive));
                    let inside = fs::read_dir(root).into_iter().flatten().flatten();
                    let inside = inside.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
                    folders.extend(
                        inside
                            .filter(|entry| !IGNORED.iter().any(|name| entry.file_name() == *name))
                            .map(|entry| entry.path())
                            .filter(|folder| !ignored.contains(folder))
                            .map(|folder| (folder, Recursive)),
                    );
                }
                folders
            }
        }
    }
}

/// What editors leave beside a file while they write it.
fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with('~')
        || name.starts_with(".#")
        || name.ends_with(".swp")
        || name.ends_with(".swx")
        || name == "4913"
}

/// What the service or `zerver export` writes beside the sources: a file of `kv::Disk`, a portable file.
fn is_data(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "redb" || extension == "zrv")
}

pub(super) struct Watch {
    watched: Watched,
    folders: Vec<(PathBuf, RecursiveMode)>,
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
}

impl Watch {
    /// Calls `changed` on a thread of its own for each burst of changes.
    pub(super) fn start(watched: Watched, changed: impl Fn() + Send + 'static) -> Result<Self, Trouble> {
        let trouble = |error: notify::Error| {
            Trouble::new("cannot watch for changes")
                .because(&error)
                .hint("--no-watch does without; if there are too many files, see fs.inotify.max_user_watches")
        };
        let quiet = if matches!(watched, Watched::Program(_)) { QUIET_EXE } else { QUIET };
        let concerned = watched.clone();
        let on_events = move |result: DebounceEventResult| {
            let is_change = match &result {
                Ok(events) => events.iter().any(|event| {
                    let is_read = matches!(event.kind, EventKind::Access(_));
                    event.need_rescan() || !is_read && event.paths.iter().any(|path| concerned.concerns(path))
                }),
                // What was missed may have been a change.
                Err(_) => true,
            };
            if is_change {
                changed();
            }
        };
        let debouncer = new_debouncer(quiet, None, on_events).map_err(trouble)?;
        let mut watch = Self { watched, folders: Vec::new(), debouncer };
        watch.refresh().map_err(trouble)?;
        Ok(watch)
    }

    /// Takes in folders that were made since.
    pub(super) fn refresh(&mut self) -> Result<(), notify::Error> {
        for folder in self.watched.folders() {
            if !self.folders.contains(&folder) {
                self.debouncer.watch(&folder.0, folder.1)?;
                self.folders.push(folder);
            }
        }
        self.folders.retain(|(folder, _)| folder.is_dir());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn sources(root: &Path) -> Watched {
        Watched::Sources {
            roots: vec![root.join("app"), root.join("model")],
            workspace: root.to_owned(),
            ignored: vec![root.join("app/data"), root.join("out")],
        }
    }

    #[test]
    fn only_sources_concern_us() {
        let watched = sources(Path::new("/w"));
        for path in [
            "/w/app/src/main.rs",
            "/w/model/build.rs",
            "/w/app/templates/a.html",
            "/w/Cargo.toml",
            "/w/Cargo.lock",
        ] {
            assert!(watched.concerns(Path::new(path)), "{path}");
        }
        for path in [
            "/w/app/target/debug/app",
            "/w/app/.zerver/store",
            "/w/app/data/store",
            "/w/app/.git/index",
            "/w/app/src/.main.rs.swp",
            "/w/app/src/4913",
            "/w/app/shop.redb",
            "/w/app/corpus/todo-show.zrv",
            "/w/README.md",
            "/w/other/src/main.rs",
            "/w/out/app",
        ] {
            assert!(!watched.concerns(Path::new(path)), "{path}");
        }
        let exe = Watched::Program("/b/app".into());
        assert!(exe.concerns(Path::new("/b/app")) && !exe.concerns(Path::new("/b/other")));
    }

    #[test]
    fn a_change_is_told_and_a_look_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("app/src")).unwrap();
        fs::create_dir_all(root.join("app/target")).unwrap();
        fs::create_dir_all(root.join("model")).unwrap();
        fs::write(root.join("app/src/main.rs"), "1").unwrap();
        let (tell, told) = mpsc::channel();
        let mut watch = Watch::start(sources(&root), move || {
            let _ = tell.send(());
        })
        .unwrap();
        fs::read(root.join("app/src/main.rs")).unwrap();
        fs::write(root.join("app/target/x"), "1").unwrap();
        assert!(told.recv_timeout(QUIET * 4).is_err(), "nothing of interest changed");
        fs::write(root.join("app/src/main.rs"), "2").unwrap();
        told.recv_timeout(Duration::from_secs(120)).unwrap();
        // A folder made later is watched after a refresh.
        fs::create_dir(root.join("model/src")).unwrap();
        told.recv_timeout(Duration::from_secs(120)).unwrap();
        watch.refresh().unwrap();
        fs::write(root.join("model/src/lib.rs"), "1").unwrap();
        told.recv_timeout(Duration::from_secs(120)).unwrap();
    }
}
