//! Builds statements, and the effects that perform them.

use std::borrow::Cow;

use zerver_engine::{Call, Effect, EffectError, Failure};

use super::DEFAULT_DATABASE;
use super::reply::{Reply, effect_failure};
use super::row::Row;
use super::rows::Rows;
use super::sql_kind::{Fetch, Limits, Sql, Statement, Transaction};
use super::to_value::ToSqlValue;
use super::value::Param;

/// Builds a statement. One of the methods that return an [`Effect`] completes it.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is completed and a step returns the effect"]
pub struct Query {
    pub(super) statement: Statement,
    database: Cow<'static, str>,
    name: Option<Cow<'static, str>>,
    read_only: bool,
    idempotent: bool,
    pub(super) once: Option<Cow<'static, str>>,
}

impl Query {
    pub(super) fn new(text: Cow<'static, str>) -> Self {
        Self {
            statement: Statement { text, params: Vec::new(), fetch: Fetch::Rows, limits: Limits::DEFAULT },
            database: DEFAULT_DATABASE.into(),
            name: None,
            read_only: false,
            idempotent: false,
            once: None,
        }
    }

    /// Binds the next parameter. [`out`](super::out) refers to a cell of an earlier statement of a batch.
    pub fn bind(mut self, value: impl Into<Param>) -> Self {
        self.statement.params.push(value.into());
        self
    }

    /// Binds the next parameter to a secret: recordings seal it, and it is masked wherever it is shown. Booleans and
    /// small numbers stay visible, as under any secret name.
    pub fn bind_secret(mut self, value: impl ToSqlValue) -> Self {
        self.statement.params.push(Param::Secret(value.to_sql_value()));
        self
    }

    /// Names the statement. The name is shown in place of the text. A replay of code with another text for the same
    /// name and parameters gets the recorded answer, and reports that the text changed.
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Uses the database with this name instead of the default one. A batch decides that for its statements.
    pub fn on(mut self, database: impl Into<Cow<'static, str>>) -> Self {
        self.database = database.into();
        self
    }

    /// Declares that the statement changes nothing, so that it may be retried and performed during a replay. Statements
    /// that begin with SELECT and contain no word that changes something are recognized.
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// Declares that performing the statement twice has the same result as performing it once, so that it may be
    /// retried.
    pub const fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Performs the statement at most once under this key, so that it may be retried, also if it is unknown whether an
    /// earlier attempt was performed. Key and answer are written to the table `zerver_done` in the same transaction. If the
    /// key exists, nothing is performed, and the effect has the answer of the first time; a key that was used with other
    /// parameters fails as `conflict` ([`SqlError::KEY_REUSED`](super::SqlError::KEY_REUSED)). A statement that fails
    /// leaves its key unused.
    ///
    /// Use what identifies the change, such as the id of an order together with a verb: `order-17-paid`. A key has at most
    /// 255 bytes, and is visible in recordings.
    pub fn once(mut self, key: impl Into<Cow<'static, str>>) -> Self {
        self.once = Some(key.into());
        self
    }

    /// Sets the maximum number of rows. With more, the effect fails. The default is 1,000.
    pub const fn max_rows(mut self, rows: u32) -> Self {
        self.statement.limits.rows = rows;
        self
    }

    /// Sets the maximum size of the result, in bytes. The default is 256 KiB. A larger result can be read, but is not
    /// recorded, so that its request cannot be replayed from there.
    pub const fn max_bytes(mut self, bytes: u32) -> Self {
        self.statement.limits.bytes = bytes;
        self
    }

    /// Cuts a result beyond a limit, instead of failing. [`Rows::is_truncated`] tells the difference.
    pub const fn truncated(mut self) -> Self {
        self.statement.limits.truncate = true;
        self
    }

    /// Completes with the only row. No row fails as `not_found`, and several fail as `internal`.
    pub fn one<T: Row + Send + 'static>(self) -> Effect<T> {
        let name = self.name.clone().unwrap_or_default();
        self.fetching(Fetch::One)
            .complete(move |reply| only(reply)?.optional()?.ok_or_else(|| Failure::not_found("row", &name)))
    }

    /// Completes with the only row, or with `None` if there is none. Several rows fail as `internal`.
    pub fn optional<T: Row + Send + 'static>(self) -> Effect<Option<T>> {
        self.fetching(Fetch::One).complete(|reply| only(reply)?.optional())
    }

    /// Completes with all rows.
    pub fn all<T: Row + Send + 'static>(self) -> Effect<Vec<T>> {
        self.complete(|reply| only(reply)?.all())
    }

    /// Completes with the rows and their columns, without a type.
    pub fn rows(self) -> Effect<Rows> {
        self.complete(|reply| only(reply).cloned())
    }

    /// Completes with the number of affected rows.
    pub fn execute(self) -> Effect<u64> {
        self.fetching(Fetch::Affected).complete(|reply| Ok(only(reply)?.affected()))
    }

    /// Completes with the answer of the database as a value, be it rows or an error.
    pub fn send(self) -> Effect<Reply> {
        perform(self.into_kind(), |reply| Ok(reply.clone()))
    }

    const fn fetching(mut self, fetch: Fetch) -> Self {
        self.statement.fetch = fetch;
        self
    }

    fn complete<T: Send + 'static>(
        self,
        read: impl Fn(&Reply) -> Result<T, Failure> + Send + 'static,
    ) -> Effect<T> {
        perform(self.into_kind(), read)
    }

    pub(super) fn into_kind(self) -> Sql {
        let Self { statement, database, name, read_only, idempotent, once } = self;
        let transaction = once.is_some().then_some(Transaction::DEFAULT);
        Sql { database, name, statements: vec![statement], transaction, read_only, idempotent, once }
    }
}

pub(super) fn perform<T: Send + 'static>(
    sql: Sql,
    read: impl Fn(&Reply) -> Result<T, Failure> + Send + 'static,
) -> Effect<T> {
    Effect::from_call::<Sql>(Call::new(sql), move |reply: Result<&Reply, EffectError>| match reply {
        Ok(reply) => read(reply),
        Err(error) => Err(effect_failure(&error)),
    })
}

/// Returns the result of the only statement.
fn only(reply: &Reply) -> Result<&Rows, Failure> {
    match reply.results()? {
        [rows] => Ok(rows),
        results => Err(Failure::internal("sql").because(&EffectError::new(
            zerver_engine::EffectErrorKind::Malformed,
            format!("{} results of one statement", results.len()),
        ))),
    }
}
