//! Performs the SQL effects of [zerver](zerver::effects::sql) with a pool of sqlx that a service already has.
//!
//! ```no_run
//! use sqlx::PgPool;
//! use zerver::effects::sql;
//! use zerver::prelude::*;
//!
//! #[step]
//! fn count() -> Decision<Todos> {
//!     Need(sql::query("select count(*) from todos").one::<i64>().map(Todos))
//! }
//! # #[slot] struct Todos(i64);
//! # #[step] fn render(todos: &Todos) -> Response { Response::json(&todos.0) }
//!
//! fn app() -> App {
//!     App::new()
//!         .flow(flow!("count", GET "/todos/count", steps: [count, render]))
//!         .on_startup_async(async |startup| {
//!             let pool = PgPool::connect_lazy(&std::env::var("DATABASE_URL")?)?;
//!             startup.interpreter(zerver_sqlx::Postgres::new(pool));
//!             Ok(())
//!         })
//! }
//! # let _ = app;
//! ```
//!
//! Traces do not depend on the driver: `zerver-postgres` records the same values for the same statement. Use it in a new
//! service. It needs no query to cancel a statement, sends text in one round trip, and notices by itself
//! that a connection was closed.
//!
//! # Connections
//!
//! The settings of the pool apply: its size, its checks of connections, and `acquire_timeout`, after which an effect that
//! got no connection fails as `unreachable`. sqlx tries to connect again for that long while the server refuses
//! connections, so a service whose effects should fail sooner sets it, or a time limit of the effects.
//!
//! The socket of a connection belongs to the runtime on which it was opened. A pool that is created in
//! [`App::on_startup_async`](zerver::App::on_startup_async) opens its connections on the threads that perform effects, on
//! which no step runs.
//!
//! # Cancellation
//!
//! If an effect ends early, its connection is closed, and its statement is canceled on the server through a connection of
//! its own: by the number of the backend and the time at which that started, and only while it runs the same statement.
//! sqlx does not reveal the number, so it is queried once for each connection. Behind a pooler that changes the server's
//! connection between transactions, such as PgBouncer, the number is that of another one; turn cancellation off there
//! ([`Postgres::without_cancel`]).

#![warn(missing_debug_implementations)]

mod backend_ids;
mod checkout;
mod error_mapping;
mod once;
mod parameters;
mod postgres;
mod server_type;
mod statement;
mod transaction;

pub use postgres::Postgres;
pub use zerver_postgres_values::done_table::CREATE as DONE_TABLE;
