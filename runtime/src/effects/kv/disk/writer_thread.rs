//! The one thread that writes. What has been asked for while it committed is committed next, all at once: many writers
//! share one sync of the disk. Nobody is told that a write is done before it is on the disk.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use redb::Database;
use tokio::sync::oneshot;
use zerver_engine::EffectError;
use zerver_trace::Value;

use super::database_file;
use super::database_file::{Fault, Options, guard};
use super::table_operations::Tables;
use crate::effects::kv::expiry::Clock;
use crate::effects::kv::{Answer, Op};

/// How many writes share a commit, at most.
const BATCH: usize = 1024;

/// How long to leave a file alone which could not be opened anew.
const PAUSE: Duration = Duration::from_millis(500);

/// What the writer is asked for.
pub(super) enum Message {
    /// To write.
    Write(Write),
    /// To open the file anew, since reading it failed.
    Reopen,
    /// To end, once all that was asked for before is done.
    End,
}

/// One write.
pub(super) struct Write {
    pub(super) op: Op,
    pub(super) value: Option<Value>,
    pub(super) reply: oneshot::Sender<Result<Answer, EffectError>>,
}

/// The file, as it is shared between those who read and the one who writes.
pub(super) struct Handle {
    pub(super) options: Options,
    pub(super) clock: Clock,
    /// Closed, with the reason, after an error that redb does not recover from.
    pub(super) database: RwLock<Result<Database, String>>,
    /// Whether the writer has been asked to open it anew.
    pub(super) reopening: AtomicBool,
    /// When opening it anew failed last.
    pub(super) failed: Mutex<Option<Instant>>,
    pub(super) commits: AtomicU64,
    pub(super) writes: AtomicU64,
}

impl Handle {
    /// Does something with the database. It stays open as long as that takes.
    pub(super) fn with<T>(&self, f: impl FnOnce(&Database) -> Result<T, Fault>) -> Result<T, EffectError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*database {
            Ok(database) => guard(|| f(database)).map_err(|fault| fault.effect(&self.options.path)),
            Err(reason) => Err(Fault::from(redb::Error::Io(std::io::Error::other(reason.clone())))
                .effect(&self.options.path)),
        }
    }

    /// Opens it anew. After a failed write or sync redb refuses everything until then.
    fn reopen(&self) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none_or(|at| at.elapsed() >= PAUSE) {
            let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
            close(&mut database, "being opened anew");
            *database = database_file::open(&self.options, false).map_err(|error| error.to_string());
            *failed = database.is_err().then(Instant::now);
        }
        self.reopening.store(false, Ordering::Release);
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

/// What the thread does.
pub(super) fn run(handle: &Handle, messages: &Receiver<Message>) {
    let mut batch: Vec<Write> = Vec::with_capacity(BATCH);
    let mut ended = false;
    while !ended && let Ok(first) = messages.recv() {
        let mut reopen = false;
        for message in std::iter::once(first).chain(std::iter::from_fn(|| messages.try_recv().ok())) {
            match message {
                Message::Write(write) => batch.push(write),
                Message::Reopen => reopen = true,
                Message::End => ended = true,
            }
            if ended || batch.len() == BATCH {
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
    close(&mut handle.database.write().unwrap_or_else(PoisonError::into_inner), "closed");
}

fn write(handle: &Handle, batch: &mut Vec<Write>) {
    let committed = handle.with(|database| {
        let mut write = database.begin_write()?;
        // Without the check of everything when it is opened, a crash is to be repaired without one too.
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
                // Who asked may not wait any more.
                let _ = reply.send(answer);
            }
        }
        Err(mut error) => {
            error.message.push_str("; whether it was written shows when the store is read again");
            handle.reopen();
            for Write { reply, .. } in batch.drain(..) {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}
