//! Errors that a database answers with.

use std::fmt;

use serde::{Deserialize, Serialize};
use zerver_engine::{Failure, FailureKind};

/// The error with which a database answered a statement. It is a part of the effect's output, so that it is recorded
/// and a replay reproduces it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SqlError {
    /// Five characters that identify the error in all languages (SQLSTATE): `23505`.
    pub sqlstate: String,
    /// Message of the database.
    pub message: String,
    /// Further details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Advice of the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Constraint that the statement violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constraint: Option<String>,
    /// Table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Column.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Position in the text of the statement, in characters from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Number of the statement within its batch, from 0.
    pub statement: u16,
}

impl SqlError {
    /// SQLSTATE of a violated unique constraint.
    pub const UNIQUE_VIOLATION: &str = "23505";
    /// SQLSTATE of a violated foreign key.
    pub const FOREIGN_KEY_VIOLATION: &str = "23503";
    /// SQLSTATE of a violated check.
    pub const CHECK_VIOLATION: &str = "23514";
    /// SQLSTATE of a NULL where none is allowed.
    pub const NOT_NULL_VIOLATION: &str = "23502";

    /// SQLSTATE of a key of [`once`](super::Query::once) that was used before with other statements or parameters. The
    /// driver, not the database, reports it.
    pub const KEY_REUSED: &str = "ZV001";

    /// Creates an error with this SQLSTATE and message.
    pub fn new(sqlstate: impl Into<String>, message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate.into(), message: message.into(), ..Self::default() }
    }

    /// Sets the constraint that was violated.
    #[must_use]
    pub fn constraint(mut self, name: impl Into<String>) -> Self {
        self.constraint = Some(name.into());
        self
    }

    /// Returns true if the transaction conflicted with another one and had no effect: it can be attempted again as a
    /// whole.
    pub fn is_conflict_of_transactions(&self) -> bool {
        matches!(self.sqlstate.as_str(), "40001" | "40P01")
    }

    /// Returns true if another attempt may succeed: the transaction conflicted with another one, a lock was not
    /// available, or the database has no resources left.
    pub fn is_temporary(&self) -> bool {
        self.is_conflict_of_transactions() || self.sqlstate == "55P03" || self.sqlstate.starts_with("53")
    }

    /// Converts the error into the failure that a flow reports unless it handles the error itself: `conflict` for a
    /// violated unique constraint and a key that was used with other statements, `timeout` if the database gave up, `unavailable` if another attempt may succeed, and
    /// `internal` for all others. [`Failure::error`] returns the error itself.
    pub fn to_failure(&self) -> Failure {
        let failure = match self.sqlstate.as_str() {
            Self::UNIQUE_VIOLATION => {
                Failure::conflict("sql", self.constraint.as_deref().unwrap_or_default())
            }
            Self::KEY_REUSED => Failure::conflict("sql", "once"),
            "57014" => Failure::new(FailureKind::Timeout, "sql"),
            _ if self.is_temporary() => Failure::unavailable("sql"),
            _ => Failure::internal("sql"),
        };
        failure.caused_by(self.clone())
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error {}: {}", self.sqlstate, self.message)?;
        for (name, text) in [("detail", &self.detail), ("hint", &self.hint)] {
            if let Some(text) = text {
                write!(f, "; {name}: {text}")?;
            }
        }
        match self.position {
            Some(position) => write!(f, "; at character {position}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}
