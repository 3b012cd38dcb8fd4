//! Parameters in the text form of the types that the server expects.

use std::error::Error;
use std::fmt::Write as _;

use bytes::{BufMut as _, BytesMut};
use postgres_types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};
use zerver::effects::sql::{Date, SqlValue, Timestamp};
use zerver::prelude::*;

/// A parameter as text that the server parses, or NULL.
#[derive(Debug)]
pub struct Parameter(Option<String>);

impl ToSql for Parameter {
    fn to_sql(&self, _type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.put_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_type: &Type) -> bool {
        true
    }

    fn encode_format(&self, _type: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

impl Parameter {
    /// Converts the value of the parameter with this number, from 1, to the type that the statement has for it.
    ///
    /// # Errors
    /// `invalid` if the value does not fit.
    pub fn new(value: &SqlValue, ty: &Type, number: usize) -> Result<Self, EffectError> {
        text(value, ty).map(Parameter).map_err(|reason| {
            invalid(format!("parameter ${number}, for which the server expects {ty}, is {value}: {reason}"))
        })
    }

    /// Returns the text, or `None` for NULL.
    pub fn as_text(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Converts the values of parameters to the types that a statement has for them.
///
/// # Errors
/// `invalid` if a value does not fit, or there are too few or too many of them.
pub fn parameters(values: &[SqlValue], types: &[Type]) -> Result<Vec<Parameter>, EffectError> {
    check_count(values.len(), types.len())?;
    let convert = |((value, ty), number)| Parameter::new(value, ty, number);
    values.iter().zip(types).zip(1..).map(convert).collect()
}

/// Checks that as many values are bound as the statement has parameters.
///
/// # Errors
/// `invalid` if not.
pub fn check_count(bound: usize, expected: usize) -> Result<(), EffectError> {
    if bound == expected {
        return Ok(());
    }
    Err(invalid(format!("the statement has {expected} parameters, but {bound} are bound")))
}

fn invalid(message: String) -> EffectError {
    EffectError::new(EffectErrorKind::Invalid, message)
}

/// Returns the text of a value for a type, or `None` for NULL.
fn text(value: &SqlValue, ty: &Type) -> Result<Option<String>, String> {
    if let Kind::Domain(inner) = ty.kind() {
        return text(value, inner);
    }
    let mismatch =
        || Err(format!("bind another type, or convert in the statement: $n::{}", value.type_name()));
    let text = match value {
        SqlValue::Null => return Ok(None),
        SqlValue::Bool(value) if *ty == Type::BOOL => if *value { "t" } else { "f" }.to_owned(),
        SqlValue::Int(number) => match *ty {
            Type::INT2 => in_range::<i16>(*number)?,
            Type::INT4 => in_range::<i32>(*number)?,
            Type::OID => in_range::<u32>(*number)?,
            Type::INT8 | Type::NUMERIC | Type::FLOAT4 | Type::FLOAT8 => number.to_string(),
            _ => return mismatch(),
        },
        SqlValue::Float(number) if [Type::FLOAT4, Type::FLOAT8, Type::NUMERIC].contains(ty) => float(*number),
        SqlValue::Numeric(text) if is_number(ty) => text.clone(),
        SqlValue::Text(text) if *ty != Type::BYTEA => text.clone(),
        SqlValue::Json(text) if [Type::JSON, Type::JSONB].contains(ty) => text.clone(),
        SqlValue::Bytes(bytes) if *ty == Type::BYTEA => {
            bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
        }
        SqlValue::Timestamp(time) if [Type::TIMESTAMPTZ, Type::TIMESTAMP].contains(ty) => timestamp(*time),
        SqlValue::Date(day) if [Type::DATE, Type::TIMESTAMPTZ, Type::TIMESTAMP].contains(ty) => date(*day),
        SqlValue::Time(time) if [Type::TIME, Type::TIMETZ].contains(ty) => time.to_string(),
        SqlValue::Uuid(uuid) if *ty == Type::UUID => uuid.to_string(),
        SqlValue::Array(items) => match ty.kind() {
            Kind::Array(inner) => array(items, inner)?,
            _ => return mismatch(),
        },
        _ => return mismatch(),
    };
    if text.contains('\0') {
        return Err("it contains NUL, which text of PostgreSQL cannot: bind bytes to a bytea".to_owned());
    }
    Ok(Some(text))
}

fn is_number(ty: &Type) -> bool {
    [Type::INT2, Type::INT4, Type::INT8, Type::FLOAT4, Type::FLOAT8, Type::NUMERIC].contains(ty)
}

fn in_range<T: TryFrom<i64>>(number: i64) -> Result<String, String> {
    T::try_from(number).map(|_| number.to_string()).map_err(|_| "it is out of range".to_owned())
}

fn float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    number.to_string()
}

/// PostgreSQL writes years before 1 as years before Christ, of which there is no year 0.
fn date(day: Date) -> String {
    match day.civil() {
        _ if day == Date::INFINITY || day == Date::NEG_INFINITY => day.to_string(),
        (year, month, day) if year <= 0 => format!("{:04}-{month:02}-{day:02} BC", 1 - year),
        _ => day.to_string(),
    }
}

fn timestamp(time: Timestamp) -> String {
    let text = time.to_string();
    match text.split_once('T') {
        Some((day, clock)) if day.starts_with('-') || day.starts_with("0000") => {
            let day = day.parse::<Date>().map_or_else(|_| day.to_owned(), date);
            format!("{} {clock} BC", day.trim_end_matches(" BC"))
        }
        _ => text,
    }
}

/// Returns the literal of an array, with all elements quoted.
fn array(items: &[SqlValue], inner: &Type) -> Result<String, String> {
    let mut literal = "{".to_owned();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            literal.push(',');
        }
        if let SqlValue::Array(nested) = item {
            literal.push_str(&array(nested, inner)?);
            continue;
        }
        match text(item, inner).map_err(|reason| format!("element {at}: {reason}"))? {
            None => literal.push_str("NULL"),
            Some(text) => {
                literal.push('"');
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        literal.push('\\');
                    }
                    literal.push(c);
                }
                literal.push('"');
            }
        }
    }
    literal.push('}');
    Ok(literal)
}
