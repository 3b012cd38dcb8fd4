//! Performs migrations, one runner at a time.

use std::path::Path;

use tokio_postgres::Client;
use zerver::effects::sql::{AppliedMigration, Migration, Migrations, MigrationsError};
use zerver::prelude::*;

use crate::database::Postgres;
use crate::error_mapping::{chain, connecting};

/// Number of the lock that a runner holds: "zerver" in ASCII. A second runner waits for it.
const LOCK: i64 = 0x7a65_7276_6572;

const CREATE_TABLE: &str = "create table if not exists zerver_migrations (
    name text primary key, hash text not null, performed_at timestamptz not null default now())";

/// Reason why migrations were not performed. Those before the failed one are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The migrations do not fit the database.
    #[error(transparent)]
    Migrations(#[from] MigrationsError),
    /// The database cannot be reached.
    #[error("cannot connect to the database: {}", .0.message)]
    Connect(EffectError),
    /// A migration failed and was rolled back.
    #[error("migration {name} failed: {reason}")]
    Failed {
        /// Name of the migration.
        name: String,
        /// Message of the database.
        reason: String,
    },
    /// The table of performed migrations could not be read or written.
    #[error("cannot access the table zerver_migrations: {0}")]
    Table(String),
}

impl Postgres {
    /// Performs the migrations of a folder that the database does not have: plain SQL in files that end in `.sql`, in the
    /// order of their names. Returns the names of those that were performed.
    ///
    /// Each file is performed in a transaction, unless its first line is `-- zerver: no transaction`. The table
    /// `zerver_migrations` lists them. If several processes start at the same time, one performs them and the others wait.
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
        let (config, tls) = self.settings();
        let connected = config.connect(tls.clone()).await;
        let (client, connection) = connected.map_err(|error| MigrateError::Connect(connecting(&error)))?;
        let connection = tokio::spawn(connection);
        // The end of the connection releases the lock, whatever happens.
        let result = perform(&client, migrations).await;
        drop(client);
        let _ = connection.await;
        result
    }
}

async fn perform(client: &Client, migrations: &Migrations) -> Result<Vec<String>, MigrateError> {
    let table_error = |error: tokio_postgres::Error| MigrateError::Table(chain(&error));
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.map_err(table_error)?;
    client.batch_execute(CREATE_TABLE).await.map_err(table_error)?;
    let applied = client.query("select name, hash from zerver_migrations", &[]).await.map_err(table_error)?;
    let applied =
        applied.iter().map(|row| Ok(AppliedMigration { name: row.try_get(0)?, hash: row.try_get(1)? }));
    let applied = applied.collect::<Result<Vec<_>, _>>().map_err(table_error)?;
    let mut performed = Vec::new();
    for migration in migrations.pending(&applied)? {
        perform_one(client, migration).await.map_err(|error| MigrateError::Failed {
            name: migration.name.clone(),
            reason: describe(&error, &migration.text),
        })?;
        performed.push(migration.name.clone());
    }
    Ok(performed)
}

async fn perform_one(client: &Client, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    let Migration { name, text, hash } = migration;
    let in_transaction = migration.needs_transaction();
    if in_transaction {
        client.batch_execute("begin").await?;
    }
    let note = "insert into zerver_migrations (name, hash) values ($1, $2)";
    let result = match client.batch_execute(text).await {
        Ok(()) => client.execute(note, &[name, hash]).await.map(drop),
        Err(error) => Err(error),
    };
    match (result, in_transaction) {
        (Ok(()), true) => client.batch_execute("commit").await,
        (Err(error), true) => {
            // If this fails too, the connection is lost, and the server rolls back by itself.
            let _ = client.batch_execute("rollback").await;
            Err(error)
        }
        (result, false) => result,
    }
}

/// Returns the error with the line that it is about.
fn describe(error: &tokio_postgres::Error, text: &str) -> String {
    let message = chain(error);
    let position = match error.as_db_error().and_then(|error| error.position()) {
        Some(tokio_postgres::error::ErrorPosition::Original(position)) => *position as usize,
        _ => return message,
    };
    let line = text.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count() + 1;
    format!("line {line}: {message}")
}
