//! A disk that fails on request, for tests.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

#[derive(Debug, Default)]
pub(crate) struct DiskFaults {
    /// Number of operations that still succeed. Ignored unless armed.
    after: AtomicI64,
    is_armed: AtomicBool,
    /// True if every later operation fails as well.
    is_permanent: AtomicBool,
    pub(crate) failures: AtomicU64,
}

static ALL: LazyLock<Mutex<HashMap<PathBuf, Arc<DiskFaults>>>> = LazyLock::new(Mutex::default);

/// Installs faults for the store file at `path`, effective when it is opened next.
pub(crate) fn install(path: &Path) -> Arc<DiskFaults> {
    let faults = Arc::new(DiskFaults::default());
    ALL.lock().unwrap().insert(path.to_owned(), Arc::clone(&faults));
    faults
}

pub(crate) fn find(path: &Path) -> Option<Arc<DiskFaults>> {
    ALL.lock().unwrap().get(path).cloned()
}

impl DiskFaults {
    pub(crate) fn fail_after(&self, operations: i64, is_permanent: bool) {
        self.after.store(operations, Ordering::SeqCst);
        self.is_permanent.store(is_permanent, Ordering::SeqCst);
        self.is_armed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn stop(&self) {
        self.is_armed.store(false, Ordering::SeqCst);
    }

    pub(crate) fn check(&self) -> io::Result<()> {
        if !self.is_armed.load(Ordering::SeqCst) || self.after.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        if !self.is_permanent.load(Ordering::SeqCst) {
            self.is_armed.store(false, Ordering::SeqCst);
        }
        self.failures.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}
