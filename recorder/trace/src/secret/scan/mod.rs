//! The search for secrets in texts.

mod json;
mod named_value;
mod scanner;
mod unnamed;

pub(super) use json::child;
pub(super) use named_value::is_scheme;
pub(super) use scanner::{target, text};
