//! Hashes of passwords. They take tens of milliseconds, so they are effects that run on threads for blocking work.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use zerver::effects::sql;
use zerver::prelude::*;

/// Password that the client sent.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq)]
pub struct Password(pub String);

/// Hash of a password, with its salt and parameters.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq, sql::Row)]
pub struct PasswordHash {
    pub password_hash: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("cannot hash the password: {0}")]
pub struct HashError(String);

/// Hashes a password with a random salt.
#[effect(idempotent)]
pub async fn hash_password(password: &str) -> Result<PasswordHash, HashError> {
    let password = password.to_owned();
    blocking(move || {
        let hash = Argon2::default().hash_password(password.as_bytes()).map_err(|error| error.to_string())?;
        Ok(PasswordHash { password_hash: hash.to_string() })
    })
    .await
}

/// Returns true if the hash is that of the password.
#[effect(safe)]
pub async fn is_password(password: &str, password_hash: &str) -> Result<bool, HashError> {
    let (password, password_hash) = (password.to_owned(), password_hash.to_owned());
    blocking(move || {
        let hash = Phc::new(&password_hash).map_err(|error| error.to_string())?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, HashError> {
    let result = tokio::task::spawn_blocking(work).await.map_err(|error| HashError(error.to_string()))?;
    result.map_err(HashError)
}

#[step]
pub fn hash_new(password: &Password) -> Decision<PasswordHash> {
    Need(hash_password(&password.0))
}

#[step]
pub fn hash_changed(password: Option<&Password>) -> Decision<Option<PasswordHash>> {
    match password {
        Some(password) => Need(hash_password(&password.0).map(Some)),
        None => Continue(None),
    }
}
