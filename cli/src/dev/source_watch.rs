//! Watches the sources of a service, and reports each burst of changes once.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use super::dep_info::SourceFiles;
use crate::error::CommandError;
use crate::service::cargo::SourceRoot;

/// Time to wait for further changes to the sources.
const SETTLE_TIME: Duration = Duration::from_millis(50);
/// The same for a program, which is large and written in pieces.
const EXE_SETTLE_TIME: Duration = Duration::from_millis(400);

/// Names of folders without sources.
const IGNORED: [&str; 9] =
    ["target", ".git", ".jj", ".hg", ".zerver", ".idea", ".vscode", "node_modules", ".direnv"];

/// Sources of the last build; `None` before the first build and after a failed one.
pub(super) type LastBuild = Arc<Mutex<Option<SourceFiles>>>;

/// Files to watch.
#[derive(Debug, Clone)]
pub(super) enum Watched {
    Sources {
        roots: Vec<SourceRoot>,
        /// Root folder of the workspace, in which only the files that configure Cargo count.
        workspace: PathBuf,
        /// Folders that we change ourselves: the store, and what Cargo builds.
        ignored: Vec<PathBuf>,
        last_build: LastBuild,
    },
    Program(PathBuf),
}

impl Watched {
    /// Returns true if a change of this path requires a build.
    fn is_relevant(&self, path: &Path) -> bool {
        match self {
            Self::Program(exe) => path == exe,
            Self::Sources { roots, workspace, ignored, last_build } => {
                if ignored.iter().any(|folder| path.starts_with(folder)) || is_our_output(path) {
                    return false;
                }
                if configures_cargo(path, roots, workspace) {
                    return true;
                }
                let inside = roots.iter().find_map(|root| {
                    let inside = path.strip_prefix(&root.folder).ok()?;
                    let is_ignored = inside.iter().any(|part| IGNORED.iter().any(|name| part == *name));
                    (!is_ignored && !is_scratch(inside)).then_some((root, inside))
                });
                let last_build = last_build.lock().unwrap_or_else(PoisonError::into_inner);
                match (&*last_build, inside) {
                    (Some(known), _) if known.contains(path) => true,
                    // By Cargo's rules, a build script that lists no files may read any file of its package.
                    (Some(known), Some((root, inside))) => {
                        root.has_build_script
                            && !known.has_other_files_in(&root.folder)
                            && !is_written_by_programs(inside)
                    }
                    (Some(_), None) | (None, None) => false,
                    // The sources are unknown: almost any file may be the one that breaks the build.
                    (None, Some((_, inside))) => !is_written_by_programs(inside),
                }
            }
        }
    }

    /// Returns the folders to watch.
    fn folders(&self) -> Vec<(PathBuf, RecursiveMode)> {
        use RecursiveMode::{NonRecursive, Recursive};
        match self {
            Self::Program(exe) => {
                exe.parent().map(|folder| (folder.to_owned(), NonRecursive)).into_iter().collect()
            }
            Self::Sources { roots, workspace, ignored, last_build } => {
                let mut folders = vec![(workspace.clone(), NonRecursive)];
                folders.extend(
                    Some(workspace.join(".cargo")).filter(|dir| dir.is_dir()).map(|dir| (dir, NonRecursive)),
                );
                for SourceRoot { folder: root, .. } in roots {
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
                let last_build = last_build.lock().unwrap_or_else(PoisonError::into_inner);
                for folder in last_build.iter().flat_map(SourceFiles::watched_folders) {
                    let is_watched = folders.iter().any(|(watched, mode)| match mode {
                        Recursive => folder.starts_with(watched),
                        NonRecursive => folder == watched,
                    });
                    if !is_watched && folder.is_dir() {
                        folders.push((folder.to_owned(), NonRecursive));
                    }
                }
                folders
            }
        }
    }
}

/// Returns true for files that configure the build: manifests, the lock file, the toolchain, Cargo's settings.
fn configures_cargo(path: &Path, roots: &[SourceRoot], workspace: &Path) -> bool {
    let parent = path.parent();
    let named = |names: &[&str]| names.iter().any(|name| path.ends_with(name));
    parent == Some(workspace) && named(&["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "rust-toolchain"])
        || parent == Some(&workspace.join(".cargo")) && named(&["config.toml", "config"])
        || roots.iter().any(|root| parent == Some(&root.folder)) && named(&["Cargo.toml"])
}

/// Returns true for the file that we print to, as in `zerver dev > dev.log`: each line would be a change.
fn is_our_output(path: &Path) -> bool {
    let Ok(changed) = rustix::fs::lstat(path) else { return false };
    let is_it = |ours: rustix::io::Result<rustix::fs::Stat>| {
        ours.is_ok_and(|ours| (ours.st_dev, ours.st_ino) == (changed.st_dev, changed.st_ino))
    };
    is_it(rustix::fs::fstat(io::stdout().as_fd())) || is_it(rustix::fs::fstat(io::stderr().as_fd()))
}

/// Returns true for files that editors create while they write another.
fn is_scratch(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with('~')
        || name.starts_with(".#")
        || name.ends_with(".swp")
        || name.ends_with(".swx")
        || name == "4913"
}

/// Returns true for files that programs rather than people write next to sources: databases, portable traces, logs. This is
/// a guess, needed only until a build has succeeded.
fn is_written_by_programs(path: &Path) -> bool {
    const EXTENSIONS: [&str; 14] = [
        "redb", "zrv", "db", "sqlite", "sqlite3", "log", "out", "err", "tmp", "pid", "sock", "jsonl",
        "ndjson", "csv",
    ];
    path.extension().is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
}

pub(super) struct SourceWatch {
    watched: Watched,
    folders: Vec<(PathBuf, RecursiveMode)>,
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
}

impl SourceWatch {
    /// Starts to watch. Calls `changed` on another thread for each burst of changes.
    pub(super) fn start(watched: Watched, changed: impl Fn() + Send + 'static) -> Result<Self, CommandError> {
        let failed = |error: notify::Error| {
            CommandError::new("cannot watch the sources")
                .caused_by(&error)
                .with_hint("use --no-watch, or raise fs.inotify.max_user_watches if there are too many files")
        };
        let settle_time = if matches!(watched, Watched::Program(_)) { EXE_SETTLE_TIME } else { SETTLE_TIME };
        let filter = watched.clone();
        let on_events = move |result: DebounceEventResult| {
            let is_change = match &result {
                Ok(events) => events.iter().any(|event| {
                    let is_read = matches!(event.kind, EventKind::Access(_));
                    event.need_rescan() || !is_read && event.paths.iter().any(|path| filter.is_relevant(path))
                }),
                // A missed event may have been a change.
                Err(_) => true,
            };
            if is_change {
                changed();
            }
        };
        let debouncer = new_debouncer(settle_time, None, on_events).map_err(failed)?;
        let mut watch = Self { watched, folders: Vec::new(), debouncer };
        watch.refresh().map_err(failed)?;
        Ok(watch)
    }

    /// Adds folders that have been created since.
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

    fn sources(root: &Path) -> (Watched, LastBuild) {
        let package = |name: &str| SourceRoot { folder: root.join(name), has_build_script: name == "proto" };
        let last_build = LastBuild::default();
        let watched = Watched::Sources {
            roots: ["app", "model", "proto"].map(package).to_vec(),
            workspace: root.to_owned(),
            ignored: vec![root.join("app/data"), root.join("out")],
            last_build: Arc::clone(&last_build),
        };
        (watched, last_build)
    }

    #[test]
    fn only_sources_are_relevant() {
        let (watched, _) = sources(Path::new("/w"));
        for path in [
            "/w/app/src/main.rs",
            "/w/app/Cargo.toml",
            "/w/.cargo/config.toml",
            "/w/model/build.rs",
            "/w/app/templates/a.html",
            "/w/Cargo.toml",
            "/w/Cargo.lock",
        ] {
            assert!(watched.is_relevant(Path::new(path)), "{path}");
        }
        for path in [
            "/w/app/target/debug/app",
            "/w/app/.zerver/store",
            "/w/app/data/store",
            "/w/app/.git/index",
            "/w/app/src/.main.rs.swp",
            "/w/app/src/4913",
            "/w/app/shop.redb",
            "/w/app/dev.log",
            "/w/app/corpus/todo-show.zrv",
            "/w/README.md",
            "/w/other/src/main.rs",
            "/w/out/app",
        ] {
            assert!(!watched.is_relevant(Path::new(path)), "{path}");
        }
        let exe = Watched::Program("/b/app".into());
        assert!(exe.is_relevant(Path::new("/b/app")) && !exe.is_relevant(Path::new("/b/other")));
    }

    #[test]
    fn after_a_build_only_the_files_it_read_are_relevant() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let (watched, last_build) = sources(&root);
        let built = |sources: &[&str]| {
            let list: Vec<String> =
                sources.iter().map(|path| root.join(path).display().to_string()).collect();
            fs::write(root.join("exe.d"), format!("exe: {}\n", list.join(" "))).unwrap();
            *last_build.lock().unwrap() = SourceFiles::of(&root.join("exe"));
        };
        let is_relevant = |path: &str| watched.is_relevant(&root.join(path));
        built(&["app/src/main.rs", "shared/query.sql", "app/seed.log", "proto/src/lib.rs"]);
        for path in ["app/src/main.rs", "shared/query.sql", "app/seed.log", "app/Cargo.toml", "Cargo.lock"] {
            assert!(is_relevant(path), "{path}");
        }
        for path in ["app/notes.txt", "app/dev.log", "app/src/unused.rs", "shared/other.sql", "out/app"] {
            assert!(!is_relevant(path), "{path}");
        }
        assert!(is_relevant("proto/todo.proto"), "its build script lists no files, so it may read any");
        built(&["proto/src/lib.rs", "proto/todo.proto"]);
        assert!(is_relevant("proto/todo.proto") && !is_relevant("proto/README.md"));
        // Files outside of all packages are watched too.
        built(&["app/src/main.rs", "shared/query.sql"]);
        fs::create_dir(root.join("shared")).unwrap();
        assert!(watched.folders().contains(&(root.join("shared"), RecursiveMode::NonRecursive)));
        // After a failed build, any file may be the missing one.
        *last_build.lock().unwrap() = None;
        assert!(
            is_relevant("app/src/unused.rs") && is_relevant("app/notes.txt") && !is_relevant("app/dev.log")
        );
    }

    #[test]
    fn a_write_is_reported_and_a_read_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(root.join("app/src")).unwrap();
        fs::create_dir_all(root.join("app/target")).unwrap();
        fs::create_dir_all(root.join("model")).unwrap();
        fs::create_dir_all(root.join("proto")).unwrap();
        fs::write(root.join("app/src/main.rs"), "1").unwrap();
        let (sender, changes) = mpsc::channel();
        let mut watch = SourceWatch::start(sources(&root).0, move || {
            let _ = sender.send(());
        })
        .unwrap();
        fs::read(root.join("app/src/main.rs")).unwrap();
        fs::write(root.join("app/target/x"), "1").unwrap();
        assert!(changes.recv_timeout(SETTLE_TIME * 4).is_err(), "nothing of interest changed");
        fs::write(root.join("app/src/main.rs"), "2").unwrap();
        changes.recv_timeout(Duration::from_secs(120)).unwrap();
        // A folder created later is watched after a refresh.
        fs::create_dir(root.join("model/src")).unwrap();
        changes.recv_timeout(Duration::from_secs(120)).unwrap();
        watch.refresh().unwrap();
        fs::write(root.join("model/src/lib.rs"), "1").unwrap();
        changes.recv_timeout(Duration::from_secs(120)).unwrap();
    }
}
