//! Temporary servers for tests and for development, of the programs that are installed: databases, Redis and SMTP.
//!
//! A server listens on a private socket in a temporary folder, keeps nothing durable, and ends with the process that
//! started it, even if that process is killed.
//!
//! ```no_run
//! # fn main() -> Result<(), zerver_local_server::ServerError> {
//! let server = zerver_local_server::Postgres::start()?;
//! println!("{}", server.url());
//! # Ok(())
//! # }
//! ```

mod installed_program;
mod pgbouncer;
mod postgres;
mod redis;
mod s3;
mod server_error;
mod smtp;
mod supervised_process;
mod temporary_folder;
mod temporary_server;

pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use redis::Redis;
pub use s3::S3;
pub use server_error::ServerError;
pub use smtp::Smtp;
