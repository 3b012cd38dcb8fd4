//! Performs one statement on a connection.

use std::pin::pin;

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Row, RowStream, Statement as Prepared};
use zerver::effects::sql::{Fetch, RowCollector, Rows, SqlValue, Statement};
use zerver::effects::{points, report_point};
use zerver::prelude::*;
use zerver_postgres_values::{RawCell, parameters};

use crate::error_mapping::{Stop, after_sending, before_sending};
use crate::known_columns;

/// Number of rows that are read and discarded after a result has reached a limit, before the statement is canceled
/// instead. A cancellation costs the connection.
const DISCARDED_ROWS: usize = 1000;

/// Result of a statement.
pub(crate) struct Performed {
    pub(crate) rows: Result<Rows, EffectError>,
    /// True if the server has more to send, so that the connection cannot be used any further.
    pub(crate) is_unfinished: bool,
}

/// Performs a statement. `is_read` means that it may be canceled once enough rows have been read.
pub(crate) async fn perform(
    client: &Object,
    statement: &Statement,
    values: &[SqlValue],
    is_read: bool,
) -> Result<Performed, Stop> {
    let known = client.statement_cache.size();
    let prepared = client.prepare_cached(&statement.text).await.map_err(|error| before_sending(&error))?;
    if client.statement_cache.size() > known {
        report_point(points::PREPARED);
    }
    let parameters = parameters(values, prepared.params())?;
    match client.query_raw(&prepared, &parameters).await {
        Ok(stream) => read(stream, &prepared, statement, is_read).await,
        Err(error) => Err(after_sending(&error)),
    }
}

/// Like [`perform`], outside of a transaction. A prepared statement that the server no longer accepts, because a table
/// has changed or the server has forgotten it, is prepared again; the server refuses it before it does anything.
pub(crate) async fn perform_alone(
    client: &Object,
    statement: &Statement,
    values: &[SqlValue],
    is_read: bool,
) -> Result<Performed, Stop> {
    match perform(client, statement, values, is_read).await {
        Err(Stop::Database(error)) if is_stale(&error.sqlstate, &error.message) => {
            client.statement_cache.remove(&statement.text, &[]);
            perform(client, statement, values, is_read).await
        }
        result => result,
    }
}

fn is_stale(sqlstate: &str, message: &str) -> bool {
    sqlstate == SqlState::INVALID_SQL_STATEMENT_NAME.code()
        || (sqlstate == SqlState::FEATURE_NOT_SUPPORTED.code() && message.contains("cached plan"))
}

async fn read(
    stream: RowStream,
    prepared: &Prepared,
    statement: &Statement,
    is_read: bool,
) -> Result<Performed, Stop> {
    let fetch = statement.fetch;
    let columns = known_columns::columns_of(&statement.text, prepared);
    let mut collector = RowCollector::new(columns, fetch, statement.limits);
    let mut stream = pin!(stream);
    let mut failure = None;
    // Rows are received one by one, and the server waits for them to be taken, so that memory stays bounded.
    let mut is_first = true;
    while let Some(row) = stream.try_next().await.map_err(|error| after_sending(&error))? {
        if std::mem::take(&mut is_first) {
            report_point(points::FIRST_ROW);
        }
        let pushed =
            if fetch == Fetch::Affected { Ok(true) } else { cells(&row).and_then(|row| collector.push(row)) };
        match pushed {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => failure = Some(error),
        }
        let mut discarded = 0;
        while stream.try_next().await.map_err(|error| after_sending(&error))?.is_some() {
            discarded += 1;
            if is_read && discarded > DISCARDED_ROWS {
                return Ok(Performed {
                    rows: failure.map_or_else(|| Ok(collector.finish(None)), Err),
                    is_unfinished: true,
                });
            }
        }
        break;
    }
    let affected = stream.rows_affected();
    let rows = match failure {
        None => Ok(collector.finish(affected)),
        Some(error) if is_read => Err(error),
        Some(error) => {
            let message = format!("{}; the statement itself was performed", error.message);
            Err(EffectError::new(error.kind, message))
        }
    };
    Ok(Performed { rows, is_unfinished: false })
}

fn cells(row: &Row) -> Result<Vec<SqlValue>, EffectError> {
    let cell = |(at, column): (usize, &tokio_postgres::Column)| {
        let raw: RawCell<'_> = row.try_get(at).map_err(|error| error.to_string())?;
        raw.decode(column.type_()).map_err(|reason| format!("column {}: {reason}", column.name()))
    };
    let cells: Result<_, String> = row.columns().iter().enumerate().map(cell).collect();
    cells.map_err(|message| EffectError::new(EffectErrorKind::Malformed, message))
}
