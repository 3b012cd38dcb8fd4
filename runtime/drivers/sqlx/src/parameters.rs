//! Parameters: in the binary form, which is the only one that sqlx sends.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo, PgValueFormat};
use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Row as _, Type, ValueRef as _};
use zerver::effects::sql::SqlValue;
use zerver::prelude::*;
use zerver_postgres_values::{Parameter, check_count, to_binary};

use crate::error_mapping::{Stop, before_sending};
use crate::server_type::{cast_target, server_type};

/// The bytes of a parameter, or `None` for NULL.
struct Raw {
    bytes: Option<Vec<u8>>,
    info: PgTypeInfo,
}

impl Type<Postgres> for Raw {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("unknown")
    }
}

impl Encode<'_, Postgres> for Raw {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match &self.bytes {
            Some(bytes) => {
                buffer.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(self.info.clone())
    }
}

/// Converts the values of parameters to the types that a statement has for them. Text for a type that only the server can
/// parse, such as an interval, costs a round trip.
pub(crate) async fn encode(
    connection: &mut PgConnection,
    values: &[SqlValue],
    types: &[PgTypeInfo],
) -> Result<PgArguments, Stop> {
    check_count(values.len(), types.len())?;
    let mut arguments = PgArguments::default();
    for ((value, info), number) in values.iter().zip(types).zip(1..) {
        let ty = server_type(info);
        let bytes = match to_binary(value, &ty) {
            Some(bytes) => Some(bytes),
            None => match Parameter::new(value, &ty, number)?.as_text() {
                Some(text) => Some(convert(connection, text, info).await?),
                None => None,
            },
        };
        let added = Arguments::add(&mut arguments, Raw { bytes, info: info.clone() });
        added.map_err(|error| EffectError::new(EffectErrorKind::Invalid, error.to_string()))?;
    }
    Ok(arguments)
}

/// Has the server convert text to a type, and returns the binary form.
async fn convert(connection: &mut PgConnection, text: &str, info: &PgTypeInfo) -> Result<Vec<u8>, Stop> {
    let cast = AssertSqlSafe(format!("select $1::pg_catalog.text::{}", cast_target(info)));
    let row = sqlx::query(cast).bind(text).fetch_one(connection).await;
    let row = row.map_err(|error| before_sending(&error))?;
    let value = row.try_get_raw(0).map_err(|error| before_sending(&error))?;
    let is_binary = !value.is_null() && value.format() == PgValueFormat::Binary;
    let bytes = value.as_bytes().ok().filter(|_| is_binary);
    let malformed = || EffectError::new(EffectErrorKind::Malformed, "the server did not convert a parameter");
    Ok(bytes.ok_or_else(malformed)?.to_vec())
}
