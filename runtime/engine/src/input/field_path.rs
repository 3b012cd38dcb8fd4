//! Names the field of an input at which deserialization failed.

use std::fmt::Write;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_path_to_error::Segment;

use crate::failure::Failure;

/// Error of an input: where it is, and what is wrong.
#[derive(Debug)]
pub(super) struct InputError {
    /// Names and indices that lead to the value. Empty if the error concerns the whole input.
    segments: Vec<PathSegment>,
    message: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathSegment {
    Name(String),
    Index(usize),
}

/// Deserializes an input. `describe` returns the message of an error.
pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    describe: impl FnOnce(&D::Error) -> String,
) -> Result<T, (InputError, D::Error)> {
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let mut segments: Vec<_> = error.path().iter().filter_map(segment).collect();
        let mut message = describe(error.inner());
        match field_in(&message) {
            // serde reports it for the value in which it is missing.
            Some((name, rest)) if rest == MISSING => {
                segments.push(PathSegment::Name(name));
                message = rest;
            }
            Some((_, rest)) => message = rest,
            None => {}
        }
        (InputError { segments, message }, error.into_inner())
    })
}

const MISSING: &str = "is missing";

fn segment(segment: &Segment) -> Option<PathSegment> {
    match segment {
        Segment::Seq { index } => Some(PathSegment::Index(*index)),
        Segment::Map { key } => Some(PathSegment::Name(key.clone())),
        Segment::Enum { variant } => Some(PathSegment::Name(variant.clone())),
        Segment::Unknown => None,
    }
}

/// Returns the field that serde names in the message itself, and the rest of the message.
fn field_in(message: &str) -> Option<(String, String)> {
    if let Some(name) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return Some((name.to_owned(), MISSING.to_owned()));
    }
    if let Some(name) = message.strip_prefix("duplicate field `").and_then(|rest| rest.strip_suffix('`')) {
        return Some((name.to_owned(), "is repeated".to_owned()));
    }
    let (name, expected) = message.strip_prefix("unknown field `")?.split_once('`')?;
    Some((name.to_owned(), format!("is unknown{expected}")))
}

impl InputError {
    /// Adds the field to a failure, or the message if the whole input is wrong. `is_json` adds its JSON pointer.
    pub(super) fn add_to(self, failure: Failure, is_json: bool) -> Failure {
        if self.segments.is_empty() {
            return failure.message(self.message);
        }
        let field = field_name(&self.segments);
        match is_json {
            true => failure.field_at(pointer(&self.segments), field, self.message),
            false => failure.field(field, self.message),
        }
    }
}

/// Returns the name of a field as a person reads it, such as `items[2].count`.
fn field_name(segments: &[PathSegment]) -> String {
    let mut name = String::new();
    for segment in segments {
        let _ = match segment {
            PathSegment::Index(index) => write!(name, "[{index}]"),
            PathSegment::Name(part) if name.is_empty() => write!(name, "{part}"),
            PathSegment::Name(part) => write!(name, ".{part}"),
        };
    }
    name
}

/// Returns a JSON pointer as a URI fragment (RFC 6901, section 6), such as `#/items/2/count`.
fn pointer(segments: &[PathSegment]) -> String {
    let mut pointer = "#".to_owned();
    for segment in segments {
        pointer.push('/');
        match segment {
            PathSegment::Index(index) => {
                let _ = write!(pointer, "{index}");
            }
            PathSegment::Name(name) => push_token(&mut pointer, name),
        }
    }
    pointer
}

/// Appends a reference token: `~` and `/` escaped (section 3), and then percent-encoded as in a fragment.
fn push_token(pointer: &mut String, name: &str) {
    for byte in name.replace('~', "~0").replace('/', "~1").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'$' | b'@' | b':' => {
                pointer.push(char::from(byte));
            }
            _ => {
                let _ = write!(pointer, "%{byte:02X}");
            }
        }
    }
}

/// Returns the JSON pointer of a field name such as `items[2].count`.
pub(super) fn pointer_of(field: &str) -> String {
    let mut segments = Vec::new();
    for part in field.split('.') {
        let (name, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            segments.push(PathSegment::Name(name.to_owned()));
        }
        for index in indices.split('[').skip(1) {
            match index.strip_suffix(']').and_then(|index| index.parse().ok()) {
                Some(index) => segments.push(PathSegment::Index(index)),
                None => segments.push(PathSegment::Name(index.trim_end_matches(']').to_owned())),
            }
        }
    }
    pointer(&segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_of_field_names() {
        assert_eq!(pointer_of("title"), "#/title");
        assert_eq!(pointer_of("items[2].count"), "#/items/2/count");
        assert_eq!(pointer_of("grid[1][0]"), "#/grid/1/0");
        assert_eq!(pointer_of("prices[eur]"), "#/prices/eur");
        assert_eq!(pointer_of("a/b~c d"), "#/a~1b~0c%20d");
        assert_eq!(pointer_of(""), "#");
        assert_eq!(pointer_of("é"), "#/%C3%A9");
    }
}
