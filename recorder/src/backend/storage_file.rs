//! The file of a store as redb sees it: without the header, which comes first.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{BackendError, Builder, ConcurrencyMode, StorageBackend};

use crate::backend::copy_on_write::CopyOnWriteFile;
use crate::format::file_header::HEADER_LEN;

/// Size of the page cache of redb, in bytes. Its default is 1 GiB.
pub(super) const CACHE: usize = 16 << 20;

pub(super) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// Reads the start of a file, up to the length of the header.
pub(super) fn read_head(file: &File) -> io::Result<Vec<u8>> {
    let mut head = vec![0; HEADER_LEN];
    let mut len = 0;
    while len < head.len() {
        match file.read_at(&mut head[len..], len as u64)? {
            0 => break,
            more => len += more,
        }
    }
    head.truncate(len);
    Ok(head)
}

/// The part of the file after the header.
#[derive(Debug)]
pub(super) struct StorageFile {
    file: FileBackend,
    #[cfg(test)]
    faults: Option<std::sync::Arc<crate::backend::disk_faults::DiskFaults>>,
}

/// Offset of the database in the file.
pub(super) const OFFSET: u64 = HEADER_LEN as u64;

impl StorageFile {
    pub(super) fn new(file: File, _path: &Path) -> Result<Self, redb::Error> {
        Ok(Self {
            file: FileBackend::new(file)?,
            #[cfg(test)]
            faults: crate::backend::disk_faults::find(_path),
        })
    }

    #[cfg(test)]
    fn fault(&self) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.check())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "faults are injected in tests only")]
    const fn fault(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageBackend for StorageFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.len()?.saturating_sub(OFFSET))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = offset.checked_add(OFFSET).ok_or(io::ErrorKind::InvalidData)?;
        self.file.read(at, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fault()?;
        self.file.set_len(len + OFFSET)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.fault()?;
        self.file.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.fault()?;
        self.file.write(offset + OFFSET, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }
    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }
    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }
    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

/// A file that stays unchanged, whatever redb writes when it opens it.
impl StorageBackend for CopyOnWriteFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.len().saturating_sub(OFFSET))
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.read(offset.checked_add(OFFSET).ok_or(io::ErrorKind::InvalidData)?, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.set_len(len + OFFSET);
        Ok(())
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write(offset + OFFSET, data)
    }
}
