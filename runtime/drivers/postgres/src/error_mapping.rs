//! Errors of the client as errors of the database, which are outputs, and errors of the effect.

use std::error::Error;
use std::io;

use tokio_postgres::error::{DbError, ErrorPosition, SqlState};
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
pub(crate) fn before_sending(error: &tokio_postgres::Error) -> Stop {
    match after_sending(error) {
        Stop::Lost(reason) => Stop::Effect(unreachable(&reason)),
        stop => stop,
    }
}

/// Converts an error of a statement that may have been performed.
pub(crate) fn after_sending(error: &tokio_postgres::Error) -> Stop {
    match error.as_db_error() {
        Some(error) if ends_connection(error) => {
            Stop::Lost(format!("{}: {}", error.code().code(), error.message()))
        }
        Some(error) => Stop::Database(Box::new(sql_error(error))),
        None if is_connection_error(error) => Stop::Lost(chain(error)),
        None => Stop::Effect(EffectError::new(EffectErrorKind::Malformed, chain(error))),
    }
}

/// Converts an error to open a connection. Errors of the server, such as a wrong password, also mean that the database
/// cannot be reached.
pub(crate) fn connecting(error: &tokio_postgres::Error) -> EffectError {
    unreachable(&chain(error))
}

pub(crate) fn unreachable(reason: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Unreachable, reason)
}

/// Returns true if the server ends the connection with this error.
fn ends_connection(error: &DbError) -> bool {
    let ends = [
        &SqlState::ADMIN_SHUTDOWN,
        &SqlState::CRASH_SHUTDOWN,
        &SqlState::CANNOT_CONNECT_NOW,
        &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    ends.contains(&error.code()) || error.code().code().starts_with("08")
}

fn is_connection_error(error: &tokio_postgres::Error) -> bool {
    error.is_closed() || error.source().is_some_and(|source| source.is::<io::Error>())
}

/// Returns an error with its sources on one line.
pub(crate) fn chain(error: &tokio_postgres::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| (*error).source());
    let rest = sources.map(ToString::to_string);
    std::iter::once(error.to_string()).chain(rest).collect::<Vec<_>>().join(": ")
}

fn sql_error(error: &DbError) -> SqlError {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let mut mapped = SqlError::new(error.code().code(), error.message());
    mapped.detail = text(error.detail());
    mapped.hint = text(error.hint());
    mapped.constraint = text(error.constraint());
    mapped.table = text(error.table());
    mapped.column = text(error.column());
    mapped.position = match error.position() {
        Some(ErrorPosition::Original(position)) => Some(*position),
        _ => None,
    };
    mapped
}
