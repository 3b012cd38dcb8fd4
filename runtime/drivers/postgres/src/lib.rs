//! Performs the SQL effects of [zerver](zerver::effects::sql) with PostgreSQL.
//!
//! ```no_run
//! use zerver::effects::sql;
//! use zerver::prelude::*;
//! use zerver_postgres::Postgres;
//!
//! #[slot]
//! #[derive(Debug, sql::Row)]
//! struct Todo { id: i64, title: String }
//!
//! #[step]
//! fn load(request: &Request) -> Result<Decision<Todo>, Failure> {
//!     let id: i64 = request.param("id")?;
//!     Ok(Need(sql::query("select id, title from todos where id = $1").bind(id).optional().or_not_found("todo", id)))
//! }
//!
//! #[step]
//! fn render(todo: &Todo) -> Response {
//!     Response::json(todo)
//! }
//!
//! fn app() -> App {
//!     App::new()
//!         .flow(flow!("todo", GET "/todos/{id}", steps: [load, render]))
//!         .on_startup_async(async |startup| {
//!             let database = Postgres::from_url("postgresql://app@db.internal/app")?.pool_size(16);
//!             database.migrate("migrations").await?;
//!             startup.interpreter(database);
//!             Ok(())
//!         })
//! }
//! # let _ = app;
//! ```
//!
//! # Connections
//!
//! Connections are opened when they are needed, up to the size of the pool, and used again. A service starts and runs
//! while the server is not reachable: its effects fail as `unreachable`, and succeed as soon as the server is back.
//!
//! If an effect ends early, because its time limit has passed or the client has left, its statement is canceled on the
//! server, and its connection is closed.
//!
//! # Plans
//!
//! The plan of a statement that reads is itself read now and then ([`Postgres::record_plans`]), and recorded with its calls,
//! so that `zerver diff` can tell that it changed.
//!
//! # Values
//!
//! Parameters are converted by the types that the server expects; text fits any type except `bytea`, and the server parses
//! it. Columns of a type that is not known here, such as a range, are an error that suggests a conversion to text.
//!
//! # TLS
//!
//! `sslmode` has the meaning that it has in libpq: `prefer` (the default) and `require` encrypt without checking the
//! certificate of the server, `verify-full` also checks it, with the certificates of `sslrootcert` or else with those that
//! browsers trust. `verify-ca` is treated as `verify-full`.

#![warn(missing_debug_implementations)]

mod checkout;
mod database;
mod error_mapping;
mod explain;
mod known_columns;
mod migrate;
mod once;
mod plan_json;
mod plan_reader;
mod statement;
mod transaction;

pub use database::Postgres;
pub use migrate::MigrateError;
pub use zerver_postgres_connect::SettingsError;
pub use zerver_postgres_values::done_table::CREATE as DONE_TABLE;
