//! The files that redb works on: ours begins with a page of its own, before what redb sees.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::backend::copy_on_write::Overlay;
use crate::format::file_header::HEADER_LEN;

/// The file behind our page, as redb sees it.
#[derive(Debug)]
pub(super) struct AfterHeader {
    file: FileBackend,
    #[cfg(test)]
    faults: Option<std::sync::Arc<crate::backend::disk_faults::Faults>>,
}

pub(super) const OFFSET: u64 = HEADER_LEN as u64;

impl AfterHeader {
    pub(super) fn new(file: File, _path: &Path) -> Result<Self, redb::Error> {
        Ok(Self {
            file: FileBackend::new(file)?,
            #[cfg(test)]
            faults: crate::backend::disk_faults::of(_path),
        })
    }

    #[cfg(test)]
    fn fault(&self) -> io::Result<()> {
        self.faults.as_ref().map_or(Ok(()), |faults| faults.strike())
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "faults are injected in tests only")]
    const fn fault(&self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageBackend for AfterHeader {
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

/// A file that is not to be changed, whatever redb does to open it.
impl StorageBackend for Overlay {
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
