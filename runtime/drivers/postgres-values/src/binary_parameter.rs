//! Parameters in the binary form of the types that the server expects, for clients that send no other form.

use bytes::BufMut as _;
use postgres_types::{Kind, Type};
use zerver::effects::sql::{Date, SqlValue, Timestamp};

use crate::cell::{EPOCH_DAYS, EPOCH_MICROS, MAX_DIMENSIONS};
use crate::numeric;

/// Days from 2000-01-01 that the type `date` has.
const DAYS: std::ops::Range<i32> = -2_451_545..2_145_031_949;

/// Microseconds from 2000-01-01 that timestamps have.
const MICROS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Microseconds of a day, including its end.
const DAY: std::ops::RangeInclusive<i64> = 0..=86_400_000_000;

/// Converts a value other than NULL. Returns `None` if it does not fit the type, or if only the server can convert it,
/// such as text to an interval; then [`Parameter::new`](crate::Parameter::new) returns the reason or the text.
pub fn to_binary(value: &SqlValue, ty: &Type) -> Option<Vec<u8>> {
    if let Kind::Domain(inner) = ty.kind() {
        return to_binary(value, inner);
    }
    Some(match value {
        SqlValue::Bool(value) if *ty == Type::BOOL => vec![u8::from(*value)],
        SqlValue::Int(number) => return int(*number, ty),
        SqlValue::Float(number) => return float(*number, ty),
        SqlValue::Numeric(text) if *ty == Type::NUMERIC => numeric::from_text(text)?,
        SqlValue::Text(text) => return self::text(text, ty),
        SqlValue::Json(text) if [Type::JSON, Type::JSONB].contains(ty) => return self::text(text, ty),
        SqlValue::Bytes(bytes) if *ty == Type::BYTEA => bytes.to_vec(),
        SqlValue::Timestamp(time) if [Type::TIMESTAMP, Type::TIMESTAMPTZ].contains(ty) => {
            timestamp(*time)?.to_be_bytes().to_vec()
        }
        SqlValue::Date(day) if *ty == Type::DATE => date(*day)?.to_be_bytes().to_vec(),
        SqlValue::Time(time) if *ty == Type::TIME && DAY.contains(&time.0) => time.0.to_be_bytes().to_vec(),
        SqlValue::Uuid(uuid) if *ty == Type::UUID => uuid.0.to_vec(),
        SqlValue::Array(items) => match ty.kind() {
            Kind::Array(inner) => return array(items, inner),
            _ => return None,
        },
        _ => return None,
    })
}

fn int(number: i64, ty: &Type) -> Option<Vec<u8>> {
    #[expect(clippy::cast_precision_loss, reason = "as the server rounds the text")]
    let (single, double) = (number as f32, number as f64);
    Some(match *ty {
        Type::INT2 => i16::try_from(number).ok()?.to_be_bytes().to_vec(),
        Type::INT4 => i32::try_from(number).ok()?.to_be_bytes().to_vec(),
        Type::INT8 => number.to_be_bytes().to_vec(),
        Type::OID => u32::try_from(number).ok()?.to_be_bytes().to_vec(),
        Type::FLOAT4 => single.to_be_bytes().to_vec(),
        Type::FLOAT8 => double.to_be_bytes().to_vec(),
        Type::NUMERIC => numeric::from_text(&number.to_string())?,
        _ => return None,
    })
}

fn float(number: f64, ty: &Type) -> Option<Vec<u8>> {
    Some(match *ty {
        Type::FLOAT8 => number.to_be_bytes().to_vec(),
        Type::FLOAT4 => {
            // The shortest text is rounded, as the server does it, and not the number itself.
            let single: f32 = number.to_string().parse().ok()?;
            let is_lost = (single.is_infinite() && number.is_finite()) || (single == 0.0 && number != 0.0);
            (!is_lost).then(|| single.to_be_bytes().to_vec())?
        }
        Type::NUMERIC if number.is_finite() => numeric::from_text(&number.to_string())?,
        _ => return None,
    })
}

/// Converts text for types whose binary form it is.
fn text(text: &str, ty: &Type) -> Option<Vec<u8>> {
    let is_text = [Type::TEXT, Type::VARCHAR, Type::BPCHAR, Type::NAME, Type::UNKNOWN, Type::JSON]
        .contains(ty)
        || matches!(ty.kind(), Kind::Enum(_))
        || ty.name() == "citext";
    if text.contains('\0') {
        return None;
    }
    match *ty {
        Type::JSONB => Some([&[1], text.as_bytes()].concat()),
        _ => is_text.then(|| text.as_bytes().to_vec()),
    }
}

fn timestamp(time: Timestamp) -> Option<i64> {
    match time {
        Timestamp::INFINITY => Some(i64::MAX),
        Timestamp::NEG_INFINITY => Some(i64::MIN),
        Timestamp(micros) => micros.checked_sub(EPOCH_MICROS).filter(|micros| MICROS.contains(micros)),
    }
}

fn date(day: Date) -> Option<i32> {
    match day {
        Date::INFINITY => Some(i32::MAX),
        Date::NEG_INFINITY => Some(i32::MIN),
        Date(days) => days.checked_sub(EPOCH_DAYS).filter(|days| DAYS.contains(days)),
    }
}

/// Converts an array whose parts have equal lengths.
fn array(items: &[SqlValue], inner: &Type) -> Option<Vec<u8>> {
    let lengths = lengths(items)?;
    let mut elements = Vec::new();
    let mut has_null = false;
    write_elements(items, &lengths, inner, &mut elements, &mut has_null)?;
    let mut out = Vec::with_capacity(elements.len() + 28);
    out.put_i32(i32::try_from(lengths.len()).ok()?);
    out.put_i32(i32::from(has_null));
    out.put_u32(inner.oid());
    for len in lengths {
        out.put_i32(i32::try_from(len).ok()?);
        out.put_i32(1);
    }
    out.put_slice(&elements);
    Some(out)
}

/// Returns the length of each dimension, of which an empty array has none.
fn lengths(items: &[SqlValue]) -> Option<Vec<usize>> {
    let mut lengths = Vec::new();
    let mut items = items;
    while !items.is_empty() {
        lengths.push(items.len());
        match &items[0] {
            SqlValue::Array(nested) if nested.is_empty() => return None,
            SqlValue::Array(nested) => items = nested,
            _ => break,
        }
    }
    (i32::try_from(lengths.len()).ok()? <= MAX_DIMENSIONS).then_some(lengths)
}

fn write_elements(
    items: &[SqlValue],
    lengths: &[usize],
    inner: &Type,
    out: &mut Vec<u8>,
    has_null: &mut bool,
) -> Option<()> {
    let Some((&len, nested)) = lengths.split_first() else { return Some(()) };
    if items.len() != len {
        return None;
    }
    for item in items {
        match item {
            SqlValue::Array(items) if !nested.is_empty() => {
                write_elements(items, nested, inner, out, has_null)?
            }
            SqlValue::Array(_) => return None,
            _ if !nested.is_empty() => return None,
            SqlValue::Null => {
                *has_null = true;
                out.put_i32(-1);
            }
            item => {
                let bytes = to_binary(item, inner)?;
                out.put_i32(i32::try_from(bytes.len()).ok()?);
                out.put_slice(&bytes);
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RawCell;

    fn round_trip(value: &SqlValue, ty: &Type) {
        let bytes = to_binary(value, ty).unwrap_or_else(|| panic!("{ty}: {value}"));
        assert_eq!(RawCell(Some(&bytes)).decode(ty).as_ref(), Ok(value), "{ty}");
    }

    #[test]
    fn a_value_is_read_as_it_was_written() {
        let text = |text: &str| SqlValue::Text(text.to_owned());
        round_trip(&SqlValue::Bool(true), &Type::BOOL);
        round_trip(&SqlValue::Int(-2), &Type::INT2);
        round_trip(&SqlValue::Float(0.1f32.into()), &Type::FLOAT4);
        round_trip(&SqlValue::Float(f64::NAN), &Type::FLOAT8);
        round_trip(&SqlValue::Timestamp(Timestamp(-1)), &Type::TIMESTAMPTZ);
        round_trip(&SqlValue::Timestamp(Timestamp::INFINITY), &Type::TIMESTAMP);
        round_trip(&SqlValue::Date(Date::NEG_INFINITY), &Type::DATE);
        round_trip(&SqlValue::Json("{}".to_owned()), &Type::JSONB);
        let rows = |rows: [[&str; 2]; 2]| {
            SqlValue::Array(
                rows.iter().map(|row| SqlValue::Array(row.iter().map(|cell| text(cell)).collect())).collect(),
            )
        };
        round_trip(&rows([["a", ""], ["{", "NULL"]]), &Type::TEXT_ARRAY);
        round_trip(&SqlValue::Array(vec![SqlValue::Null, SqlValue::Int(3)]), &Type::INT8_ARRAY);
        round_trip(&SqlValue::Array(Vec::new()), &Type::INT8_ARRAY);
    }

    #[test]
    fn what_only_the_server_can_convert_is_left_to_it() {
        let text = |text: &str| SqlValue::Text(text.to_owned());
        for (value, ty) in [
            (text("1 day"), Type::INTERVAL),
            (text("a\0b"), Type::TEXT),
            (SqlValue::Int(70_000), Type::INT2),
            (SqlValue::Float(1e300), Type::FLOAT4),
            (SqlValue::Float(1e-300), Type::FLOAT4),
            (SqlValue::Numeric("1.5".to_owned()), Type::INT4),
            (SqlValue::Date(Date(0)), Type::TIMESTAMPTZ),
            (SqlValue::Date(Date(i32::MAX - 1)), Type::DATE),
            (SqlValue::Timestamp(Timestamp(EPOCH_MICROS + MICROS.start - 1)), Type::TIMESTAMP),
            (SqlValue::Timestamp(Timestamp(i64::MIN + 1)), Type::TIMESTAMP),
            (SqlValue::Array(vec![SqlValue::Array(vec![])]), Type::INT4_ARRAY),
            (
                SqlValue::Array(vec![SqlValue::Array(vec![SqlValue::Int(1)]), SqlValue::Int(1)]),
                Type::INT4_ARRAY,
            ),
        ] {
            assert_eq!(to_binary(&value, &ty), None, "{ty}");
        }
    }
}
