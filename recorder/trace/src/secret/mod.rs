//! Recognition of secrets in names, texts and values: one rule for the recorder, which seals them, and for the replayer
//! and the service, which mask them in their output. `docs/reference/secrets.md` describes the same rule for users.
//!
//! A [`Rule`] classifies names, and finds secrets in texts and values. It does not seal anything, and looks at one text
//! at a time. The caller is responsible for finding copies of a secret in other texts, if [`is_searchable`] allows
//! that.

mod auth_scheme;
mod author;
mod decode;
mod known_secrets;
mod names;
mod placeholder;
mod rule;
mod scan;
mod spans;
mod stems;
mod strength;
mod text_secrets;
mod trigram_filter;
mod value_secrets;

pub use auth_scheme::is_scheme;
pub use author::Author;
pub use decode::{base64_decoded, json_unescaped, percent_decoded};
pub use known_secrets::KnownSecrets;
pub use names::Sensitivity;
pub use rule::Rule;
pub use spans::{MASK, merge_spans, replace_spans};
pub use strength::{is_searchable, strength};
pub use trigram_filter::TrigramFilter;
pub use value_secrets::Masker;
