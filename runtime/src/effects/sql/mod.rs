//! SQL statements as effects. They are data: this module names no driver, and what a trace contains does not depend on
//! the one that performed the statement.
//!
//! ```
//! use zerver::effects::sql;
//! use zerver::prelude::*;
//!
//! #[slot]
//! #[derive(Debug, sql::Row)]
//! struct Todo { id: i64, title: String }
//!
//! #[step]
//! fn load(request: &Request) -> Result<Decision<Todo>, Failure> {
//!     let id: i64 = request.param("id")?;
//!     let todo = sql::query("select id, title from todos where id = $1").bind(id).named("todo_by_id");
//!     Ok(Need(todo.optional().or_not_found("todo", id)))
//! }
//! ```
//!
//! The method that completes a statement determines what is read: [`one`](Query::one), [`optional`](Query::optional) and
//! [`all`](Query::all) read rows as a type that implements [`Row`], and [`execute`](Query::execute) returns the number of
//! affected rows. [`batch`] performs several statements in one transaction, as one effect. No transaction stays open
//! between steps.
//!
//! The crates `zerver-postgres` and `zerver-sqlite` perform these effects. A database answers a statement with rows or
//! with an error; both are the output of the effect, so that a replay reproduces them. An effect error means that the
//! answer is missing: the database could not be reached, or the connection was lost.

mod batch_builder;
mod databases;
mod from_value;
mod migrations;
mod once;
mod plan;
mod plan_watch;
mod query_builder;
mod recorded_rows;
mod reply;
mod row;
mod row_collector;
mod rows;
mod sql_error;
mod sql_kind;
mod statement_text;
mod to_value;
mod value;

use std::borrow::Cow;

pub use batch_builder::Batch;
pub use databases::Databases;
pub use from_value::{FromSqlValue, Json};
pub use migrations::{AppliedMigration, Migration, Migrations, MigrationsError};
pub use once::Once;
pub use plan::{Plan, PlanNode, explained_statements};
pub use plan_watch::{PlanWatch, WatchedCall};
pub use query_builder::Query;
pub use reply::Reply;
pub use row::{Row, RowError, RowRef};
pub use row_collector::RowCollector;
pub use rows::{Cells, Column, Rows};
pub use sql_error::SqlError;
pub use sql_kind::{Fetch, Isolation, Limits, Sql, Statement, Transaction};
pub use to_value::ToSqlValue;
pub use value::{Date, Param, ParseValueError, SqlValue, Time, Timestamp, Uuid};
pub use zerver_engine::Row;

/// Name of the database that a statement uses unless [`Query::on`] or [`Batch::on`] names another.
pub const DEFAULT_DATABASE: &str = "default";

/// Starts a statement. Its parameters are `$1`, `$2` and so on, and are bound in this order.
///
/// The text should be a constant: values belong into parameters, never into the text.
pub fn query(text: impl Into<Cow<'static, str>>) -> Query {
    Query::new(text.into())
}

/// Starts a batch: statements that are performed in order, in one transaction and as one effect. If one of them fails,
/// none has an effect.
///
/// ```
/// use zerver::effects::sql;
/// # use zerver::prelude::*;
///
/// fn place(customer: i64, item: &str) -> Effect<i64> {
///     let order = sql::query("insert into orders (customer) values ($1) returning id").bind(customer);
///     let line = sql::query("insert into lines (order_id, item) values ($1, $2)").bind(sql::out(0, "id")).bind(item);
///     sql::batch([order, line]).run().try_map(|results| results[0].one())
/// }
/// ```
pub fn batch(statements: impl IntoIterator<Item = Query>) -> Batch {
    Batch::new(statements.into_iter().collect())
}

/// Refers to a cell of an earlier statement of the same batch: this column of the first row. The statements are numbered
/// from 0.
pub fn out(statement: u16, column: impl Into<String>) -> Param {
    Param::Out { statement, column: column.into() }
}
