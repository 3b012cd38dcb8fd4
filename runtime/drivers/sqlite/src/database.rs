//! A database: its connections, and the interpreter of its effects.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use zerver::effects::sql::{self, Reply, Sql, SqlValue, Statement};
use zerver::effects::{
    BoxFuture, EffectContext, EffectResult, Explain, ExplainResult, Interpreter, Started, points,
    report_point,
};
use zerver::prelude::*;

use crate::connection::{self, interruptible};
use crate::error_mapping::{OpenError, Stop};
use crate::{explain, perform};

/// Default of [`Sqlite::readers`].
const READERS: usize = 4;

/// A database in a file or in memory. A clone is another handle of the same database.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: Option<PathBuf>,
    writer: Arc<AsyncMutex<Connection>>,
    /// Places for connections that read. There are none for a database in memory.
    reader_places: Arc<Semaphore>,
    idle_readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens a database in a file. The file is created if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be opened, or is no database.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let writer = connection::writer(Some(path));
        let writer = writer.map_err(|source| OpenError { path: path.to_owned(), source })?;
        Ok(Self::with_writer(Some(path.to_owned()), Arc::new(AsyncMutex::new(writer)), READERS))
    }

    /// Opens an empty database in memory, such as for tests. It has one connection.
    ///
    /// # Errors
    /// If there is no memory left.
    pub fn in_memory() -> Result<Self, OpenError> {
        let writer = connection::writer(None);
        let writer = writer.map_err(|source| OpenError { path: ":memory:".into(), source })?;
        Ok(Self::with_writer(None, Arc::new(AsyncMutex::new(writer)), 0))
    }

    fn with_writer(path: Option<PathBuf>, writer: Arc<AsyncMutex<Connection>>, readers: usize) -> Self {
        let (reader_places, idle_readers) = (Arc::new(Semaphore::new(readers)), Mutex::new(Vec::new()));
        Self(Arc::new(Inner { path, writer, reader_places, idle_readers }))
    }

    /// Sets the maximum number of connections that read. The default is 4. It has no effect for a database in memory.
    #[must_use]
    pub fn readers(self, connections: usize) -> Self {
        match self.0.path.clone() {
            Some(path) => Self::with_writer(Some(path), Arc::clone(&self.0.writer), connections.max(1)),
            None => self,
        }
    }

    pub(crate) fn writer(&self) -> Arc<AsyncMutex<Connection>> {
        Arc::clone(&self.0.writer)
    }

    async fn perform(self, sql: Sql) -> EffectResult<Sql> {
        let is_safe = sql.is_safe();
        let work = move |connection: &Connection| perform::perform(connection, &sql);
        match self.on_connection(is_safe, work).await {
            Ok(performed) => {
                if performed.is_already_done {
                    report_point(points::ALREADY_DONE);
                }
                Ok(performed.reply)
            }
            Err(Stop::Database(error)) => Ok(Reply::new(Err(*error))),
            Err(Stop::Effect(error)) => Err(error),
        }
    }

    async fn explain(self, statements: Vec<(Statement, Vec<SqlValue>)>) -> ExplainResult {
        let work = move |connection: &Connection| {
            let explained = statements.iter().map(|(statement, values)| {
                Ok(explain::plan(connection, statement, values)?.into_explanation(statement))
            });
            explained.collect::<Result<Vec<_>, Stop>>()
        };
        self.on_connection(true, work).await.map_err(|stop| match stop {
            Stop::Database(error) => EffectError::new(EffectErrorKind::Failed, error.to_string()),
            Stop::Effect(error) => error,
        })
    }

    /// Works with a connection: one that can only read if `is_read` is true and the database is a file.
    async fn on_connection<T: Send + 'static>(
        self,
        is_read: bool,
        work: impl FnOnce(&Connection) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        match self.0.path.clone().filter(|_| is_read) {
            Some(path) => self.read(path, work).await,
            None => {
                let connection = self.writer().lock_owned().await;
                report_point(points::CONNECTION);
                run(connection, work).await
            }
        }
    }

    async fn read<T: Send + 'static>(
        self,
        path: PathBuf,
        work: impl FnOnce(&Connection) -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        let place = Arc::clone(&self.0.reader_places).acquire_owned().await;
        let place = place.map_err(|_| internal("the database is closed"))?;
        report_point(points::CONNECTION);
        let idle = self.0.idle_readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => connection::reader(&path)
                .map_err(|error| EffectError::new(EffectErrorKind::Unreachable, error.to_string()))?,
        };
        // The task, not this future, returns the connection, so that it is not lost if the effect ends early.
        let returned = ReturnOnDrop { database: self, reader: Some(reader), _place: place };
        run(returned, work).await
    }
}

/// A connection that reads, and returns to its database when the statement has ended.
struct ReturnOnDrop {
    database: Sqlite,
    reader: Option<Connection>,
    _place: tokio::sync::OwnedSemaphorePermit,
}

impl Drop for ReturnOnDrop {
    fn drop(&mut self) {
        let mut idle = self.database.0.idle_readers.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.reader.take());
    }
}

/// Access to a connection that something else owns.
trait Lease: Send + 'static {
    fn connection(&mut self) -> Option<&mut Connection>;
}

impl Lease for ReturnOnDrop {
    fn connection(&mut self) -> Option<&mut Connection> {
        self.reader.as_mut()
    }
}

impl Lease for tokio::sync::OwnedMutexGuard<Connection> {
    fn connection(&mut self) -> Option<&mut Connection> {
        Some(self)
    }
}

/// Works on a thread for blocking code. A statement that runs there is interrupted if the future is dropped.
async fn run<T: Send + 'static>(
    mut lease: impl Lease,
    work: impl FnOnce(&Connection) -> Result<T, Stop> + Send + 'static,
) -> Result<T, Stop> {
    let Some(connection) = lease.connection() else { return Err(internal("the connection is gone").into()) };
    let (guard, running) = interruptible(connection);
    let task = tokio::task::spawn_blocking(move || {
        let result = match lease.connection() {
            Some(connection) => work(connection),
            None => Err(internal("the connection is gone").into()),
        };
        // Before the connection is returned.
        drop(running);
        drop(lease);
        result
    });
    let result = task.await;
    drop(guard);
    result.unwrap_or_else(|error| Err(internal(&error.to_string()).into()))
}

fn internal(message: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Internal, message)
}

impl Interpreter<Sql> for Sqlite {
    fn start(&self, sql: &Sql, _context: &EffectContext) -> Started<EffectResult<Sql>> {
        Started::Pending(Box::pin(self.clone().perform(sql.clone())))
    }

    fn needs_runtime(&self) -> bool {
        false
    }

    fn explain(&self, call: &Explain<'_, Sql>) -> Option<BoxFuture<ExplainResult>> {
        let (database, statements, analyze) = (self.clone(), sql::explained_statements(call), call.analyze);
        Some(Box::pin(async move {
            if analyze {
                return Err(explain::cannot_analyze());
            }
            database.explain(statements?).await
        }))
    }
}

impl fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").field("path", &self.0.path).finish_non_exhaustive()
    }
}
