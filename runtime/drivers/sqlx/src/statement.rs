//! Performs one statement on a connection.

use std::borrow::Cow;

use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgColumn, PgRow, PgStatement};
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, PgConnection, Row as _,
    SqlSafeStr as _, SqlStr, Statement as _, ValueRef as _,
};
use zerver::effects::sql::{Column, Fetch, RowCollector, Rows, SqlValue, Statement};
use zerver::effects::{points, report_point};
use zerver::prelude::*;
use zerver_postgres_values::{RawCell, Type};

use crate::error_mapping::{Stop, after_sending, before_sending};
use crate::parameters;
use crate::server_type::server_type;

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
    connection: &mut PgConnection,
    statement: &Statement,
    values: &[SqlValue],
    is_read: bool,
) -> Result<Performed, Stop> {
    let known = connection.cached_statements_size();
    let prepared = (&mut *connection).prepare(sql_text(statement.text.clone())).await;
    let prepared = prepared.map_err(|error| before_sending(&error))?;
    if connection.cached_statements_size() > known {
        report_point(points::PREPARED);
    }
    let types = match prepared.parameters() {
        Some(Either::Left(types)) => types,
        _ => &[],
    };
    let arguments = parameters::encode(connection, values, types).await?;
    read(connection, &prepared, arguments, statement, is_read).await
}

/// Like [`perform`], outside of a transaction. A prepared statement that the server no longer accepts, because a table
/// has changed or the server has forgotten it, is prepared again; the server refuses it before it does anything.
pub(crate) async fn perform_alone(
    connection: &mut PgConnection,
    statement: &Statement,
    values: &[SqlValue],
    is_read: bool,
) -> Result<Performed, Stop> {
    match perform(connection, statement, values, is_read).await {
        Err(Stop::Database(error)) if is_stale(&error.sqlstate, &error.message) => {
            connection.clear_cached_statements().await.map_err(|error| before_sending(&error))?;
            perform(connection, statement, values, is_read).await
        }
        result => result,
    }
}

fn is_stale(sqlstate: &str, message: &str) -> bool {
    sqlstate == "26000" || (sqlstate == "0A000" && message.contains("cached plan"))
}

/// Returns the text of a statement. It is as safe as the service has made it.
fn sql_text(text: Cow<'static, str>) -> SqlStr {
    match text {
        Cow::Borrowed(text) => SqlStr::from_static(text),
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}

async fn read(
    connection: &mut PgConnection,
    prepared: &PgStatement,
    arguments: sqlx::postgres::PgArguments,
    statement: &Statement,
    is_read: bool,
) -> Result<Performed, Stop> {
    let types: Vec<Type> = prepared.columns().iter().map(|column| server_type(column.type_info())).collect();
    let named = prepared.columns().iter().zip(&types);
    let columns: Vec<_> = named.map(|(column, ty)| Column::new(column.name(), ty.name())).collect();
    let mut collector = RowCollector::new(columns, statement.fetch, statement.limits);
    let mut stream = connection.fetch_many(prepared.query_with(arguments));
    let (mut affected, mut failure) = (None, None);
    let (mut is_first, mut is_full, mut discarded) = (true, false, 0);
    // Rows are received one by one, and the server waits for them to be taken, so that memory stays bounded.
    while let Some(next) = stream.try_next().await.map_err(|error| after_sending(&error))? {
        let row = match next {
            Either::Left(done) => {
                affected = Some(done.rows_affected());
                continue;
            }
            Either::Right(row) => row,
        };
        if std::mem::take(&mut is_first) {
            report_point(points::FIRST_ROW);
        }
        if is_full {
            discarded += 1;
            if is_read && discarded > DISCARDED_ROWS {
                let rows = failure.map_or_else(|| Ok(collector.finish(None)), Err);
                return Ok(Performed { rows, is_unfinished: true });
            }
            continue;
        }
        if statement.fetch == Fetch::Affected {
            continue;
        }
        match cells(&row, prepared.columns(), &types).and_then(|cells| collector.push(cells)) {
            Ok(true) => {}
            Ok(false) => is_full = true,
            Err(error) => (is_full, failure) = (true, Some(error)),
        }
    }
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

fn cells(row: &PgRow, columns: &[PgColumn], types: &[Type]) -> Result<Vec<SqlValue>, EffectError> {
    let cell = |((at, column), ty): ((usize, &PgColumn), &Type)| {
        let raw = row.try_get_raw(at).map_err(|error| error.to_string())?;
        let bytes = if raw.is_null() { None } else { raw.as_bytes().ok() };
        RawCell(bytes).decode(ty).map_err(|reason| format!("column {}: {reason}", column.name()))
    };
    let cells: Result<_, String> = columns.iter().enumerate().zip(types).map(cell).collect();
    cells.map_err(|message| EffectError::new(EffectErrorKind::Malformed, message))
}
