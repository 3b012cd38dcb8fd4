//! Errors of sqlx as errors of the database, which are outputs, and errors of the effect.

use std::error::Error as _;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use zerver::effects::sql::SqlError;
use zerver::prelude::*;

/// Reason why a statement has no result.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The database answered with an error.
    Database(Box<SqlError>),
    /// There is no answer.
    Effect(EffectError),
    /// The connection was lost after the statement had been sent.
    Lost(String),
}

impl From<EffectError> for Stop {
    fn from(error: EffectError) -> Self {
        Self::Effect(error)
    }
}

/// Converts an error that occurred before anything was performed.
pub(crate) fn before_sending(error: &Error) -> Stop {
    match after_sending(error) {
        Stop::Lost(reason) => Stop::Effect(unreachable(&reason)),
        stop => stop,
    }
}

/// Converts an error of a statement that may have been performed.
pub(crate) fn after_sending(error: &Error) -> Stop {
    match error {
        Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
            Some(error) if ends_connection(error.code()) => {
                Stop::Lost(format!("{}: {}", error.code(), error.message()))
            }
            Some(error) => Stop::Database(Box::new(sql_error(error))),
            None => Stop::Effect(EffectError::new(EffectErrorKind::Malformed, chain(error))),
        },
        Error::Io(_) | Error::Tls(_) | Error::WorkerCrashed | Error::PoolClosed | Error::PoolTimedOut => {
            Stop::Lost(chain(error))
        }
        _ => Stop::Effect(EffectError::new(EffectErrorKind::Malformed, chain(error))),
    }
}

pub(crate) fn unreachable(reason: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Unreachable, reason)
}

/// Returns true if the server ends the connection with this error.
fn ends_connection(sqlstate: &str) -> bool {
    ["57P01", "57P02", "57P03", "25P03"].contains(&sqlstate) || sqlstate.starts_with("08")
}

/// Returns an error with its sources on one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    for source in std::iter::successors(error.source(), |error| (*error).source()) {
        let source = source.to_string();
        // Some errors repeat their source.
        if !text.contains(&source) {
            text = text + ": " + &source;
        }
    }
    text
}

fn sql_error(error: &PgDatabaseError) -> SqlError {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let mut mapped = SqlError::new(error.code(), error.message());
    mapped.detail = text(error.detail());
    mapped.hint = text(error.hint());
    mapped.constraint = text(error.constraint());
    mapped.table = text(error.table());
    mapped.column = text(error.column());
    mapped.position = match error.position() {
        Some(PgErrorPosition::Original(position)) => u32::try_from(position).ok(),
        _ => None,
    };
    mapped
}
