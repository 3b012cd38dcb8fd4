//! A disk that fails when a test says so.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Operations that still succeed before one fails; below zero means all do.
    after: AtomicI64,
    armed: AtomicBool,
    /// Whether it goes on failing after the first time.
    forever: AtomicBool,
    pub(crate) struck: AtomicU64,
}

static ALL: LazyLock<Mutex<HashMap<PathBuf, Arc<Faults>>>> = LazyLock::new(Mutex::default);

/// Faults for the store file at `path`, from its next opening on.
pub(crate) fn plant(path: &Path) -> Arc<Faults> {
    let faults = Arc::new(Faults::default());
    ALL.lock().unwrap().insert(path.to_owned(), Arc::clone(&faults));
    faults
}

pub(crate) fn of(path: &Path) -> Option<Arc<Faults>> {
    ALL.lock().unwrap().get(path).cloned()
}

impl Faults {
    pub(crate) fn fail_after(&self, operations: i64, forever: bool) {
        self.after.store(operations, Ordering::SeqCst);
        self.forever.store(forever, Ordering::SeqCst);
        self.armed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn heal(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    pub(crate) fn strike(&self) -> io::Result<()> {
        if !self.armed.load(Ordering::SeqCst) || self.after.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        if !self.forever.load(Ordering::SeqCst) {
            self.armed.store(false, Ordering::SeqCst);
        }
        self.struck.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }
}
