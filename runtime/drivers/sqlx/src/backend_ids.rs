//! The backends of pooled connections: which process of the server performs the statements of a connection.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgStatement;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, SqlStr, Statement as _};

const QUERY: &str =
    "select pid, extract(epoch from backend_start)::text from pg_stat_activity where pid = pg_backend_pid()";

/// Maximum number of connections that are remembered. One that is forgotten is queried again.
const MAX_KNOWN: usize = 1024;

/// A backend. The number can be used again after its end, so its start belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    pub(crate) pid: i32,
    pub(crate) started: String,
}

/// Backends by connection.
///
/// sqlx offers nothing that identifies a connection. But each connection prepares a statement by itself, and returns the
/// same description of it as long as it is cached: its address identifies the connection. The descriptions are kept here,
/// so that no other one can get the same address.
#[derive(Debug, Default)]
pub(crate) struct BackendIds(Mutex<VecDeque<(PgStatement, Backend)>>);

impl BackendIds {
    /// Returns the backend of a connection. Costs a query for a connection that is not known.
    pub(crate) async fn of(&self, connection: &mut PgConnection) -> sqlx::Result<Option<Backend>> {
        let statement = (&mut *connection).prepare(SqlStr::from_static(QUERY)).await?;
        if connection.cached_statements_size() == 0 {
            // Without a cache, each description would be a new one.
            return Ok(None);
        }
        if let Some(backend) = self.find(&statement) {
            return Ok(Some(backend));
        }
        let Some(row) = statement.query().fetch_optional(&mut *connection).await? else { return Ok(None) };
        let backend = Backend { pid: row.try_get(0)?, started: row.try_get(1)? };
        let mut known = self.lock();
        if known.len() >= MAX_KNOWN {
            known.pop_front();
        }
        known.push_back((statement, backend.clone()));
        Ok(Some(backend))
    }

    fn find(&self, statement: &PgStatement) -> Option<Backend> {
        let is_same = |known: &PgStatement| std::ptr::eq(known.columns(), statement.columns());
        self.lock().iter().find(|(known, _)| is_same(known)).map(|(_, backend)| backend.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(PgStatement, Backend)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
