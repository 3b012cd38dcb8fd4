//! Builds batches: several statements in one transaction.

use std::borrow::Cow;

use zerver_engine::Effect;

use super::DEFAULT_DATABASE;
use super::query_builder::{Query, perform};
use super::reply::Reply;
use super::rows::Rows;
use super::sql_kind::{Isolation, Sql, Transaction};

/// Builds a batch. [`run`](Self::run) completes it.
#[derive(Debug, Clone)]
#[must_use = "a batch does nothing until it is completed and a step returns the effect"]
pub struct Batch(Sql);

impl Batch {
    pub(super) fn new(statements: Vec<Query>) -> Self {
        // A key must not be lost, because the statements could then be performed twice.
        let once = statements.iter().find_map(|query| query.once.clone());
        Self(Sql {
            database: DEFAULT_DATABASE.into(),
            name: None,
            statements: statements.into_iter().map(|query| query.statement).collect(),
            transaction: Some(Transaction::DEFAULT),
            read_only: false,
            idempotent: false,
            once,
        })
    }

    /// Names the batch, as [`Query::named`] does.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Uses the database with this name instead of the default one.
    pub fn on(mut self, database: impl Into<Cow<'static, str>>) -> Self {
        self.0.database = database.into();
        self
    }

    /// Sets the isolation of the transaction instead of the default of the database.
    pub const fn isolation(mut self, isolation: Isolation) -> Self {
        if let Some(transaction) = &mut self.0.transaction {
            transaction.isolation = Some(isolation);
        }
        self
    }

    /// Sets how often the transaction is attempted if it conflicts with another one (SQLSTATE 40001 or 40P01). The
    /// default is 4. Such a transaction has had no effect, so these attempts are safe; the output contains their number.
    pub const fn attempts(mut self, attempts: u32) -> Self {
        if let Some(transaction) = &mut self.0.transaction {
            transaction.attempts = if attempts == 0 { 1 } else { attempts };
        }
        self
    }

    /// Performs the batch in a transaction that can only read. It may then be retried and performed during a replay.
    pub const fn read_only(mut self) -> Self {
        self.0.read_only = true;
        self
    }

    /// Declares that performing the batch twice has the same result as performing it once.
    pub const fn idempotent(mut self) -> Self {
        self.0.idempotent = true;
        self
    }

    /// Performs the batch at most once under this key, as [`Query::once`] does. The key of one of its statements also counts
    /// for the whole batch.
    pub fn once(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.0.once = Some(key.into());
        self
    }

    /// Completes with the result of each statement, in order.
    pub fn run(self) -> Effect<Vec<Rows>> {
        perform(self.0, |reply| Ok(reply.results()?.to_vec()))
    }

    /// Completes with the answer of the database as a value, be it results or an error.
    pub fn send(self) -> Effect<Reply> {
        perform(self.0, |reply| Ok(reply.clone()))
    }

    #[cfg(test)]
    pub(super) fn into_kind(self) -> Sql {
        self.0
    }
}
