//! Connections: how they are opened, and statements that are interrupted when their effect ends.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, InterruptHandle};

/// Longest wait for the lock of another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a connection that writes, or one in memory without a path.
pub(crate) fn writer(path: Option<&Path>) -> rusqlite::Result<Connection> {
    let connection = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Returns the mode, which stays `memory` for a database in memory.
    connection.query_row("pragma journal_mode = wal", [], |_| Ok(()))?;
    // In WAL mode, this loses no committed data when the process ends, and keeps the file intact when power fails.
    connection.execute_batch("pragma synchronous = normal; pragma foreign_keys = on")?;
    Ok(connection)
}

/// Opens a connection that can only read.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch("pragma query_only = on")?;
    Ok(connection)
}

/// Interrupts the statement of an effect when it is dropped, unless the statement has ended.
pub(crate) struct InterruptOnDrop(Arc<Mutex<Option<InterruptHandle>>>);

/// The statement's side of an [`InterruptOnDrop`].
pub(crate) struct Running(Arc<Mutex<Option<InterruptHandle>>>);

pub(crate) fn interruptible(connection: &Connection) -> (InterruptOnDrop, Running) {
    let handle = Arc::new(Mutex::new(Some(connection.get_interrupt_handle())));
    (InterruptOnDrop(Arc::clone(&handle)), Running(handle))
}

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        // Under the lock, so that it is never the next statement of the connection that is interrupted.
        if let Some(handle) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
