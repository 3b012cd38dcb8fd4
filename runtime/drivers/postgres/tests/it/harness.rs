//! The server that all tests share, and a database for each of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;
use zerver::effects::sql::SqlValue;
use zerver::effects::{EffectContext, Interpreters, sql};
use zerver::idempotency::CREATE_TABLE;
use zerver::prelude::*;
use zerver_local_server as local;
pub(crate) use zerver_postgres::DONE_TABLE;
use zerver_postgres::Postgres;

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

/// A client of a new, empty database.
pub(crate) struct Client {
    pub(crate) postgres: Postgres,
    pub(crate) url: String,
    interpreters: Interpreters,
    runtime: Arc<Runtime>,
}

impl Client {
    pub(crate) fn new() -> Self {
        Self::connect(&new_database())
    }

    /// Creates a client with the driver under test alone, which is the only one here.
    pub(crate) fn alone() -> Self {
        Self::new()
    }

    pub(crate) fn connect(url: &str) -> Self {
        Self::of(Postgres::from_url(url).unwrap().pool_size(4), url)
    }

    pub(crate) fn of(postgres: Postgres, url: &str) -> Self {
        let mut interpreters = Interpreters::new();
        interpreters.set(postgres.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { postgres, url: url.to_owned(), interpreters, runtime: Arc::new(runtime.unwrap()) }
    }

    /// Creates a client of the same database with a pool of this size, on the same runtime.
    pub(crate) fn with_pool(&self, size: usize) -> Self {
        let postgres = Postgres::from_url(&self.url).unwrap().pool_size(size);
        let mut interpreters = Interpreters::new();
        interpreters.set(postgres.clone());
        Self { postgres, url: self.url.clone(), interpreters, runtime: Arc::clone(&self.runtime) }
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
