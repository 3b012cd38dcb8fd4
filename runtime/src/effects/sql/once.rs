//! Statements that are performed once: their key, and the answer that the database keeps with it, for drivers.

use zerver_engine::{EffectError, EffectErrorKind};
use zerver_trace::Value;

use super::reply::Reply;
use super::sql_error::SqlError;
use super::sql_kind::Sql;
use super::value::Param;

/// Maximum length of a key, in bytes. A database must be able to index it.
const MAX_KEY_LEN: usize = 255;

/// Key of statements that are performed once, for drivers.
///
/// A driver performs the statements in a transaction that also adds a row to the table [`TABLE`](Self::TABLE), with the
/// [`key`](Self::key), the [`fingerprint`](Self::fingerprint) and the [`answer`](Self::encode). If the key exists, it
/// performs nothing and returns the answer that was kept ([`decode`](Self::decode)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once<'s> {
    key: &'s str,
    fingerprint: String,
}

impl Sql {
    /// Returns the key under which the statements are performed once, if they have one.
    ///
    /// # Errors
    /// `invalid` if the key is empty or longer than 255 bytes, or the statements were declared as ones that only read.
    pub fn once(&self) -> Result<Option<Once<'_>>, EffectError> {
        let Some(key) = self.once.as_deref() else { return Ok(None) };
        let invalid = |message: String| Err(EffectError::new(EffectErrorKind::Invalid, message));
        if key.is_empty() || key.len() > MAX_KEY_LEN {
            let len = key.len();
            return invalid(format!(
                "the key of `once` has {len} bytes: use 1 to {MAX_KEY_LEN}, such as a hash"
            ));
        }
        if self.read_only {
            return invalid("statements that only read need no `once`: remove it, or `read_only`".to_owned());
        }
        Ok(Some(Once { key, fingerprint: fingerprint(self)? }))
    }
}

impl Once<'_> {
    /// Name of the table of keys.
    pub const TABLE: &'static str = "zerver_done";

    /// Returns the key.
    pub const fn key(&self) -> &str {
        self.key
    }

    /// Returns a hash of the statements. It distinguishes a repeated call from another one with the same key.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Encodes the answer to be kept with the key.
    ///
    /// # Errors
    /// `too_large` if it has more than 256 KiB, the maximum size of a value in a trace.
    pub fn encode(&self, reply: &Reply) -> Result<Vec<u8>, EffectError> {
        let value = Value::from_serialize(reply).map_err(|error| {
            let message = format!("the answer cannot be kept for `once`: {error}; nothing was committed");
            EffectError::new(EffectErrorKind::TooLarge, message)
        })?;
        Ok(value.tokens().to_vec())
    }

    /// Returns the answer that was kept with the key, or the error [`SqlError::KEY_REUSED`] if it is that of other
    /// statements.
    ///
    /// # Errors
    /// `malformed` if something else has written the row.
    pub fn decode(&self, fingerprint: &str, answer: Option<Vec<u8>>) -> Result<Reply, EffectError> {
        let Self { key, fingerprint: expected } = self;
        if fingerprint != expected {
            let message = format!("the key {key:?} was used before, with other statements or parameters");
            return Ok(Reply::new(Err(SqlError::new(SqlError::KEY_REUSED, message))));
        }
        let malformed = |reason: &str| {
            let message = format!("the row of the key {key:?} in {} is not readable: {reason}", Self::TABLE);
            EffectError::new(EffectErrorKind::Malformed, message)
        };
        let answer = answer.ok_or_else(|| malformed("it has no answer"))?;
        let value = Value::from_tokens(answer).map_err(|error| malformed(&error.to_string()))?;
        value.to_typed().map_err(|error| malformed(&error.to_string()))
    }
}

/// Returns the hash of the name or the texts, and of the parameters. Secrets do not take part, so that they cannot be
/// guessed from the table. With a name, the text does not count, as in a replay: a new version of the service may word it
/// differently.
fn fingerprint(sql: &Sql) -> Result<String, EffectError> {
    let params = |params: &[Param]| {
        let shown = params.iter().map(|param| match param {
            Param::Secret(_) => Param::Secret(super::SqlValue::Null),
            other => other.clone(),
        });
        shown.collect::<Vec<_>>()
    };
    let texts = sql.name.is_none().then(|| sql.statements.iter().map(|statement| &statement.text).collect());
    let texts: Vec<_> = texts.unwrap_or_default();
    let params: Vec<_> = sql.statements.iter().map(|statement| params(&statement.params)).collect();
    let value = Value::from_serialize(&(&sql.name, texts, params)).map_err(|error| {
        EffectError::new(
            EffectErrorKind::TooLarge,
            format!("the parameters are too long for `once`: {error}"),
        )
    })?;
    Ok(blake3::hash(value.tokens()).to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use zerver_engine::EffectKind as _;

    use super::super::{Query, Rows, SqlValue, batch, query};
    use super::*;

    fn insert(id: i64, secret: &str) -> Query {
        query("insert into t values ($1, $2)").bind(id).bind_secret(secret.to_owned())
    }

    fn fingerprint_of(sql: &Sql) -> String {
        sql.once().unwrap().unwrap().fingerprint().to_owned()
    }

    #[test]
    fn a_key_makes_statements_idempotent_but_not_safe() {
        let sql = batch([query("select 1")]).once("k").into_kind();
        assert!(sql.is_idempotent() && !sql.is_safe());
        let alone = query("insert into t values (1)").once("k").into_kind();
        assert!(alone.is_idempotent() && alone.transaction.is_some());
        let named = |key: &'static str| insert(1, "a").named("n").once(key).into_kind().identity();
        assert!(named("k").is_some() && named("k") != named("l"));
        assert_ne!(named("k"), insert(1, "a").named("n").into_kind().identity());
    }

    #[test]
    fn a_key_must_fit() {
        let error = |query: Query| query.into_kind().once().unwrap_err().to_string();
        assert!(error(insert(1, "a").once("")).contains("has 0 bytes: use 1 to 255"));
        assert!(error(insert(1, "a").once("k".repeat(256))).contains("has 256 bytes"));
        assert!(error(insert(1, "a").once("k").read_only()).contains("need no `once`"));
        assert_eq!(insert(1, "a").into_kind().once(), Ok(None));
    }

    #[test]
    fn the_fingerprint_covers_what_is_not_secret() {
        let of = |id, secret: &str| fingerprint_of(&insert(id, secret).once("k").into_kind());
        assert_eq!(of(1, "a"), of(1, "b"));
        assert_ne!(of(1, "a"), of(2, "a"));
        let text = |text: &'static str| fingerprint_of(&query(text).once("k").into_kind());
        assert_ne!(text("insert into t values (1)"), text("insert into t  values (1)"));
        let named = |text: &'static str| fingerprint_of(&query(text).named("n").once("k").into_kind());
        assert_eq!(named("insert into t values (1)"), named("insert into t  values (1)"));
    }

    #[test]
    fn an_answer_is_kept_without_loss() {
        let sql = insert(1, "a").once("k").into_kind();
        let once = sql.once().unwrap().unwrap();
        let cells = [(f64::NAN, SqlValue::Bytes(vec![0, 255].into()), SqlValue::Numeric("1.50".to_owned()))];
        let rows = Rows::of(["a", "a", "b"], cells);
        let reply = Reply { attempts: 3, result: Ok(vec![rows, Rows::affecting(7)]) };
        let kept = once.encode(&reply).unwrap();
        assert_eq!(once.decode(once.fingerprint(), Some(kept.clone())), Ok(reply));
        let error = once.decode("other", Some(kept)).unwrap().result.unwrap_err();
        assert_eq!((error.sqlstate.as_str(), error.to_failure().status()), (SqlError::KEY_REUSED, 409));
        for answer in [None, Some(vec![]), Some(vec![0])] {
            let error = once.decode(once.fingerprint(), answer).unwrap_err();
            assert_eq!(error.kind, EffectErrorKind::Malformed);
        }
        let large = Reply::new(Ok(vec![Rows::of(["a"], [("x".repeat(300 * 1024),)])]));
        assert_eq!(once.encode(&large).unwrap_err().kind, EffectErrorKind::TooLarge);
    }
}
