//! A connection that one effect uses.

use std::borrow::Cow;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres};
use tokio::runtime::Handle;

use crate::backend_ids::Backend;

/// Limit of the time to cancel a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);

/// Cancels what a backend does, if it is still the same backend and performs the same statement.
const CANCEL: &str = "select pg_cancel_backend(pid) from pg_stat_activity where pid = $1 and state = 'active' \
                      and extract(epoch from backend_start)::text = $2 and starts_with(query, left($3, 200))";

/// State of a connection that was borrowed.
#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Ready for the next statement.
    Idle,
    /// Possibly performing the statement with this text.
    Busy(Cow<'static, str>),
    /// Not to be used again.
    Lost,
}

/// A connection that is borrowed from the pool. If it is dropped while a statement runs, because the effect has ended
/// early, the statement is canceled on the server and the connection closed.
pub(crate) struct Checkout {
    connection: Option<PoolConnection<Postgres>>,
    state: State,
    backend: Option<Backend>,
    pool: PgPool,
    /// Runtime of the effect. The drop can happen on a thread without one, and needs one.
    runtime: Handle,
}

impl Checkout {
    /// Must be called within a runtime.
    pub(crate) fn new(connection: PoolConnection<Postgres>, pool: PgPool) -> Self {
        let runtime = Handle::current();
        Self { connection: Some(connection), state: State::Lost, backend: None, pool, runtime }
    }

    /// Returns the connection, which then counts as busy with this statement.
    pub(crate) fn begin(&mut self, text: Cow<'static, str>) -> Option<&mut PgConnection> {
        self.state = State::Busy(text);
        self.connection.as_deref_mut()
    }

    /// Returns the connection for something that is not worth a cancellation.
    pub(crate) fn client(&mut self) -> Option<&mut PgConnection> {
        self.state = State::Lost;
        self.connection.as_deref_mut()
    }

    pub(crate) fn set_backend(&mut self, backend: Option<Backend>) {
        self.backend = backend;
    }

    /// Marks the connection as one that has answered everything, so that it returns to the pool.
    pub(crate) fn set_idle(&mut self) {
        self.state = State::Idle;
    }

    /// Marks the connection as one that no longer works.
    pub(crate) fn set_lost(&mut self) {
        self.state = State::Lost;
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        // sqlx spawns a task to take a connection back.
        let _entered = self.runtime.enter();
        let Some(mut connection) = self.connection.take() else { return };
        let text = match std::mem::replace(&mut self.state, State::Lost) {
            State::Idle => return,
            State::Lost => return connection.close_on_drop(),
            State::Busy(text) => text,
        };
        connection.close_on_drop();
        let Some(backend) = self.backend.take() else { return };
        let options = self.pool.connect_options();
        self.runtime.spawn(async move {
            let canceled = tokio::time::timeout(CANCEL_TIMEOUT, async {
                let mut other = PgConnection::connect_with(&options).await?;
                let cancel =
                    sqlx::query(CANCEL).bind(backend.pid).bind(backend.started).bind(text.into_owned());
                cancel.execute(&mut other).await?;
                other.close().await
            });
            // Without an answer the server may still run the statement; there is nothing more to do about it.
            match canceled.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(target: "zerver", "a statement could not be canceled: {error}");
                }
                Err(_) => tracing::debug!(target: "zerver", "a statement could not be canceled in time"),
            }
            drop(connection);
        });
    }
}
