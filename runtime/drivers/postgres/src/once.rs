//! Statements that are performed once: their row in the table of keys, which is written in their transaction.

use deadpool_postgres::Object;
use tokio_postgres::error::SqlState;
use zerver::effects::sql::{Once, Reply, SqlError};
use zerver::effects::{points, report_point};
use zerver_postgres_values::done_table::{CLAIM, CREATE, KEEP, LOCK, LOOK_UP};

use crate::error_mapping::{Stop, after_sending, before_sending};

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
pub(crate) async fn claim(client: &Object, once: &Once<'_>) -> Result<Claim, Stop> {
    let (key, fingerprint) = (once.key(), once.fingerprint());
    let prepared = match client.prepare_cached(CLAIM).await {
        Ok(prepared) => prepared,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Claim::NoTable),
        Err(error) => return Err(after_sending(&error)),
    };
    match client.execute(&prepared, &[&key, &fingerprint]).await {
        Ok(0) => {}
        Ok(_) => return Ok(Claim::New),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(Claim::NoTable),
        Err(error) => return Err(after_sending(&error)),
    }
    let prepared = client.prepare_cached(LOOK_UP).await.map_err(|error| after_sending(&error))?;
    let row = client.query_opt(&prepared, &[&key]).await.map_err(|error| after_sending(&error))?;
    let Some(row) = row else {
        // Like any other conflict of transactions, another attempt resolves it.
        let message = format!("the key {key:?} was removed while it was looked up");
        return Err(Stop::Database(Box::new(SqlError::new("40001", message))));
    };
    let read = |error: tokio_postgres::Error| after_sending(&error);
    let reply = once.decode(row.try_get::<_, &str>(0).map_err(read)?, row.try_get(1).map_err(read)?)?;
    report_point(points::ALREADY_DONE);
    Ok(Claim::Known(reply))
}

/// Keeps the answer with the key that this transaction has added.
pub(crate) async fn keep(client: &Object, once: &Once<'_>, reply: &Reply) -> Result<(), Stop> {
    let answer = once.encode(reply)?;
    let prepared = client.prepare_cached(KEEP).await.map_err(|error| after_sending(&error))?;
    client.execute(&prepared, &[&once.key(), &answer]).await.map(drop).map_err(|error| after_sending(&error))
}

/// Creates the table, outside of a transaction.
pub(crate) async fn create_table(client: &Object) -> Result<(), Stop> {
    let statements = format!("begin; select pg_advisory_xact_lock({LOCK}); {CREATE}; commit");
    let Err(error) = client.batch_execute(&statements).await else { return Ok(()) };
    let mut stop = before_sending(&error);
    if let Stop::Database(error) = &mut stop {
        client.batch_execute("rollback").await.map_err(|error| before_sending(&error))?;
        // A migration has created it meanwhile.
        let exists = [SqlState::DUPLICATE_TABLE.code(), SqlState::UNIQUE_VIOLATION.code()];
        if exists.contains(&error.sqlstate.as_str()) {
            return Ok(());
        }
        error.message =
            format!("the table zerver_done does not exist and cannot be created: {}", error.message);
        error.hint = Some("perform zerver_postgres::DONE_TABLE as a migration".to_owned());
        error.position = None;
    }
    Err(stop)
}
