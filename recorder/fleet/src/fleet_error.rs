//! The reasons why a fleet does not do what was asked.

use std::error::Error as _;
use std::fmt::Display;

use tokio_postgres::error::SqlState;
use zerver_recorder::ReadError;

use crate::postgres::postgres_url::PostgresUrl;

/// States that the functions of the schema raise.
const COLLISION: &str = "ZV001";
const OTHER_VERSION: &str = "ZV002";

/// The reason why a fleet does not do what was asked, and advice. The text names no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FleetError {
    /// The cause.
    pub reason: String,
    /// Advice on what to do.
    pub hint: Option<String>,
    /// True if another attempt can succeed without a change by the operator: the fleet was not reachable or busy.
    pub is_passing: bool,
}

impl FleetError {
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None, is_passing: true }
    }

    pub(crate) fn lasting(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()), is_passing: false }
    }

    /// Returns the error for a namespace of another version.
    pub(crate) fn version(namespace: &str, url: &dyn Display, found: i32, known: i32) -> Self {
        let reason = format!("the namespace {namespace} has version {found} of the schema");
        if found < known {
            Self::lasting(reason, format!("run `zerver fleet upgrade --store '{url}'`"))
        } else {
            Self::lasting(reason, format!("this build knows versions up to {known}: use a newer one"))
        }
    }

    /// Returns the error for one of PostgreSQL.
    pub(crate) fn of_database(url: &PostgresUrl, error: &tokio_postgres::Error) -> Self {
        let Some(found) = error.as_db_error() else {
            let mut reason = error.to_string();
            if let Some(source) = error.source() {
                reason = format!("{reason}: {source}");
            }
            return Self::passing(reason);
        };
        let reason = found.message().to_owned();
        let user = url.config.get_user().unwrap_or("the user");
        let code = found.code();
        if [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_TABLE].contains(code) {
            let reason = format!("the namespace {} is not there: {reason}", url.namespace());
            return Self::lasting(reason, format!("run `zerver fleet init --store '{url}'` once"));
        }
        if [SqlState::UNDEFINED_FUNCTION, SqlState::UNDEFINED_COLUMN].contains(code) {
            let reason = format!("the namespace {} is incomplete or old: {reason}", url.namespace());
            return Self::lasting(reason, format!("run `zerver fleet upgrade --store '{url}'` once"));
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            let hint = format!(
                "readers need the role zerver_read, services zerver_ship, and `zerver fleet` that of the owner: `grant \
                 zerver_read to {user}`"
            );
            return Self::lasting(reason, hint);
        }
        if [SqlState::INVALID_PASSWORD, SqlState::INVALID_AUTHORIZATION_SPECIFICATION].contains(code) {
            let hint =
                "write the password into the URL, or a file that it names: ?passfile=/run/secrets/fleet";
            return Self::lasting(reason, hint);
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return Self::lasting(reason, "create the database first");
        }
        if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
            let hint = "the database is read-only, perhaps because it is a replica: name the primary";
            return Self { reason, hint: Some(hint.to_owned()), is_passing: true };
        }
        if *code == SqlState::DISK_FULL {
            let hint = "the disk of the database is full: `zerver fleet init --keep-days` or `zerver fleet archive` \
                        keep less in it";
            return Self { reason, hint: Some(hint.to_owned()), is_passing: true };
        }
        if code.code() == OTHER_VERSION {
            return Self::lasting(reason, format!("run `zerver fleet upgrade --store '{url}'`"));
        }
        if code.code() == COLLISION {
            let hint =
                "two services write with copies of one store: remove the copy, so that it gets a new id";
            return Self::lasting(reason, hint);
        }
        Self::passing(reason)
    }

    /// Returns the same as the error of a reader.
    pub(crate) fn into_read_error(self, url: &dyn Display) -> ReadError {
        ReadError::Fleet { place: url.to_string(), reason: self.reason, hint: self.hint }
    }
}
