//! The server that all tests share, and clients of it: of one driver, or of two that are compared.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use sqlx::postgres::PgPoolOptions;
use tokio::runtime::Runtime;
use zerver::effects::sql::{Reply, Sql, SqlValue};
use zerver::effects::{EffectContext, EffectResult, Interpreter, Interpreters, Started, sql};
use zerver::idempotency::CREATE_TABLE;
use zerver::prelude::*;
use zerver_local_server as local;
pub(crate) use zerver_sqlx::DONE_TABLE;
use zerver_sqlx::Postgres;

/// Returns the server of all tests. It ends with their process.
pub(crate) fn server() -> &'static local::Postgres {
    static SERVER: OnceLock<local::Postgres> = OnceLock::new();
    SERVER.get_or_init(|| local::Postgres::start().unwrap_or_else(|error| panic!("{error}")))
}

/// Creates an empty database, and returns its URL.
pub(crate) fn new_database() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let admin = Client::connect(&server().url());
    admin.run(sql::query(format!("create database {name} template template0")).execute()).unwrap();
    server().url_of(&name)
}

/// A client of a database.
pub(crate) struct Client {
    pub(crate) postgres: Postgres,
    pub(crate) url: String,
    /// URL of a database on which the other driver performs the same.
    twin_url: Option<String>,
    interpreters: Interpreters,
    runtime: Arc<Runtime>,
}

impl Client {
    /// Creates a client of two new databases. Each effect is performed with one driver on one of them, and with the other
    /// driver on the other, and the answers are compared.
    pub(crate) fn new() -> Self {
        Self::of(new_database(), Some(new_database()), 4, runtime())
    }

    /// Creates a client of a new database with the driver under test alone.
    pub(crate) fn alone() -> Self {
        Self::connect(&new_database())
    }

    /// Creates a client of this database with the driver under test alone.
    pub(crate) fn connect(url: &str) -> Self {
        Self::of(url.to_owned(), None, 4, runtime())
    }

    /// Creates a client of the same databases with pools of this size, on the same runtime.
    pub(crate) fn with_pool(&self, size: u32) -> Self {
        Self::of(self.url.clone(), self.twin_url.clone(), size, Arc::clone(&self.runtime))
    }

    fn of(url: String, twin_url: Option<String>, size: u32, runtime: Arc<Runtime>) -> Self {
        let postgres = {
            // The tasks of a pool need a runtime.
            let _entered = runtime.enter();
            Postgres::new(PgPoolOptions::new().max_connections(size).connect_lazy(&url).unwrap())
        };
        let mut interpreters = Interpreters::new();
        match &twin_url {
            None => interpreters.set(postgres.clone()),
            Some(twin) => {
                let other = zerver_postgres::Postgres::from_url(twin).unwrap().pool_size(size as usize);
                interpreters.set(Compared { sqlx: postgres.clone(), postgres: other });
            }
        }
        Self { postgres, url, twin_url, interpreters, runtime }
    }

    /// Performs an effect and waits for it.
    pub(crate) fn run<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.block_on(self.perform(effect))
    }

    pub(crate) async fn perform<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.interpreters.perform(effect, &EffectContext::default()).await
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub(crate) fn execute(&self, text: &'static str) -> u64 {
        self.run(sql::query(text).execute()).unwrap()
    }

    /// Returns the only cell of a result.
    pub(crate) fn cell(&self, text: impl Into<String>) -> SqlValue {
        self.run(sql::query(text.into()).one()).unwrap()
    }
}

fn runtime() -> Arc<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Arc::new(runtime.unwrap())
}

/// Two drivers that have to give the same answer.
struct Compared {
    sqlx: Postgres,
    postgres: zerver_postgres::Postgres,
}

impl Interpreter<Sql> for Compared {
    fn start(&self, sql: &Sql, context: &EffectContext) -> Started<EffectResult<Sql>> {
        let (Started::Pending(tested), Started::Pending(expected)) =
            (self.sqlx.start(sql, context), self.postgres.start(sql, context))
        else {
            panic!("an answer without a server");
        };
        let sql = sql.clone();
        Started::Pending(Box::pin(async move {
            let (tested, expected) = tokio::join!(tested, expected);
            let depends_on_others =
                asks_for_others(&sql) || [&tested, &expected].into_iter().any(met_another_transaction);
            if !depends_on_others {
                assert_eq!(recorded(&tested), recorded(&expected), "{sql:?}");
            }
            tested
        }))
    }
}

/// Returns true if the answer depends on the timing of another transaction.
fn met_another_transaction(result: &EffectResult<Sql>) -> bool {
    match result {
        Ok(Reply { attempts, result }) => {
            *attempts > 1 || matches!(result, Err(error) if error.is_conflict_of_transactions())
        }
        Err(_) => false,
    }
}

/// Returns true if the answer is about all clients of the server.
fn asks_for_others(sql: &Sql) -> bool {
    sql.statements.iter().any(|statement| statement.text.contains("pg_stat_activity"))
}

/// Returns what a trace would contain. Replies that are equal are recorded as the same bytes.
fn recorded(result: &EffectResult<Sql>) -> Result<&Reply, String> {
    result.as_ref().map_err(ToString::to_string)
}

/// A database with a table for the keys of idempotent requests.
pub(crate) struct SharedDatabase(Client);

impl SharedDatabase {
    pub(crate) fn new() -> Self {
        let client = Client::connect(&new_database());
        for statement in CREATE_TABLE.split_terminator(";\n") {
            client.run(sql::query(statement).execute()).unwrap();
        }
        Self(client)
    }

    /// Returns a driver with connections of its own.
    pub(crate) fn connect(&self) -> Postgres {
        self.0.with_pool(4).postgres
    }

    pub(crate) fn execute(&self, text: &'static str) {
        self.0.execute(text);
    }

    /// Returns the only cell of a result.
    pub(crate) fn cell(&self, text: &'static str) -> SqlValue {
        self.0.cell(text)
    }
}

/// Returns the reason of a failure.
pub(crate) fn cause<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.unwrap_err().causes().join("; ")
}
