//! Performs migrations, one runner at a time.

use std::path::Path;

use rusqlite::Connection;
use zerver::effects::sql::{AppliedMigration, Migration, Migrations, MigrationsError};

use crate::database::Sqlite;

const CREATE_TABLE: &str = "create table if not exists zerver_migrations (
    name text primary key, hash text not null, performed_at text not null default current_timestamp)";

/// Reason why migrations were not performed. Those before the failed one are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The migrations do not fit the database.
    #[error(transparent)]
    Migrations(#[from] MigrationsError),
    /// A migration failed and was rolled back.
    #[error("migration {name} failed: {source}")]
    Failed {
        /// Name of the migration.
        name: String,
        /// Reason.
        source: rusqlite::Error,
    },
    /// The table of performed migrations could not be read or written.
    #[error("cannot access the table zerver_migrations: {0}")]
    Table(#[from] rusqlite::Error),
    /// The thread that performed the migrations panicked.
    #[error("the migrations were interrupted: {0}")]
    Interrupted(String),
}

impl Sqlite {
    /// Performs the migrations of a folder that the database does not have: plain SQL in files that end in `.sql`, in the
    /// order of their names. Returns the names of those that were performed.
    ///
    /// Each file is performed in a transaction, unless its first line is `-- zerver: no transaction`. The table
    /// `zerver_migrations` lists them. If several processes start at the same time, they wait for each other.
    ///
    /// # Errors
    /// If a migration fails, or one that was performed was changed or is missing.
    pub async fn migrate(&self, folder: impl AsRef<Path>) -> Result<Vec<String>, MigrateError> {
        self.migrate_all(&Migrations::read(folder)?).await
    }

    /// Like [`migrate`](Self::migrate), with migrations from elsewhere.
    ///
    /// # Errors
    /// If a migration fails, or one that was performed was changed or is missing.
    pub async fn migrate_all(&self, migrations: &Migrations) -> Result<Vec<String>, MigrateError> {
        let connection = self.writer().lock_owned().await;
        let migrations = migrations.clone();
        let task = tokio::task::spawn_blocking(move || perform(&connection, &migrations));
        task.await.unwrap_or_else(|error| Err(MigrateError::Interrupted(error.to_string())))
    }
}

fn perform(connection: &Connection, migrations: &Migrations) -> Result<Vec<String>, MigrateError> {
    connection.execute_batch(CREATE_TABLE)?;
    let mut performed = Vec::new();
    loop {
        // The list is read within the transaction, because another process may have performed a migration meanwhile.
        connection.execute_batch("begin immediate")?;
        let next = next(connection, migrations);
        let result = match next {
            Ok(Some(migration)) if migration.needs_transaction() => perform_one(connection, migration),
            Ok(Some(migration)) => {
                connection.execute_batch("rollback")?;
                perform_one(connection, migration)
            }
            Ok(None) => Ok(String::new()),
            Err(error) => Err(error),
        };
        let end = if result.is_ok() { "commit" } else { "rollback" };
        if !connection.is_autocommit() {
            connection.execute_batch(end)?;
        }
        match result? {
            name if name.is_empty() => return Ok(performed),
            name => performed.push(name),
        }
    }
}

/// Returns the first migration that the database does not have.
fn next<'m>(
    connection: &Connection,
    migrations: &'m Migrations,
) -> Result<Option<&'m Migration>, MigrateError> {
    let mut list = connection.prepare("select name, hash from zerver_migrations")?;
    let applied = list.query_map([], |row| Ok(AppliedMigration { name: row.get(0)?, hash: row.get(1)? }))?;
    let applied = applied.collect::<Result<Vec<_>, _>>()?;
    Ok(migrations.pending(&applied)?.first().copied())
}

fn perform_one(connection: &Connection, migration: &Migration) -> Result<String, MigrateError> {
    let Migration { name, text, hash } = migration;
    let failed = |source| MigrateError::Failed { name: name.clone(), source };
    connection.execute_batch(text).map_err(failed)?;
    connection.execute("insert into zerver_migrations (name, hash) values (?1, ?2)", [name, hash])?;
    Ok(name.clone())
}
