//! Answers of databases: the results of the statements, or an error.

use std::fmt;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zerver_engine::{EffectError, EffectErrorKind, Failure};

use super::recorded_rows::RecordedRows;
use super::rows::Rows;
use super::sql_error::SqlError;

/// Answer of a database to the statements of one effect.
///
/// Tests can use [`Rows`], a list of them, or a [`SqlError`] in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Number of attempts. Only a transaction has more than one.
    pub attempts: u32,
    /// Result of each statement, or the error of the one that failed.
    pub result: Result<Vec<Rows>, SqlError>,
}

impl Reply {
    /// Creates an answer to the first attempt.
    pub const fn new(result: Result<Vec<Rows>, SqlError>) -> Self {
        Self { attempts: 1, result }
    }

    /// Returns the result of each statement.
    ///
    /// # Errors
    /// The failure for the error of the database ([`SqlError::to_failure`]).
    pub fn results(&self) -> Result<&[Rows], Failure> {
        self.result.as_deref().map_err(SqlError::to_failure)
    }
}

/// Converts the error of an effect that has no answer into the failure that a flow reports.
pub(super) fn effect_failure(error: &EffectError) -> Failure {
    match error.kind {
        // The database is a part of the service: a result that does not fit is an error of the service.
        EffectErrorKind::Malformed | EffectErrorKind::TooLarge => Failure::internal("sql").because(error),
        _ => Failure::from_effect("sql", error),
    }
}

/// Writes `3 rows`, `1 row affected` or `error 23505: ..`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.result {
            Err(error) => error.fmt(f)?,
            Ok(results) => {
                for (at, rows) in results.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    rows.fmt(f)?;
                }
            }
        }
        if self.attempts > 1 { write!(f, " ({} attempts)", self.attempts) } else { Ok(()) }
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename = "Reply")]
        struct Shown<'r> {
            attempts: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            results: Option<&'r [Rows]>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'r SqlError>,
        }
        let Self { attempts, result } = self;
        let (results, error) = (result.as_deref().ok(), result.as_ref().err());
        Shown { attempts: *attempts, results, error }.serialize(serializer)
    }
}

/// Reads an answer. Its fields are also looked for at the top, so that rows or an error alone are an answer.
struct ReplyVisitor;

impl<'de> Visitor<'de> for ReplyVisitor {
    type Value = Reply;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer of a database")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, results: A) -> Result<Reply, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(results)).map(|rows| Reply::new(Ok(rows)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Reply, A::Error> {
        let (mut attempts, mut results, mut error) = (1, None, None::<SqlError>);
        let mut rows = RecordedRows::default();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "attempts" => attempts = fields.next_value()?,
                "results" => results = fields.next_value::<Option<Vec<Rows>>>()?,
                "error" => error = fields.next_value()?,
                "sqlstate" => error.get_or_insert_default().sqlstate = fields.next_value()?,
                "message" => error.get_or_insert_default().message = fields.next_value()?,
                "detail" => error.get_or_insert_default().detail = fields.next_value()?,
                "hint" => error.get_or_insert_default().hint = fields.next_value()?,
                "constraint" => error.get_or_insert_default().constraint = fields.next_value()?,
                "table" => error.get_or_insert_default().table = fields.next_value()?,
                "column" => error.get_or_insert_default().column = fields.next_value()?,
                "position" => error.get_or_insert_default().position = fields.next_value()?,
                "statement" => error.get_or_insert_default().statement = fields.next_value()?,
                "columns" => rows.columns = fields.next_value()?,
                "rows" => rows.rows = fields.next_value()?,
                "affected" => rows.affected = fields.next_value()?,
                "truncated" => rows.truncated = fields.next_value()?,
                other => return Err(A::Error::custom(format_args!("an answer has no field {other}"))),
            }
        }
        let result = match error {
            Some(error) => Err(error),
            None => Ok(match results {
                Some(results) => results,
                None => vec![Rows::try_from(rows).map_err(A::Error::custom)?],
            }),
        };
        Ok(Reply { attempts, result })
    }
}

impl<'de> Deserialize<'de> for Reply {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReplyVisitor)
    }
}
