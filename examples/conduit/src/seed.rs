//! A few users and articles to try the service with. The password of each user is `conduit-demo`.

use std::process::ExitCode;

use zerver::BoxError;
use zerver::effects::{EffectContext, Interpreters, sql};
use zerver_postgres::Postgres;

use crate::Settings;
use crate::passwords::hash_password;

/// Password of all users.
const PASSWORD: &str = "conduit-demo";

/// Inserts them into the database of the settings, unless they are there.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its result")]
pub fn run() -> ExitCode {
    let inserted = tokio::runtime::Runtime::new().map_err(BoxError::from).and_then(|runtime| {
        runtime.block_on(async {
            let settings = Settings::from_environment()?;
            let database = Postgres::from_url(&settings.database_url)?;
            database.migrate_all(&crate::migrations()).await?;
            insert(&database).await
        })
    });
    match inserted {
        Ok(()) => {
            println!("ann@example.com, bob@example.com and eve@example.com have the password {PASSWORD}")
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Inserts them into a database, unless they are there.
pub async fn insert(database: &Postgres) -> Result<(), BoxError> {
    let hash = hash_password::perform(PASSWORD)?;
    let mut interpreters = Interpreters::new();
    interpreters.set(database.clone());
    let seed = sql::query(include_str!("../seed.sql")).bind_secret(hash.password_hash).execute();
    interpreters.perform(seed, &EffectContext::default()).await?;
    Ok(())
}
