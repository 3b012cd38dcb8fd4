//! Three endpoints of the RealWorld API, written for axum, beside the example `conduit`: one server for sqlx, and one for
//! deadpool-postgres. They answer what the example answers.

mod articles;
mod auth;
pub(super) mod axum_deadpool;
pub(super) mod axum_sqlx;
mod error;
mod update;
mod users;
pub(super) mod zerver;

/// Variable with the URL of the database.
pub(crate) const DATABASE: &str = "ZERVER_BENCH_DATABASE";

/// Number of connections of each server to the database.
const CONNECTIONS: u32 = 16;

/// Key that signs tokens.
const TOKEN_KEY: &str = "a key for benchmarks";

fn database_url() -> Result<String, String> {
    std::env::var(DATABASE).map_err(|_| format!("{DATABASE} is not set"))
}
