//! Errors of SQLite as errors with an SQLSTATE.

use std::path::PathBuf;

use rusqlite::Error;
use rusqlite::ffi;
use zerver::effects::sql::SqlError;
use zerver::prelude::*;

/// Error for a database that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the database {}", path.display())]
pub struct OpenError {
    pub(crate) path: PathBuf,
    pub(crate) source: Error,
}

/// Reason why a statement has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The database answered with an error.
    Database(Box<SqlError>),
    /// There is no answer.
    Effect(EffectError),
}

impl From<EffectError> for Stop {
    fn from(error: EffectError) -> Self {
        Self::Effect(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        match error {
            Error::SqliteFailure(code, message) => {
                Self::Database(Box::new(sql_error(code, message.unwrap_or_else(|| code.to_string()))))
            }
            // An error in the text of the statement, with its position.
            Error::SqlInputError { error, msg, offset, .. } => {
                let mut mapped = sql_error(error, msg);
                mapped.position = u32::try_from(offset).ok().map(|offset| offset + 1);
                Self::Database(Box::new(mapped))
            }
            Error::MultipleStatement => {
                Self::Database(Box::new(SqlError::new("42601", "several statements: use sql::batch")))
            }
            other => Self::Effect(EffectError::new(EffectErrorKind::Internal, other.to_string())),
        }
    }
}

fn sql_error(code: ffi::Error, message: String) -> SqlError {
    let sqlstate = match code.extended_code {
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            SqlError::UNIQUE_VIOLATION
        }
        ffi::SQLITE_CONSTRAINT_FOREIGNKEY => SqlError::FOREIGN_KEY_VIOLATION,
        ffi::SQLITE_CONSTRAINT_NOTNULL => SqlError::NOT_NULL_VIOLATION,
        ffi::SQLITE_CONSTRAINT_CHECK => SqlError::CHECK_VIOLATION,
        // The low byte is the code without details.
        extended => match extended & 0xff {
            ffi::SQLITE_ERROR => "42000",
            ffi::SQLITE_CONSTRAINT => "23000",
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => "40001",
            ffi::SQLITE_INTERRUPT => "57014",
            ffi::SQLITE_READONLY => "25006",
            ffi::SQLITE_FULL => "53100",
            ffi::SQLITE_NOMEM => "53200",
            ffi::SQLITE_IOERR => "58030",
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => "XX001",
            ffi::SQLITE_TOOBIG => "54000",
            ffi::SQLITE_MISMATCH => "42804",
            _ => "XX000",
        },
    };
    // "UNIQUE constraint failed: t.id"
    let constraint = message.split_once("constraint failed: ").map(|(_, name)| name.to_owned());
    let mut error = SqlError::new(sqlstate, message);
    error.constraint = constraint;
    error
}
