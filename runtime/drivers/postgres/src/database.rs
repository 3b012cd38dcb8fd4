//! A database: its pool of connections, and the interpreter of its effects.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod};
use tokio_postgres::Config;
use zerver::effects::sql::{self, Reply, Sql, Statement};
use zerver::effects::{
    BoxFuture, EffectContext, EffectResult, Explain, ExplainResult, Interpreter, Started, points,
    report_point,
};
use zerver::prelude::*;

use crate::checkout::Checkout;
use crate::error_mapping::{Stop, connecting, unreachable};
use crate::plan_reader::PlanReader;
use crate::{explain, statement, transaction};
use zerver_postgres_connect::{SettingsError, TlsConnector};

/// Default of [`Postgres::pool_size`].
const POOL_SIZE: usize = 16;

/// Time between two attempts to reach a database after an outage has begun.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A database of a PostgreSQL server. A clone is another handle of the same pool.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    pool: Pool,
    config: Config,
    tls: TlsConnector,
    /// `None` if plans are not recorded.
    plans: Option<PlanReader>,
    /// True if the last attempt to open a connection failed.
    is_unreachable: AtomicBool,
}

impl Postgres {
    /// Creates a pool for a database from a URL, such as `postgresql://user:password@host:5432/database?sslmode=verify-full`.
    /// Nothing is connected until an effect needs it.
    ///
    /// # Errors
    /// If the URL or a file that it names is invalid.
    pub fn from_url(url: &str) -> Result<Self, SettingsError> {
        let (config, tls) = zerver_postgres_connect::parse(url)?;
        let plans = Some(PlanReader::new(config.clone(), tls.clone()));
        Ok(Self::with_pool(POOL_SIZE, config, tls, plans))
    }

    fn with_pool(size: usize, config: Config, tls: TlsConnector, plans: Option<PlanReader>) -> Self {
        // A connection that the server has closed is recognized when it is taken. Others need no round trip for a check,
        // because a lost connection is an error of the effect like any other.
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config.clone(), tls.clone(), manager_config);
        // Without timeouts, building a pool cannot fail. The limits of the effect apply.
        let pool = Pool::builder(manager).max_size(size).build();
        let pool = pool.unwrap_or_else(|error| unreachable!("a pool without timeouts: {error}"));
        Self(Arc::new(Inner { pool, config, tls, plans, is_unreachable: AtomicBool::new(false) }))
    }

    /// Sets the maximum number of connections. The default is 16. Effects that find none free wait for one, within their
    /// time limits.
    #[must_use]
    pub fn pool_size(self, connections: usize) -> Self {
        // A new pool, because a pool without connections does not shrink.
        self.rebuilt(connections.max(1), self.0.plans.clone())
    }

    /// Sets whether the plans of statements are recorded, which they are by default. The plan of a statement that reads is
    /// read (`EXPLAIN`, which performs nothing) on a connection of its own: after its fifth call, once an hour, and after a
    /// call that takes at least 10 ms and four times as long as usual, which also happens at most once an hour. No call
    /// waits for that. The calls that follow are recorded with the plan, as a point.
    #[must_use]
    pub fn record_plans(self, is_recorded: bool) -> Self {
        let plans = is_recorded.then(|| PlanReader::new(self.0.config.clone(), self.0.tls.clone()));
        self.rebuilt(self.0.pool.status().max_size, plans)
    }

    fn rebuilt(&self, size: usize, plans: Option<PlanReader>) -> Self {
        Self::with_pool(size, self.0.config.clone(), self.0.tls.clone(), plans)
    }

    /// Opens a first connection in the background, so that the log and the health endpoint show from the start if the
    /// database cannot be reached. Must be called within a tokio runtime, such as in a startup hook.
    #[must_use]
    pub fn warm_up(self) -> Self {
        let database = self.clone();
        tokio::spawn(async move { database.check().await });
        self
    }

    /// Connects to the database, to learn at the start of a service whether it can be reached.
    ///
    /// # Errors
    /// `unreachable`, with the reason.
    pub async fn check(&self) -> Result<(), EffectError> {
        self.checkout().await.map(drop)
    }

    /// Returns true unless the last attempt to open a connection failed.
    pub fn is_reachable(&self) -> bool {
        !self.0.is_unreachable.load(Ordering::Relaxed)
    }

    pub(crate) fn settings(&self) -> (&Config, &TlsConnector) {
        (&self.0.config, &self.0.tls)
    }

    async fn checkout(&self) -> Result<Checkout, EffectError> {
        match self.0.pool.get().await {
            Ok(object) => {
                let is_new = Object::metrics(&object).recycle_count == 0;
                report_point(if is_new { points::CONNECTED } else { points::CONNECTION });
                if self.0.is_unreachable.swap(false, Ordering::Relaxed) {
                    tracing::info!(target: "zerver", "the database can be reached again");
                }
                Ok(Checkout::new(object, self.0.tls.clone()))
            }
            Err(error) => {
                let error = match &error {
                    PoolError::Backend(error) => connecting(error),
                    other => unreachable(&other.to_string()),
                };
                // Once for each outage.
                if !self.0.is_unreachable.swap(true, Ordering::Relaxed) {
                    tracing::warn!(target: "zerver", "the database cannot be reached: {}", error.message);
                    tokio::spawn(watch(Arc::downgrade(&self.0)));
                }
                Err(error)
            }
        }
    }

    async fn perform(self, sql: Sql) -> EffectResult<Sql> {
        let mut checkout = self.checkout().await?;
        let is_safe = sql.is_safe();
        let performed = match (&sql.transaction, sql.statements.as_slice()) {
            (Some(transaction), _) => transaction::perform(&mut checkout, &sql, transaction).await,
            (None, [statement]) => {
                let began = Instant::now();
                let performed = alone(&mut checkout, statement, is_safe).await;
                if let (Some(plans), true, Ok(_)) = (&self.0.plans, is_safe, &performed) {
                    plans.note(statement, began.elapsed());
                }
                performed
            }
            (None, _) => {
                let message = "several statements need a transaction: use sql::batch";
                Err(EffectError::new(EffectErrorKind::Invalid, message).into())
            }
        };
        match performed {
            Ok(reply) => Ok(reply),
            Err(Stop::Database(error)) => Ok(Reply::new(Err(*error))),
            Err(Stop::Effect(error)) => Err(error),
            Err(Stop::Lost(reason)) if is_safe => Err(unreachable(&reason)),
            Err(Stop::Lost(reason)) => Err(EffectError::new(
                EffectErrorKind::UnknownOutcome,
                format!(
                    "the connection was lost after the statement was sent, so it may have been performed: {reason}"
                ),
            )),
        }
    }
}

/// Tries to connect until the database can be reached again, so that the end of an outage is noticed without a request.
fn watch(database: Weak<Inner>) -> BoxFuture<()> {
    Box::pin(async move {
        loop {
            tokio::time::sleep(WATCH_INTERVAL).await;
            let Some(database) = database.upgrade() else { return };
            if Postgres(database).checkout().await.is_ok() {
                return;
            }
        }
    })
}

/// Performs a single statement, without a transaction of its own.
async fn alone(checkout: &mut Checkout, statement: &Statement, is_read: bool) -> Result<Reply, Stop> {
    let Some(client) = checkout.client() else { return Err(unreachable("the connection is gone").into()) };
    let values = statement.resolved_params(&[])?;
    let result = statement::perform_alone(client, statement, &values, is_read).await;
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

    fn explain(&self, call: &Explain<'_, Sql>) -> Option<BoxFuture<ExplainResult>> {
        let (database, statements, analyze) = (self.clone(), sql::explained_statements(call), call.analyze);
        Some(Box::pin(
            async move { explain::explain(database.checkout().await?, statements?, analyze).await },
        ))
    }

    fn problem(&self) -> Option<String> {
        (!self.is_reachable()).then(|| "the database cannot be reached".to_owned())
    }
}

/// Shows no setting, because a password is one of them.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("pool", &self.0.pool.status()).finish_non_exhaustive()
    }
}
