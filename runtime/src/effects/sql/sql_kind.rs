//! Statements as a kind of effect: their target, identity, safety and summary.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use zerver_engine::{EffectError, EffectErrorKind, EffectKind};
use zerver_trace::Value;

use super::reply::Reply;
use super::rows::Rows;
use super::statement_text::{is_read, one_line};
use super::value::{Param, SqlValue};

/// A statement, or several in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sql {
    /// Name of the database.
    pub database: Cow<'static, str>,
    /// Name of the statement. Together with the parameters, it identifies the call to a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'static, str>>,
    /// Statements, in order.
    pub statements: Vec<Statement>,
    /// Transaction around the statements. There is one if there are several statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Transaction>,
    /// True if the caller declares that the statements change nothing.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    /// True if the caller declares that performing the statements twice has the same result as performing them once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub idempotent: bool,
    /// Key under which the statements are performed once. A driver that does not support it must refuse the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub once: Option<Cow<'static, str>>,
}

/// A statement with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Text, with the parameters as `$1`, `$2` and so on.
    pub text: Cow<'static, str>,
    /// Parameters, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Part of the result that is read.
    #[serde(default)]
    pub fetch: Fetch,
    /// Limits of the result.
    #[serde(default, skip_serializing_if = "Limits::is_default")]
    pub limits: Limits,
}

/// Part of a result that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fetch {
    /// The rows.
    #[default]
    Rows,
    /// The first row, and whether there are more.
    One,
    /// The number of affected rows.
    Affected,
}

/// Transaction around the statements of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Isolation, if it is not the default of the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<Isolation>,
    /// Maximum number of attempts if the transaction conflicts with another.
    pub attempts: u32,
}

impl Transaction {
    /// The isolation of the database, and 4 attempts.
    pub const DEFAULT: Self = Self { isolation: None, attempts: 4 };
}

/// Isolation of a transaction from concurrent ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// Each statement sees what was committed before it.
    ReadCommitted,
    /// All statements see the same state.
    RepeatableRead,
    /// The result is one that some order of the transactions, one after another, would give.
    Serializable,
}

/// Limits of the result of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Maximum number of rows.
    pub rows: u32,
    /// Maximum size of the rows as they are recorded, in bytes.
    pub bytes: u32,
    /// True if a result beyond a limit is cut. Otherwise, the effect fails.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncate: bool,
}

impl Limits {
    /// 1,000 rows, and 256 KiB: the size up to which a trace can contain a value.
    pub const DEFAULT: Self = Self { rows: 1000, bytes: 256 * 1024, truncate: false };

    fn is_default(&self) -> bool {
        *self == Self::DEFAULT
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl EffectKind for Sql {
    const KIND: &'static str = "sql";
    type Output = Reply;

    /// Returns the name, or the text on one line, without parameters.
    fn summary(&self) -> String {
        let first = self.statements.first().map(|statement| one_line(&statement.text)).unwrap_or_default();
        match (&self.name, self.statements.len()) {
            (Some(name), _) => name.to_string(),
            (None, 0 | 1) => first,
            (None, count) => format!("{count} statements: {first}"),
        }
    }

    fn output_summary(reply: &Reply) -> String {
        reply.to_string()
    }

    /// Returns the name of the database.
    fn target(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.database))
    }

    /// Returns true if the statements are safe, are performed once under a key, or were declared as idempotent.
    fn is_idempotent(&self) -> bool {
        self.idempotent || self.once.is_some() || self.is_safe()
    }

    /// Returns name and parameters if there is a name, so that a replay of a statement with a changed text gets the
    /// recorded rows and reports the change.
    fn identity(&self) -> Option<Value> {
        let name = self.name.as_ref()?;
        let params: Vec<_> = self.statements.iter().map(|statement| &statement.params).collect();
        match &self.once {
            None => Value::from_serialize(&(&self.database, name, params)).ok(),
            Some(key) => Value::from_serialize(&(&self.database, name, params, key)).ok(),
        }
    }

    /// Returns true if each statement is recognized as one that reads, or if they were declared so. A key is written.
    fn is_safe(&self) -> bool {
        let reads = || self.statements.iter().all(Statement::is_read);
        self.once.is_none() && (self.read_only || reads())
    }

    fn is_temporary(reply: &Reply) -> bool {
        matches!(&reply.result, Err(error) if error.is_temporary())
    }
}

impl Statement {
    /// Returns true if the statement is recognized as one that changes nothing: it begins with SELECT or the like, and
    /// contains no word that changes something.
    pub fn is_read(&self) -> bool {
        is_read(&self.text)
    }

    /// Returns true if a parameter is a secret.
    pub fn has_secret(&self) -> bool {
        self.params.iter().any(|param| matches!(param, Param::Secret(_)))
    }

    /// Returns the values of the parameters. `earlier` are the results of the statements before this one.
    ///
    /// # Errors
    /// `invalid` if a parameter refers to a cell that does not exist.
    pub fn resolved_params(&self, earlier: &[Rows]) -> Result<Vec<SqlValue>, EffectError> {
        let resolve = |(param, number): (&Param, usize)| match param {
            Param::Value(value) | Param::Secret(value) => Ok(value.clone()),
            Param::Out { statement, column } => {
                let cell = earlier.get(usize::from(*statement)).and_then(|rows| rows.cell(0, column));
                cell.cloned().ok_or_else(|| {
                    let message = format!(
                        "parameter ${number} refers to column {column} of the first row of statement {statement}, \
                         which does not exist"
                    );
                    EffectError::new(EffectErrorKind::Invalid, message)
                })
            }
        };
        self.params.iter().zip(1..).map(resolve).collect()
    }
}
