//! Settings from the environment.

use std::env;

use zerver::BoxError;
use zerver_local_server as local;

/// Settings of the service.
pub struct Settings {
    pub database_url: String,
    /// Key that signs tokens.
    pub token_key: String,
    /// True if users and articles are inserted at the start.
    pub is_seeded: bool,
    /// The server of the database, if it ends with the service.
    pub server: Option<local::Postgres>,
}

impl Settings {
    /// Reads `DATABASE_URL` and `CONDUIT_KEY`. Under `zerver dev`, neither is needed: the service then starts a PostgreSQL
    /// server in a temporary folder, which ends with it.
    pub fn from_environment() -> Result<Self, BoxError> {
        let is_dev = env::var_os("ZERVER_DEV").is_some_and(|value| value == "1");
        let token_key = match env::var("CONDUIT_KEY") {
            Ok(key) => key,
            Err(_) if is_dev => "only for development".to_owned(),
            Err(_) => return Err("CONDUIT_KEY is not set: set it to a long random text".into()),
        };
        match env::var("DATABASE_URL") {
            Ok(database_url) => Ok(Self { database_url, token_key, is_seeded: false, server: None }),
            Err(_) if is_dev => {
                let server = local::Postgres::start()
                    .map_err(|error| format!("{error}, or set DATABASE_URL to the URL of a database"))?;
                Ok(Self { database_url: server.url(), token_key, is_seeded: true, server: Some(server) })
            }
            Err(_) => {
                Err("DATABASE_URL is not set: set it, such as to postgresql://user@localhost/conduit".into())
            }
        }
    }
}
