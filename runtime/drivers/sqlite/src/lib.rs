//! Performs the SQL effects of [zerver](zerver::effects::sql) with SQLite.
//!
//! ```no_run
//! use zerver::effects::sql;
//! use zerver::prelude::*;
//! use zerver_sqlite::Sqlite;
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
//!             let database = Sqlite::open("todos.db")?;
//!             database.migrate("migrations").await?;
//!             startup.interpreter(database);
//!             Ok(())
//!         })
//! }
//! # let _ = app;
//! ```
//!
//! A database is in WAL mode, in which one connection writes while others read. Statements that only read
//! ([`is_safe`](zerver::prelude::EffectKind::is_safe)) use the connections that read, all others the one that writes, one
//! after another. Statements run on tokio's threads for blocking code. If an effect ends early, its statement is
//! interrupted.
//!
//! SQLite has integers, floats, text and bytes. Booleans become 0 and 1, and all other types text: times in the form of
//! RFC 3339, numerics in decimal form. The types of a service read them back from that. Arrays are refused; bind JSON.
//!
//! # Cargo features
//!
//! - `bundled`: compiles SQLite instead of using the library of the system. Recent versions of rusqlite need SQLite 3.44
//!   or later, which a stable distribution may not have.

#![warn(missing_debug_implementations)]

mod connection;
mod database;
mod error_mapping;
mod explain;
mod migrate;
mod once;
mod perform;

pub use database::Sqlite;
pub use error_mapping::OpenError;
pub use migrate::MigrateError;
pub use once::DONE_TABLE;
