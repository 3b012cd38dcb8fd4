//! Statements that are performed once: their row in the table of keys, which is written in their transaction.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};
use zerver::effects::sql::{Once, Reply, SqlError};
use zerver::effects::{points, report_point};
use zerver_postgres_values::done_table::{CLAIM, CREATE, KEEP, LOCK, LOOK_UP};

use crate::error_mapping::{Stop, after_sending, before_sending};

const UNDEFINED_TABLE: &str = "42P01";
const DUPLICATE_TABLE: &str = "42P07";

/// State of a key at the start of a transaction.
pub(crate) enum Claim {
    /// The key was added.
    New,
    /// The key exists, with this answer.
    Known(Reply),
    /// There is no table.
    NoTable,
}

/// Adds the key, or returns the answer that is kept with it.
pub(crate) async fn claim(connection: &mut PgConnection, once: &Once<'_>) -> Result<Claim, Stop> {
    let claim = sqlx::query(CLAIM).bind(once.key()).bind(once.fingerprint());
    match claim.execute(&mut *connection).await {
        Ok(done) if done.rows_affected() > 0 => return Ok(Claim::New),
        Ok(_) => {}
        Err(error) => {
            return match after_sending(&error) {
                Stop::Database(error) if error.sqlstate == UNDEFINED_TABLE => Ok(Claim::NoTable),
                stop => Err(stop),
            };
        }
    }
    let row = sqlx::query(LOOK_UP).bind(once.key()).fetch_optional(connection).await;
    let Some(row) = row.map_err(|error| after_sending(&error))? else {
        // Like any other conflict of transactions, another attempt resolves it.
        let message = format!("the key {:?} was removed while it was looked up", once.key());
        return Err(Stop::Database(Box::new(SqlError::new("40001", message))));
    };
    let (fingerprint, answer) = kept(&row).map_err(|error| after_sending(&error))?;
    let reply = once.decode(fingerprint, answer)?;
    report_point(points::ALREADY_DONE);
    Ok(Claim::Known(reply))
}

fn kept(row: &PgRow) -> Result<(&str, Option<Vec<u8>>), sqlx::Error> {
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// Keeps the answer with the key that this transaction has added.
pub(crate) async fn keep(connection: &mut PgConnection, once: &Once<'_>, reply: &Reply) -> Result<(), Stop> {
    let keep = sqlx::query(KEEP).bind(once.key()).bind(once.encode(reply)?);
    keep.execute(connection).await.map(drop).map_err(|error| after_sending(&error))
}

/// Creates the table, outside of a transaction.
pub(crate) async fn create_table(connection: &mut PgConnection) -> Result<(), Stop> {
    let statements = format!("begin; select pg_advisory_xact_lock({LOCK}); {CREATE}; commit");
    let Err(error) = connection.execute(sqlx::raw_sql(AssertSqlSafe(statements))).await else {
        return Ok(());
    };
    let mut stop = before_sending(&error);
    if let Stop::Database(error) = &mut stop {
        connection.execute("rollback").await.map_err(|error| before_sending(&error))?;
        // A migration has created it meanwhile.
        if [DUPLICATE_TABLE, SqlError::UNIQUE_VIOLATION].contains(&error.sqlstate.as_str()) {
            return Ok(());
        }
        error.message =
            format!("the table zerver_done does not exist and cannot be created: {}", error.message);
        error.hint = Some("perform zerver_sqlx::DONE_TABLE as a migration".to_owned());
        error.position = None;
    }
    Err(stop)
}
