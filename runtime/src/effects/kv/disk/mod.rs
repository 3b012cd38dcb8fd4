//! On-disk store: one file, written by one thread.

mod database_file;
mod entry_format;
mod table_operations;
mod writer_thread;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::ReadableDatabase as _;
use tokio::sync::oneshot;
use zerver_engine::{EffectError, EffectErrorKind};

use super::expiry::Clock;
use super::{Answer, Op};
use crate::effects::interpreter::{BoxFuture, EffectContext, EffectResult, Interpreter, Started};
use database_file::{ENTRIES, Options};
use writer_thread::{Handle, Message, Write};

pub use database_file::OpenError;

/// Maximum number of writes that wait. More are refused.
const QUEUE_CAPACITY: usize = 8192;

/// A store on disk: a redb file. An acknowledged write survives a crash of the process and of the machine.
///
/// Reads are performed immediately by the worker. Writes wait for the disk; writes that wait at the same time share one
/// sync. The maximum length of a value is the maximum that can be recorded ([`zerver_trace::value::MAX_LEN`] bytes of
/// its tokens). Only one process at a time can open a file.
///
/// A clone is another handle of the same store. Dropping the last handle closes the file after all writes have been
/// done.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    handle: Arc<Handle>,
    messages: SyncSender<Message>,
    writer: Option<JoinHandle<()>>,
}

/// Builds a [`Disk`].
#[derive(Debug)]
pub struct DiskBuilder {
    options: Options,
    clock: Clock,
}

/// Counters of a [`Disk`] since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskStats {
    /// Number of acknowledged writes.
    pub writes: u64,
    /// Number of commits, each with one sync of the disk.
    pub commits: u64,
}

impl Disk {
    /// Opens the store in this file. Creates the file and its parent directories if they do not exist.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Starts building a store with other settings.
    pub fn builder(path: impl Into<PathBuf>) -> DiskBuilder {
        let options = Options { path: path.into(), cache_bytes: 64 * 1024 * 1024, check: true };
        DiskBuilder { options, clock: Clock::real() }
    }

    /// Returns the counters since the store was opened.
    pub fn stats(&self) -> DiskStats {
        let handle = &self.0.handle;
        DiskStats {
            writes: handle.writes.load(Ordering::Relaxed),
            commits: handle.commits.load(Ordering::Relaxed),
        }
    }

    fn read(&self, op: &Op) -> Result<Answer, EffectError> {
        let handle = &self.0.handle;
        let read = handle.with(|database| {
            let read = database.begin_read()?;
            table_operations::read(&read.open_table(ENTRIES)?, op, &handle.clock)
        });
        if read.is_err() && !handle.is_reopen_requested.swap(true, Ordering::AcqRel) {
            // If the queue is full, the writer reopens the file when one of the queued writes fails.
            let _ = self.0.messages.try_send(Message::Reopen);
        }
        read?
    }

    fn write(&self, op: &Op) -> Result<BoxFuture<EffectResult<Op>>, EffectError> {
        let value = table_operations::tokens(op)?;
        let (reply, answer) = oneshot::channel();
        self.0.messages.try_send(Message::Write(Write { op: op.clone(), value, reply })).map_err(
            |error| {
                let reason = match error {
                    TrySendError::Full(_) => "too many writes are waiting",
                    TrySendError::Disconnected(_) => "the writer thread has ended",
                };
                unavailable(&self.0.handle, reason)
            },
        )?;
        let handle = Arc::clone(&self.0.handle);
        Ok(Box::pin(async move {
            answer.await.unwrap_or_else(|_| Err(unavailable(&handle, "the writer thread has ended")))
        }))
    }
}

fn unavailable(handle: &Handle, reason: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Unreachable, format!("{}: {reason}", handle.options.path.display()))
}

impl DiskBuilder {
    /// Sets the memory for cached pages of the file, in bytes. The default is 64 MiB.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Sets whether the whole file is checked when it is opened. The default is true. The check takes about one second
    /// per gigabyte. Without it, damage that hides entries, but leaves them intact, is not detected.
    #[must_use]
    pub fn check(mut self, check: bool) -> Self {
        self.options.check = check;
        self
    }

    /// Sets the clock: a function that returns the time since the Unix epoch, which determines when entries expire.
    #[must_use]
    pub fn clock(mut self, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        self.clock = Clock::new(now);
        self
    }

    /// Opens the store.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(self) -> Result<Disk, OpenError> {
        let Self { options, clock } = self;
        let database = database_file::open(&options, true)?;
        let path = options.path.clone();
        let handle = Arc::new(Handle {
            options,
            clock,
            database: RwLock::new(Ok(database)),
            is_reopen_requested: AtomicBool::new(false),
            reopen_failed: Mutex::new(None),
            commits: AtomicU64::new(0),
            writes: AtomicU64::new(0),
        });
        let (messages, inbox) = sync_channel(QUEUE_CAPACITY);
        let writer = std::thread::Builder::new().name("zerver-kv".to_owned()).spawn({
            let handle = Arc::clone(&handle);
            move || writer_thread::run(&handle, &inbox)
        });
        let writer = writer.map_err(|source| OpenError::Io { path, source })?;
        Ok(Disk(Arc::new(Inner { handle, messages, writer: Some(writer) })))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Waits for room if the queue is full.
        let _ = self.messages.send(Message::Close);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kv::Disk({})", self.0.handle.options.path.display())
    }
}

impl Interpreter<Op> for Disk {
    fn start(&self, op: &Op, _context: &EffectContext) -> Started<EffectResult<Op>> {
        if let Err(error) = op.check() {
            return Started::Ready(Err(error));
        }
        if op.is_read() {
            return Started::Ready(self.read(op));
        }
        match self.write(op) {
            Ok(future) => Started::Pending(future),
            Err(error) => Started::Ready(Err(error)),
        }
    }

    fn needs_runtime(&self) -> bool {
        false
    }
}
