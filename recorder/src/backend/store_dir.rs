//! The folder of a store: the names and modes of its files, and their identity.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::regular_file;

const FOLDER: &str = ".zerver";

/// Finds the nearest folder named `.zerver` in `from` or above it.
pub fn find_store(from: &Path) -> Option<PathBuf> {
    let from = std::path::absolute(from).ok()?;
    from.ancestors().map(|folder| folder.join(FOLDER)).find(|folder| folder.is_dir())
}

pub(crate) fn store_file(dir: &Path) -> PathBuf {
    dir.join("traces.redb")
}

pub(crate) fn key_file(dir: &Path) -> PathBuf {
    dir.join("key")
}

pub(super) fn lock_file(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// Creates the folder with mode 0700, whatever the umask is. An existing folder keeps its mode.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    match regular_file::check_folder(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        checked => return checked,
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Identity of a file, regardless of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    device: u64,
    inode: u64,
    /// Creation time, if the file system records it. Inode numbers are reused.
    made: Option<SystemTime>,
}

impl FileIdentity {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::from(&found))
    }

    /// Returns true if the path leads to this file.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| Self::from(&found) == self)
    }
}

impl From<&fs::Metadata> for FileIdentity {
    fn from(found: &fs::Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino(), made: found.created().ok() }
    }
}

/// A file as it was at one time. It differs after a change, unless the change followed within the resolution of the file
/// system's times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMark {
    identity: FileIdentity,
    len: u64,
    modified: SystemTime,
}

impl FileMark {
    /// Returns the mark of what the path leads to, if it can be read.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let found = fs::symlink_metadata(path).ok()?;
        Some(Self {
            identity: FileIdentity::from(&found),
            len: found.len(),
            modified: found.modified().ok()?,
        })
    }
}

/// Makes the last changes to the entries of the folder durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_store_above_a_folder_is_found() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(root.path().join(".zerver")).unwrap();
        assert_eq!(find_store(&deep), Some(root.path().join(".zerver")));
        fs::create_dir(root.path().join("a/b/.zerver")).unwrap();
        assert_eq!(find_store(&deep), Some(root.path().join("a/b/.zerver")));
    }
}
