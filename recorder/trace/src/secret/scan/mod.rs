//! The search for secrets in a text of any format: values after names (JSON, forms, XML, multipart, headers, settings),
//! and secrets that are recognizable on their own (user information of URLs, private keys, tokens). Truncated or
//! malformed text is read as far as possible. Nothing here allocates except for results.

mod json;
mod named_value;
mod scanner;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod unnamed;

pub(super) use target::target;
pub(super) use text::text;
