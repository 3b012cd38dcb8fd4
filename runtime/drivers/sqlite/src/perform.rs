//! Performs statements on a connection.

use std::thread;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql};
use zerver::effects::sql::{
    Column, Fetch, Once, Reply, RowCollector, Rows, Sql, SqlValue, Statement, Transaction,
};
use zerver::prelude::*;

use crate::error_mapping::Stop;
use crate::once::{self, Claim};

/// Pause before another attempt of a transaction that conflicts with one of another process.
const PAUSE: Duration = Duration::from_millis(10);

/// Answer to a call.
pub(crate) struct Performed {
    pub(crate) reply: Reply,
    /// True if the call has a key that was known, so that nothing was performed.
    pub(crate) is_already_done: bool,
}

impl From<Reply> for Performed {
    fn from(reply: Reply) -> Self {
        Self { reply, is_already_done: false }
    }
}

/// Performs a call.
pub(crate) fn perform(connection: &Connection, sql: &Sql) -> Result<Performed, Stop> {
    match (&sql.transaction, sql.statements.as_slice()) {
        (Some(transaction), _) => batch(connection, sql, transaction),
        (None, [alone]) => Ok(Reply::new(Ok(vec![statement(connection, alone, &[])?])).into()),
        (None, _) => Err(invalid("several statements need a transaction: use sql::batch").into()),
    }
}

/// Performs a batch, again if it conflicts with another process.
fn batch(connection: &Connection, sql: &Sql, transaction: &Transaction) -> Result<Performed, Stop> {
    let mut attempts = 1;
    let once = sql.once()?;
    loop {
        match attempt(connection, sql, once.as_ref(), attempts) {
            Ok(performed) => return Ok(performed),
            Err(Stop::Database(error)) => {
                if !error.is_conflict_of_transactions() || attempts >= transaction.attempts {
                    return Ok(Reply { attempts, result: Err(*error) }.into());
                }
            }
            Err(stop) => return Err(stop),
        }
        thread::sleep(PAUSE);
        attempts += 1;
    }
}

fn attempt(
    connection: &Connection,
    sql: &Sql,
    once: Option<&Once<'_>>,
    attempts: u32,
) -> Result<Performed, Stop> {
    // A transaction that begins as a reader could fail later, when it wants to write.
    connection.execute_batch(if sql.is_safe() { "begin" } else { "begin immediate" })?;
    let result = work(connection, sql, once, attempts).and_then(|performed| {
        connection.execute_batch("commit")?;
        Ok(performed)
    });
    if result.is_err() && !connection.is_autocommit() {
        connection.execute_batch("rollback")?;
    }
    result
}

/// Performs the statements within the transaction that has begun, and the work for their key.
fn work(
    connection: &Connection,
    sql: &Sql,
    once: Option<&Once<'_>>,
    attempts: u32,
) -> Result<Performed, Stop> {
    if let Some(once) = once
        && let Claim::Known(reply) = once::claim(connection, once)?
    {
        return Ok(Performed { reply, is_already_done: true });
    }
    let reply = Reply { attempts, result: Ok(statements(connection, sql)?) };
    if let Some(once) = once {
        once::keep(connection, once, &reply)?;
    }
    Ok(reply.into())
}

fn statements(connection: &Connection, sql: &Sql) -> Result<Vec<Rows>, Stop> {
    let mut results = Vec::with_capacity(sql.statements.len());
    // A connection that reads has this setting anyway; the one of a database in memory has it only here.
    let was_query_only: bool = connection.query_row("pragma query_only", [], |row| row.get(0))?;
    if sql.read_only {
        connection.execute_batch("pragma query_only = on")?;
    }
    let mut outcome = Ok(());
    for (number, next) in sql.statements.iter().enumerate() {
        match statement(connection, next, &results) {
            Ok(rows) => results.push(rows),
            Err(mut stop) => {
                if let Stop::Database(error) = &mut stop {
                    error.statement = u16::try_from(number).unwrap_or(u16::MAX);
                }
                outcome = Err(stop);
                break;
            }
        }
    }
    if !was_query_only {
        connection.execute_batch("pragma query_only = off")?;
    }
    outcome.map(|()| results)
}

/// Performs one statement. `earlier` are the results of those before it.
fn statement(connection: &Connection, statement: &Statement, earlier: &[Rows]) -> Result<Rows, Stop> {
    let values = statement.resolved_params(earlier)?;
    let mut prepared = connection.prepare_cached(&statement.text)?;
    bind(&mut prepared, &values)?;
    let is_read = prepared.readonly();
    let mut columns = Vec::new();
    // A loop, because the versions of the client differ in the type of the list.
    for column in prepared.columns() {
        columns.push(Column::new(column.name(), column.decl_type().unwrap_or_default().to_lowercase()));
    }
    let width = columns.len();
    let mut rows = prepared.raw_query();
    let (mut collector, mut failure) = (None, None);
    let mut is_full = false;
    while let Some(row) = rows.next()? {
        if is_full {
            continue;
        }
        let cells: Vec<_> =
            (0..width).map(|at| Ok(cell(row.get_ref(at)?))).collect::<rusqlite::Result<_>>()?;
        // An expression has no declared type. That of the first value is shown.
        let collector = collector.get_or_insert_with(|| {
            for (column, cell) in columns.iter_mut().zip(&cells) {
                if column.type_name.is_empty() {
                    cell.type_name().clone_into(&mut column.type_name);
                }
            }
            RowCollector::new(std::mem::take(&mut columns), statement.fetch, statement.limits)
        });
        match collector.push(cells) {
            Ok(true) => {}
            Ok(false) => is_full = true,
            Err(error) => (is_full, failure) = (true, Some(error)),
        }
        if is_full && is_read {
            break;
        }
    }
    drop(rows);
    if let Some(error) = failure {
        let note = match (is_read, connection.is_autocommit()) {
            (true, _) => "",
            (false, true) => "; the statement itself was performed",
            (false, false) => "; nothing was committed",
        };
        return Err(EffectError::new(error.kind, format!("{}{note}", error.message)).into());
    }
    let affected = if is_read { None } else { Some(connection.changes()) };
    let collector =
        collector.unwrap_or_else(|| RowCollector::new(columns, statement.fetch, statement.limits));
    // The number of rows that a statement returned counts as affected, unless it changes rows.
    Ok(collector.finish(if statement.fetch == Fetch::Affected { affected.or(Some(0)) } else { affected }))
}

/// Binds the parameters, which the text calls `$1`, `?1` or `?`.
pub(crate) fn bind(prepared: &mut CachedStatement<'_>, values: &[SqlValue]) -> Result<(), Stop> {
    let expected = prepared.parameter_count();
    if values.len() != expected {
        let bound = values.len();
        return Err(
            invalid(&format!("the statement has {expected} parameters, but {bound} are bound")).into()
        );
    }
    for (value, number) in values.iter().zip(1..) {
        let parameter = parameter(value)
            .map_err(|reason| invalid(&format!("parameter ${number} is {value}: {reason}")))?;
        // To SQLite, `$1` is a name, and the order is that of the first use.
        let index = prepared.parameter_index(&format!("${number}"))?.unwrap_or(number);
        prepared.raw_bind_parameter(index, parameter)?;
    }
    Ok(())
}

struct Parameter<'v>(ToSqlOutput<'v>);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.clone())
    }
}

fn parameter(value: &SqlValue) -> Result<Parameter<'_>, &'static str> {
    let text = |text: String| ToSqlOutput::Owned(Value::Text(text));
    let borrowed = |text| ToSqlOutput::Borrowed(ValueRef::Text(text));
    Ok(Parameter(match value {
        SqlValue::Null => ToSqlOutput::Owned(Value::Null),
        SqlValue::Bool(value) => ToSqlOutput::Owned(Value::Integer((*value).into())),
        SqlValue::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
        SqlValue::Float(value) if value.is_nan() => return Err("SQLite would store NULL in its place"),
        SqlValue::Float(value) => ToSqlOutput::Owned(Value::Real(*value)),
        SqlValue::Text(value) | SqlValue::Numeric(value) | SqlValue::Json(value) => {
            borrowed(value.as_bytes())
        }
        SqlValue::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        SqlValue::Timestamp(value) => text(value.to_string()),
        SqlValue::Date(value) => text(value.to_string()),
        SqlValue::Time(value) => text(value.to_string()),
        SqlValue::Uuid(value) => text(value.to_string()),
        SqlValue::Array(_) => return Err("SQLite has no arrays: bind JSON, and read it with json_each"),
    }))
}

fn cell(value: ValueRef<'_>) -> SqlValue {
    match value {
        ValueRef::Null => SqlValue::Null,
        ValueRef::Integer(value) => SqlValue::Int(value),
        ValueRef::Real(value) => SqlValue::Float(value),
        // Text that is not UTF-8 can only have been stored by other programs.
        ValueRef::Text(text) => match str::from_utf8(text) {
            Ok(text) => SqlValue::Text(text.to_owned()),
            Err(_) => SqlValue::Bytes(text.to_vec().into()),
        },
        ValueRef::Blob(bytes) => SqlValue::Bytes(bytes.to_vec().into()),
    }
}

fn invalid(message: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, message)
}
