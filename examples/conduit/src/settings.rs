//! Settings from the environment.

use std::env;

use zerver::BoxError;

/// Settings of the service.
pub struct Settings {
    pub database_url: String,
    /// Key that signs tokens.
    pub token_key: String,
    /// True if users and articles are inserted at the start.
    pub is_seeded: bool,
}

impl Settings {
    /// Reads `DATABASE_URL` and `CONDUIT_KEY`. Under `zerver dev`, neither is needed: it starts a database, as `zerver.toml`
    /// says, and the database is filled.
    pub fn from_environment() -> Result<Self, BoxError> {
        let is_dev = env::var_os("ZERVER_DEV").is_some_and(|value| value == "1");
        let token_key = match env::var("CONDUIT_KEY") {
            Ok(key) => key,
            Err(_) if is_dev => "only for development".to_owned(),
            Err(_) => return Err("CONDUIT_KEY is not set: set it to a long random text".into()),
        };
        let database_url = env::var("DATABASE_URL")
            .map_err(|_| "DATABASE_URL is not set: set it, such as to postgresql://user@localhost/conduit")?;
        let started = env::var("ZERVER_DEV_STARTED").unwrap_or_default();
        let is_seeded = started.split(',').any(|name| name == "DATABASE_URL");
        Ok(Self { database_url, token_key, is_seeded })
    }
}
