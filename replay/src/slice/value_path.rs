//! Names of values of a request: `response.body.total`, `slot.Todo.title`, `effect.3.args.url`.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};

use crate::replay_error::ReplayError;

const FORMS: &str = "write response.status, response.header.NAME, response.body.PATH, slot.NAME.PATH or \
                     effect.NUMBER.args.PATH";

/// A value of a request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ValuePath {
    /// Value as a whole.
    pub root: ValueRoot,
    /// Names and positions that lead to a part of it.
    pub path: Vec<String>,
}

/// A value as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ValueRoot {
    /// Status of the response.
    Status,
    /// Header of the response, by its name in lowercase.
    Header(String),
    /// Body of the response.
    Body,
    /// Slot, by name.
    Slot(String),
    /// Arguments of an effect, by the number of the call.
    Arguments(u32),
}

impl FromStr for ValuePath {
    type Err = ReplayError;

    fn from_str(text: &str) -> Result<Self, ReplayError> {
        let wrong = || ReplayError::new(format!("{text:?} names no value")).hint(FORMS);
        let parts: Vec<&str> = text.trim().split('.').collect();
        let (root, rest) = match parts.as_slice() {
            ["response", "status"] => (ValueRoot::Status, &[][..]),
            ["response", "header", name @ ..] if !name.is_empty() => {
                (ValueRoot::Header(name.join(".").to_ascii_lowercase()), &[][..])
            }
            ["response", "body", rest @ ..] => (ValueRoot::Body, rest),
            ["slot", name, rest @ ..] => (ValueRoot::Slot((*name).to_owned()), rest),
            ["effect", number, "args", rest @ ..] => {
                (ValueRoot::Arguments(number.parse().map_err(|_| wrong())?), rest)
            }
            ["effect", _, "output", ..] => {
                return Err(wrong().because(
                    "the output of an effect comes from outside: ask where its arguments came from instead",
                ));
            }
            ["param" | "query" | "header" | "request", ..] => {
                return Err(wrong().because("a part of the request comes from the client"));
            }
            _ => return Err(wrong()),
        };
        if parts.iter().any(|part| part.is_empty()) {
            return Err(wrong());
        }
        Ok(Self { root, path: rest.iter().map(|part| (*part).to_owned()).collect() })
    }
}

impl fmt::Display for ValuePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.root {
            ValueRoot::Status => f.write_str("response.status")?,
            ValueRoot::Header(name) => write!(f, "response.header.{name}")?,
            ValueRoot::Body => f.write_str("response.body")?,
            ValueRoot::Slot(name) => write!(f, "slot.{name}")?,
            ValueRoot::Arguments(call) => write!(f, "effect.{call}.args")?,
        }
        self.path.iter().try_for_each(|part| write!(f, ".{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_named_as_they_are_shown() {
        for text in [
            "response.status",
            "response.header.x-total",
            "response.body",
            "response.body.items.0.price",
            "slot.Todo",
            "slot.Todo.title",
            "effect.3.args",
            "effect.3.args.url",
        ] {
            assert_eq!(text.parse::<ValuePath>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "response",
            "response.",
            "response.body..a",
            "slot",
            "slot.",
            "effect.x.args",
            "effect.1",
            "effect.1.output.a",
            "request.body.a",
            "param.id",
            "response.header",
        ] {
            let error = text.parse::<ValuePath>().unwrap_err();
            assert!(error.hints[0].starts_with("write response.status"), "{text}");
        }
    }
}
