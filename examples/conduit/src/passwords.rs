//! Hashes of passwords. They take tens of milliseconds, so they are effects that run on threads for blocking work.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc};
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

/// Hashes a password with a random salt.
#[effect(idempotent, blocking)]
pub fn hash_password(password: &str) -> Result<PasswordHash, argon2::password_hash::Error> {
    let hash = Argon2::default().hash_password(password.as_bytes())?;
    Ok(PasswordHash { password_hash: hash.to_string() })
}

/// Returns true if the hash is that of the password.
#[effect(safe, blocking)]
pub fn is_password(password: &str, password_hash: &str) -> Result<bool, phc::Error> {
    let hash = phc::PasswordHash::new(password_hash)?;
    Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
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
