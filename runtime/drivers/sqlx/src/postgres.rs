//! A database: a pool of sqlx, and the interpreter of its effects.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::{Connection as _, PgPool};
use zerver::effects::sql::{Reply, Sql, Statement};
use zerver::effects::{BoxFuture, EffectContext, EffectResult, Interpreter, Started, points, report_point};
use zerver::prelude::*;

use crate::backend_ids::BackendIds;
use crate::checkout::Checkout;
use crate::error_mapping::{Stop, chain, unreachable};
use crate::{statement, transaction};

/// Time between two attempts to reach a database after an outage has begun.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A database of a PostgreSQL server. A clone is another handle of the same pool.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    pool: PgPool,
    /// `None` if statements are not canceled.
    backends: Option<BackendIds>,
    /// True if the last attempt to open a connection failed.
    is_unreachable: AtomicBool,
}

impl Postgres {
    /// Performs effects with this pool, which the service may use elsewhere, too.
    pub fn new(pool: PgPool) -> Self {
        Self::with_backends(pool, Some(BackendIds::default()))
    }

    fn with_backends(pool: PgPool, backends: Option<BackendIds>) -> Self {
        Self(Arc::new(Inner { pool, backends, is_unreachable: AtomicBool::new(false) }))
    }

    /// Turns off the cancellation of statements whose effect has ended early, for a pool that connects to a pooler such as
    /// PgBouncer. They continue until the server notices that their connection is closed.
    #[must_use]
    pub fn without_cancel(self) -> Self {
        Self::with_backends(self.0.pool.clone(), None)
    }

    /// Returns the pool.
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    /// Returns true unless the last attempt to open a connection failed.
    pub fn is_reachable(&self) -> bool {
        !self.0.is_unreachable.load(Ordering::Relaxed)
    }

    async fn checkout(&self) -> Result<Checkout, EffectError> {
        match self.0.pool.acquire().await {
            Ok(connection) => {
                // A connection that was used before has prepared something.
                let is_new = connection.cached_statements_size() == 0;
                report_point(if is_new { points::CONNECTED } else { points::CONNECTION });
                if self.0.is_unreachable.swap(false, Ordering::Relaxed) {
                    tracing::info!(target: "zerver", "the database can be reached again");
                }
                let mut checkout = Checkout::new(connection, self.0.pool.clone());
                if let (Some(backends), Some(connection)) = (&self.0.backends, checkout.client()) {
                    let backend =
                        backends.of(connection).await.map_err(|error| unreachable(&chain(&error)))?;
                    checkout.set_backend(backend);
                }
                Ok(checkout)
            }
            Err(error) => {
                // A pool whose connections are all in use has timed out, too.
                let is_outage = !matches!(error, sqlx::Error::PoolClosed) && self.0.pool.size() == 0;
                let error = unreachable(&chain(&error));
                // Once for each outage.
                if is_outage && !self.0.is_unreachable.swap(true, Ordering::Relaxed) {
                    tracing::warn!(target: "zerver", "the database cannot be reached: {}", error.message);
                    tokio::spawn(watch(Arc::downgrade(&self.0)));
                }
                Err(error)
            }
        }
    }

    async fn perform(self, sql: Sql) -> EffectResult<Sql> {
        let mut checkout = self.checkout().await?;
        let performed = match (&sql.transaction, sql.statements.as_slice()) {
            (Some(transaction), _) => transaction::perform(&mut checkout, &sql, transaction).await,
            (None, [statement]) => alone(&mut checkout, statement, sql.is_safe()).await,
            (None, _) => {
                checkout.set_idle();
                let message = "several statements need a transaction: use sql::batch";
                Err(EffectError::new(EffectErrorKind::Invalid, message).into())
            }
        };
        match performed {
            Ok(reply) => Ok(reply),
            Err(Stop::Database(error)) => Ok(Reply::new(Err(*error))),
            Err(Stop::Effect(error)) => Err(error),
            Err(Stop::Lost(reason)) => {
                checkout.set_lost();
                if sql.is_safe() {
                    return Err(unreachable(&reason));
                }
                Err(EffectError::new(
                    EffectErrorKind::UnknownOutcome,
                    format!(
                        "the connection was lost after the statement was sent, so it may have been performed: {reason}"
                    ),
                ))
            }
        }
    }
}

/// Tries to connect until the database can be reached again, so that the end of an outage is noticed without a request.
fn watch(database: Weak<Inner>) -> BoxFuture<()> {
    Box::pin(async move {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let Some(database) = database.upgrade() else { return };
            if database.pool.is_closed() {
                return;
            }
            let checkout = Postgres(database).checkout().await;
            if let Ok(mut checkout) = checkout {
                return checkout.set_idle();
            }
        }
    })
}

/// Performs a single statement, without a transaction of its own.
async fn alone(checkout: &mut Checkout, statement: &Statement, is_read: bool) -> Result<Reply, Stop> {
    let values = match statement.resolved_params(&[]) {
        Ok(values) => values,
        Err(error) => {
            checkout.set_idle();
            return Err(error.into());
        }
    };
    let connection =
        checkout.begin(statement.text.clone()).ok_or_else(|| unreachable("the connection is gone"))?;
    let result = statement::perform_alone(connection, statement, &values, is_read).await;
    match &result {
        Ok(performed) if performed.is_unfinished => {}
        Err(Stop::Lost(_)) => {}
        // The server has answered, and waits for the next statement.
        Ok(_) | Err(Stop::Database(_) | Stop::Effect(_)) => checkout.set_idle(),
    }
    Ok(Reply::new(Ok(vec![result?.rows?])))
}

impl Interpreter<Sql> for Postgres {
    fn start(&self, sql: &Sql, _context: &EffectContext) -> Started<EffectResult<Sql>> {
        Started::Pending(Box::pin(self.clone().perform(sql.clone())))
    }

    fn needs_runtime(&self) -> bool {
        false
    }

    fn problem(&self) -> Option<String> {
        (!self.is_reachable()).then(|| "the database cannot be reached".to_owned())
    }
}

/// Shows no setting, because a password is one of them.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pool = &self.0.pool;
        f.debug_struct("Postgres")
            .field("size", &pool.size())
            .field("idle", &pool.num_idle())
            .finish_non_exhaustive()
    }
}
