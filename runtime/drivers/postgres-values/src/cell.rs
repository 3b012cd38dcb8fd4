//! Cells from the binary form of the server's types.

use std::error::Error;
use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use postgres_types::{FromSql, Kind, Type};
use zerver::effects::sql::{Date, SqlValue, Time, Timestamp, Uuid};

use crate::numeric;

/// Distance between the Unix epoch and PostgreSQL's, 2000-01-01.
pub(crate) const EPOCH_DAYS: i32 = 10_957;
pub(crate) const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400 * 1_000_000;

/// Maximum nesting of an array in PostgreSQL.
pub(crate) const MAX_DIMENSIONS: i32 = 6;

/// The bytes of a cell, or `None` for NULL.
#[derive(Debug)]
pub struct RawCell<'r>(pub Option<&'r [u8]>);

impl<'r> FromSql<'r> for RawCell<'r> {
    fn from_sql(_type: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Some(raw)))
    }

    fn from_sql_null(_type: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(None))
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}

impl RawCell<'_> {
    /// Converts the cell.
    ///
    /// # Errors
    /// The reason, without the column.
    pub fn decode(&self, ty: &Type) -> Result<SqlValue, String> {
        match self.0 {
            Some(raw) => decode(ty, raw),
            None => Ok(SqlValue::Null),
        }
    }
}

fn decode(ty: &Type, raw: &[u8]) -> Result<SqlValue, String> {
    match ty.kind() {
        Kind::Domain(inner) => return decode(inner, raw),
        Kind::Enum(_) => return text(raw).map(SqlValue::Text),
        Kind::Array(inner) => return array(inner, raw),
        _ => {}
    }
    Ok(match *ty {
        Type::BOOL => SqlValue::Bool(fixed::<1>(raw)? != [0]),
        Type::INT2 => SqlValue::Int(i16::from_be_bytes(fixed(raw)?).into()),
        Type::INT4 => SqlValue::Int(i32::from_be_bytes(fixed(raw)?).into()),
        Type::INT8 => SqlValue::Int(i64::from_be_bytes(fixed(raw)?)),
        Type::OID | Type::XID | Type::CID | Type::REGCLASS | Type::REGTYPE | Type::REGPROC => {
            SqlValue::Int(u32::from_be_bytes(fixed(raw)?).into())
        }
        Type::FLOAT4 => SqlValue::Float(f32::from_be_bytes(fixed(raw)?).into()),
        Type::FLOAT8 => SqlValue::Float(f64::from_be_bytes(fixed(raw)?)),
        Type::NUMERIC => SqlValue::Numeric(numeric::to_text(raw).ok_or_else(malformed)?),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN | Type::XML | Type::CHAR => {
            SqlValue::Text(text(raw)?)
        }
        Type::BYTEA => SqlValue::Bytes(Bytes::copy_from_slice(raw)),
        Type::JSON => SqlValue::Json(text(raw)?),
        Type::JSONB => match raw {
            [1, json @ ..] => SqlValue::Json(text(json)?),
            _ => return Err(malformed()),
        },
        Type::UUID => SqlValue::Uuid(Uuid(fixed(raw)?)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => {
            SqlValue::Timestamp(timestamp(i64::from_be_bytes(fixed(raw)?))?)
        }
        Type::DATE => SqlValue::Date(date(i32::from_be_bytes(fixed(raw)?))?),
        Type::TIME => SqlValue::Time(Time(i64::from_be_bytes(fixed(raw)?))),
        Type::TIMETZ => SqlValue::Text(time_with_zone(fixed(raw)?)),
        Type::INTERVAL => SqlValue::Text(interval(fixed(raw)?)),
        Type::INET | Type::CIDR => SqlValue::Text(address(raw, *ty == Type::CIDR).ok_or_else(malformed)?),
        Type::MACADDR | Type::MACADDR8 => {
            let bytes: Vec<_> = raw.iter().map(|byte| format!("{byte:02x}")).collect();
            SqlValue::Text(bytes.join(":"))
        }
        Type::BIT | Type::VARBIT => SqlValue::Text(bits(raw).ok_or_else(malformed)?),
        Type::VOID => SqlValue::Null,
        // An extension, whose number differs from database to database.
        _ if ty.name() == "citext" => SqlValue::Text(text(raw)?),
        _ => return Err(format!("values of type {ty} cannot be read: select it as text, with column::text")),
    })
}

fn malformed() -> String {
    "the value is malformed".to_owned()
}

fn fixed<const N: usize>(raw: &[u8]) -> Result<[u8; N], String> {
    raw.try_into().map_err(|_| malformed())
}

fn text(raw: &[u8]) -> Result<String, String> {
    str::from_utf8(raw).map(str::to_owned).map_err(|_| "the text is not UTF-8".to_owned())
}

fn timestamp(micros: i64) -> Result<Timestamp, String> {
    match micros {
        i64::MAX => Ok(Timestamp::INFINITY),
        i64::MIN => Ok(Timestamp::NEG_INFINITY),
        _ => micros
            .checked_add(EPOCH_MICROS)
            .map(Timestamp)
            .ok_or_else(|| "the time is out of range".to_owned()),
    }
}

fn date(days: i32) -> Result<Date, String> {
    match days {
        i32::MAX => Ok(Date::INFINITY),
        i32::MIN => Ok(Date::NEG_INFINITY),
        _ => days.checked_add(EPOCH_DAYS).map(Date).ok_or_else(|| "the day is out of range".to_owned()),
    }
}

/// Writes `10:00:00+02:00`. The server counts zones to the west.
fn time_with_zone(raw: [u8; 12]) -> String {
    let [time @ .., a, b, c, d] = raw;
    let east = -i32::from_be_bytes([a, b, c, d]);
    let sign = if east < 0 { '-' } else { '+' };
    let minutes = east.abs() / 60;
    format!("{}{sign}{:02}:{:02}", Time(i64::from_be_bytes(time)), minutes / 60, minutes % 60)
}

/// Writes the form of ISO 8601: `P1Y2M3DT4H5M6.5S`.
fn interval(raw: [u8; 16]) -> String {
    let [m0, m1, m2, m3, m4, m5, m6, m7, d0, d1, d2, d3, months @ ..] = raw;
    let micros = i64::from_be_bytes([m0, m1, m2, m3, m4, m5, m6, m7]);
    let days = i32::from_be_bytes([d0, d1, d2, d3]);
    let months = i32::from_be_bytes(months);
    let mut text = "P".to_owned();
    for (count, unit) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
        if count != 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if micros != 0 || text == "P" {
        text.push('T');
        let (seconds, fraction) = (micros / 1_000_000, (micros % 1_000_000).abs());
        for (count, unit) in [(seconds / 3600, 'H'), (seconds / 60 % 60, 'M')] {
            if count != 0 {
                text.push_str(&format!("{count}{unit}"));
            }
        }
        if seconds % 60 != 0 || fraction != 0 || text.ends_with('T') {
            let sign = if micros < 0 { "-" } else { "" };
            let digits = format!("{}.{fraction:06}", (seconds % 60).abs());
            text.push_str(&format!("{sign}{}S", digits.trim_end_matches('0').trim_end_matches('.')));
        }
    }
    text
}

/// Writes `10.0.0.1` or `10.0.0.0/8`.
fn address(raw: &[u8], is_network: bool) -> Option<String> {
    let [family, prefix, _, _, bytes @ ..] = raw else { return None };
    let (address, all) = match family {
        2 => (Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).to_string(), 32),
        3 => (Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).to_string(), 128),
        _ => return None,
    };
    Some(if *prefix == all && !is_network { address } else { format!("{address}/{prefix}") })
}

/// Writes bits as digits.
fn bits(raw: &[u8]) -> Option<String> {
    let (len, bytes) = raw.split_first_chunk::<4>()?;
    let len = usize::try_from(i32::from_be_bytes(*len)).ok()?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:08b}")).collect();
    digits.get(..len).map(str::to_owned)
}

/// Reads an array. Each dimension after the first is an array of arrays.
fn array(inner: &Type, raw: &[u8]) -> Result<SqlValue, String> {
    let mut rest = raw;
    let dimensions = take_i32(&mut rest)?;
    let (_has_nulls, _type) = (take_i32(&mut rest)?, take_i32(&mut rest)?);
    if !(0..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(malformed());
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(take_i32(&mut rest)?);
        let _lower_bound = take_i32(&mut rest)?;
    }
    if lengths.is_empty() {
        return Ok(SqlValue::Array(Vec::new()));
    }
    elements(inner, &lengths, &mut rest)
}

fn elements(inner: &Type, lengths: &[i32], rest: &mut &[u8]) -> Result<SqlValue, String> {
    let Some((&len, nested)) = lengths.split_first() else {
        let len = take_i32(rest)?;
        if len < 0 {
            return Ok(SqlValue::Null);
        }
        let len = usize::try_from(len).map_err(|_| malformed())?;
        let (raw, after) = rest.split_at_checked(len).ok_or_else(malformed)?;
        *rest = after;
        return decode(inner, raw);
    };
    (0..len).map(|_| elements(inner, nested, rest)).collect::<Result<_, _>>().map(SqlValue::Array)
}

fn take_i32(rest: &mut &[u8]) -> Result<i32, String> {
    let (bytes, after) = rest.split_first_chunk().ok_or_else(malformed)?;
    *rest = after;
    Ok(i32::from_be_bytes(*bytes))
}
