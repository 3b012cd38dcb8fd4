//! Signed requests to an object store with the interface of Amazon S3. The driver and the fleet of zerver share this crate,
//! so that there is one client and one place for its limits. Services have no use for it.

#![warn(missing_debug_implementations)]

mod connection;
mod credentials;
mod refusal;
mod response_body;

pub use rusty_s3;

pub use self::connection::{S3Connection, SendError, SettingsError};
pub use self::credentials::{CredentialError, VARIABLES};
pub use self::refusal::Refusal;
pub use self::response_body::{BodyError, read_body};
