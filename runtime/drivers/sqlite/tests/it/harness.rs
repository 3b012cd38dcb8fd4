//! A database for the tests that are shared with other drivers.

use tempfile::TempDir;
use tokio::runtime::Runtime;
use zerver::effects::sql::{self, Migrations, SqlValue};
use zerver::effects::{EffectContext, Interpreters};
use zerver::idempotency::CREATE_TABLE;
use zerver::prelude::*;
use zerver_sqlite::Sqlite;

/// A database with a table for the keys of idempotent requests.
pub(crate) struct SharedDatabase {
    folder: TempDir,
    interpreters: Interpreters,
    runtime: Runtime,
}

impl SharedDatabase {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Sqlite::open(folder.path().join("test.db")).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(database.migrate_all(&Migrations::of([("1.sql", CREATE_TABLE)]))).unwrap();
        let mut interpreters = Interpreters::new();
        interpreters.set(database);
        Self { folder, interpreters, runtime }
    }

    /// Returns a driver with connections of its own.
    pub(crate) fn connect(&self) -> Sqlite {
        Sqlite::open(self.folder.path().join("test.db")).unwrap()
    }

    pub(crate) fn execute(&self, text: &'static str) {
        self.run(sql::query(text).execute());
    }

    /// Returns the only cell of a result.
    pub(crate) fn cell(&self, text: &'static str) -> SqlValue {
        self.run(sql::query(text).one())
    }

    fn run<T: std::fmt::Debug>(&self, effect: Effect<T>) -> T {
        self.runtime.block_on(self.interpreters.perform(effect, &EffectContext::default())).unwrap()
    }
}
