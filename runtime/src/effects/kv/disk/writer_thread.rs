//! The only thread that writes. Writes that arrive during a commit are committed together in the next one, so that many
//! share one sync of the disk. A write is acknowledged only when it is on the disk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::Database;
use tokio::sync::oneshot;
use zerver_engine::EffectError;
use zerver_trace::Value;

use super::database_file;
use super::database_file::{Fault, Options, catch_fault};
use super::table_operations::Tables;
use crate::effects::kv::expiry::Clock;
use crate::effects::kv::{Answer, Op};

/// Maximum number of writes that share a commit.
const MAX_BATCH: usize = 1024;

/// Minimum time between two attempts to reopen a file.
const REOPEN_INTERVAL: Duration = Duration::from_millis(500);

/// Message to the writer thread.
pub(super) enum Message {
    Write(Write),
    /// Reopen the file, because reading it failed.
    Reopen,
    /// Close the file and end, after all previous messages.
    Close,
}

/// A write operation.
pub(super) struct Write {
    pub(super) op: Op,
    pub(super) value: Option<Value>,
    pub(super) reply: oneshot::Sender<Result<Answer, EffectError>>,
}

/// The file, shared by readers and the writer thread.
pub(super) struct Handle {
    pub(super) options: Options,
    pub(super) clock: Clock,
    /// The database, or the reason why it is closed after an error from which redb does not recover.
    pub(super) database: RwLock<Result<Database, String>>,
    /// True if the writer thread has been requested to reopen the file.
    pub(super) is_reopen_requested: AtomicBool,
    /// Time of the last failure to reopen the file.
    pub(super) reopen_failed: Mutex<Option<Instant>>,
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
}

impl Handle {
    /// Calls `f` with the database, which stays open meanwhile. Fails if the database is closed.
    pub(super) fn with<T>(&self, f: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, EffectError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Ok(database) => {
                catch_fault(|| f(database)).map_err(|fault| fault.to_effect_error(&self.options.path))
            }
            Err(reason) => Err(Fault::from(redb::Error::Io(std::io::Error::other(reason.clone())))
                .to_effect_error(&self.options.path)),
        }
    }

    /// Reopens the file. After a failed write or sync, redb refuses all operations until then.
    fn reopen(&self) {
        let mut failed = self.reopen_failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none_or(|at| at.elapsed() >= REOPEN_INTERVAL) {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            close(&mut database, "the file is being reopened");
            *database = database_file::open(&self.options, false).map_err(|error| error.to_string());
            *failed = database.is_err().then(Instant::now);
        }
        self.is_reopen_requested.store(false, Ordering::Release);
    }

    fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_ok()
    }
}

fn close(database: &mut Result<Database, String>, reason: &str) {
    if let Ok(old) = std::mem::replace(database, Err(reason.to_owned())) {
        database_file::drop_quietly(old);
    }
}

/// Runs the writer thread until it receives [`Message::Close`] or all senders are dropped.
pub(super) fn run(handle: &Handle, messages: &Receiver<Message>) {
    let mut batch: Vec<Write> = Vec::with_capacity(MAX_BATCH);
    let mut is_closed = false;
    while !is_closed && let Ok(first) = messages.recv() {
        let mut reopen = false;
        for message in std::iter::once(first).chain(std::iter::from_fn(|| messages.try_recv().ok())) {
            match message {
                Message::Write(write) => batch.push(write),
                Message::Reopen => reopen = true,
                Message::Close => is_closed = true,
            }
            if is_closed || batch.len() == MAX_BATCH {
                break;
            }
        }
        if reopen || !handle.is_open() {
            handle.reopen();
        }
        if !batch.is_empty() {
            write(handle, &mut batch);
        }
    }
    close(&mut handle.database.write().unwrap_or_else(PoisonError::into_inner), "the store is closed");
}

fn write(handle: &Handle, batch: &mut Vec<Write>) {
    let committed = handle.with(|database| {
        let mut write = database.begin_write()?;
        // If the file is not checked in full when it is opened, the repair after a crash must not need a full check,
        // either.
        write.set_quick_repair(!handle.options.check);
        let mut answers = Vec::with_capacity(batch.len());
        let mut tables = Tables::open(&write, &handle.clock)?;
        for Write { op, value, .. } in &*batch {
            answers.push(tables.perform(op, value.as_ref().map_or(&[], Value::tokens))?);
        }
        drop(tables);
        write.commit()?;
        Ok(answers)
    });
    match committed {
        Ok(answers) => {
            handle.commits.fetch_add(1, Ordering::Relaxed);
            handle.writes.fetch_add(answers.len() as u64, Ordering::Relaxed);
            for (Write { reply, .. }, answer) in batch.drain(..).zip(answers) {
                // The request may no longer be waiting.
                let _ = reply.send(answer);
            }
        }
        Err(mut error) => {
            error.message.push_str("; whether it was written is unknown until the store is read again");
            handle.reopen();
            for Write { reply, .. } in batch.drain(..) {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}
