//! Shapes as text on one line, for the catalog and for hashes: it must not change without need.

use std::fmt::{self, Formatter};

use super::samples::ShapeFormat;
use super::shape_type::Shape;

/// Writes the shape like a type: `NewTodo { title: text, tags?: [text] }`. A `?` follows a field that may be absent.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("bool"),
            Self::Integer { bits, is_signed } => write!(f, "{}{bits}", if *is_signed { "i" } else { "u" }),
            Self::Number => f.write_str("number"),
            Self::Text(format) => f.write_str(format.as_str()),
            Self::Bytes => f.write_str("bytes"),
            Self::Optional(inner) => write!(f, "{inner} or null"),
            Self::List(item) => write!(f, "[{item}]"),
            Self::Tuple(parts) => {
                f.write_str("(")?;
                separated(f, parts, ", ", |f, part| write!(f, "{part}"))?;
                f.write_str(")")
            }
            Self::Map(value) => write!(f, "map of {value}"),
            Self::Object => f.write_str("object"),
            Self::Struct { name, fields } => {
                write!(f, "{name} {{ ")?;
                separated(f, fields, ", ", |f, field| {
                    write!(f, "{}{}: {}", field.name, if field.is_required { "" } else { "?" }, field.shape)
                })?;
                f.write_str(" }")
            }
            Self::Choice { name, variants } => {
                write!(f, "{name} < ")?;
                separated(f, variants, " | ", |f, (name, shape)| match shape {
                    Self::Null => f.write_str(name),
                    shape => write!(f, "{name}: {shape}"),
                })?;
                f.write_str(" >")
            }
            Self::Recursive(name) => write!(f, "{name} again"),
        }
    }
}

fn separated<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    separator: &str,
    write: impl Fn(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write(f, item)?;
    }
    Ok(())
}

impl ShapeFormat {
    /// Returns its name, which is that of JSON Schema if that has one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "text",
            Self::Uuid => "uuid",
            Self::DateTime => "date-time",
            Self::Date => "date",
            Self::Time => "time",
            Self::Duration => "duration",
            Self::Uri => "uri",
            Self::Email => "email",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}
