//! Where a store lies, and who may touch it: the folder, its files, their modes, and the lock of the one writer.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::regular_file;

const FOLDER: &str = ".zerver";

/// The nearest folder named `.zerver` at `from` or above it.
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

fn lock_file(dir: &Path) -> PathBuf {
    dir.join("lock")
}

/// Makes the folder, for its owner only whatever the umask says. One that is there already keeps its mode.
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    match regular_file::check_folder(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        checked => return checked,
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    fs::set_permissions(dir, Permissions::from_mode(0o700))
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    /// Where the file system knows it: inodes are used again.
    made: Option<SystemTime>,
}

impl Identity {
    pub(crate) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|found| Self::from(&found))
    }

    /// Whether it is this file that one would find under a name.
    pub(crate) fn is_at(self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| Self::from(&found) == self)
    }
}

impl From<&fs::Metadata> for Identity {
    fn from(found: &fs::Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino(), made: found.created().ok() }
    }
}

/// Makes what was created in the folder last, whatever happens to the machine.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The right to write to a store; given up when dropped, and by the kernel when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    path: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough: a child that is just being started has it too, until it is itself.
        let _ = self.file.unlock();
    }
}

pub(crate) enum LockError {
    /// By this process, where it could be learnt.
    Held(Option<u32>),
    /// The file of the lock cannot be used.
    Io(PathBuf, io::Error),
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = lock_file(dir);
        let mut file =
            regular_file::open_private(&path).map_err(|error| LockError::Io(path.clone(), error))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // Somebody who only asks who holds it does so for microseconds.
                Err(TryLockError::WouldBlock) if tries < 4 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(read_pid(&mut file))),
                Err(TryLockError::Error(error)) => return Err(LockError::Io(path, error)),
            }
        }
        // Who holds it is for people; a full disk must not keep the writer from its lock.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file, path })
    }

    /// Whether its file is still where others look for it.
    pub(crate) fn is_in_place(&self) -> bool {
        Identity::of(&self.file).is_ok_and(|identity| identity.is_at(&self.path))
    }

    /// Whether the file of the lock, if it is there, can be one.
    pub(crate) fn check(dir: &Path) -> Result<(), (PathBuf, String)> {
        let path = lock_file(dir);
        match regular_file::open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err((path, error.to_string())),
            _ => Ok(()),
        }
    }

    /// Who holds the lock; none if nobody does.
    pub(crate) fn holder(dir: &Path) -> Option<Holder> {
        let mut file = regular_file::open(&lock_file(dir)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Holder { pid: read_pid(&mut file) }),
            _ => None,
        }
    }
}

/// Who writes to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holder {
    /// The id of the process, where it could be learnt.
    pub pid: Option<u32>,
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_store_upwards_is_found() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b/c");
        fs::create_dir_all(&deep).unwrap();
        fs::create_dir(root.path().join(".zerver")).unwrap();
        assert_eq!(find_store(&deep), Some(root.path().join(".zerver")));
        fs::create_dir(root.path().join("a/b/.zerver")).unwrap();
        assert_eq!(find_store(&deep), Some(root.path().join("a/b/.zerver")));
    }

    #[test]
    fn only_one_holds_the_lock() {
        let root = tempfile::tempdir().unwrap();
        let lock = Lock::take(root.path()).ok().unwrap();
        assert!(
            matches!(Lock::take(root.path()), Err(LockError::Held(Some(pid))) if pid == std::process::id())
        );
        assert_eq!(Lock::holder(root.path()), Some(Holder { pid: Some(std::process::id()) }));
        drop(lock);
        assert_eq!(Lock::holder(root.path()), None);
        assert!(Lock::take(root.path()).is_ok());
    }
}
