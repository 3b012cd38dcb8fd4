//! The lock of a store, which ensures that it has only one writer.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::store_dir::{FileIdentity, lock_file};
use crate::regular_file;

/// The right to write to a store. It ends when this is dropped or the process dies.
#[derive(Debug)]
pub(crate) struct WriterLock {
    file: File,
    path: PathBuf,
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Closing the file would not be enough: a child process that is just being started has it open, too.
        let _ = self.file.unlock();
    }
}

pub(crate) enum LockError {
    /// Another process holds the lock. Contains its id if it is known.
    TypedValue(Option<u32>),
    /// The lock file cannot be used.
    Io(PathBuf, io::Error),
}

impl WriterLock {
    pub(crate) fn take(dir: &Path) -> Result<Self, LockError> {
        let path = lock_file(dir);
        let mut file =
            regular_file::open_private(&path).map_err(|error| LockError::Io(path.clone(), error))?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                // A process that only looks up the holder keeps the lock for microseconds.
                Err(TryLockError::WouldBlock) if tries < 4 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Err(LockError::TypedValue(read_pid(&mut file))),
                Err(TryLockError::Error(error)) => return Err(LockError::Io(path, error)),
            }
        }
        // The id is only informative, so a full disk must not prevent the lock.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file, path })
    }

    /// Returns true if other processes still find the lock file under its path.
    pub(crate) fn is_in_place(&self) -> bool {
        FileIdentity::of(&self.file).is_ok_and(|identity| identity.is_at(&self.path))
    }

    /// Checks that the lock file, if it exists, can be used. Returns its path and the reason if not.
    pub(crate) fn check(dir: &Path) -> Result<(), (PathBuf, String)> {
        let path = lock_file(dir);
        match regular_file::open(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err((path, error.to_string())),
            _ => Ok(()),
        }
    }

    /// Returns the holder of the lock. `None` if it is free.
    pub(crate) fn holder(dir: &Path) -> Option<LockHolder> {
        let mut file = regular_file::open(&lock_file(dir)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(LockHolder { pid: read_pid(&mut file) }),
            _ => None,
        }
    }
}

/// The process that writes to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockHolder {
    /// Process id, if known.
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
    fn the_lock_has_one_holder_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let lock = WriterLock::take(root.path()).ok().unwrap();
        assert!(
            matches!(WriterLock::take(root.path()), Err(LockError::TypedValue(Some(pid))) if pid == std::process::id())
        );
        assert_eq!(WriterLock::holder(root.path()), Some(LockHolder { pid: Some(std::process::id()) }));
        drop(lock);
        assert_eq!(WriterLock::holder(root.path()), None);
        assert!(WriterLock::take(root.path()).is_ok());
    }
}
