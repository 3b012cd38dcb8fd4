//! Recognition of secrets in names, texts and values: one rule for the recorder, which seals them, and for the replayer and
//! the service, which mask them in their output. `docs/secrets.md` describes the same rule for users.

mod decode;
mod known_secrets;
mod placeholder;
mod rule;
mod scan;
mod sensitive_names;
mod stems;
mod value_secrets;

pub use decode::{base64_decoded, json_unescaped, percent_decoded};
pub use known_secrets::KnownSecrets;
pub use placeholder::{is_searchable, strength};
pub use rule::{Author, MASK, Rule, is_scheme, merge_spans, replace_spans};
pub use sensitive_names::Sensitivity;
pub use stems::TrigramFilter;
pub use value_secrets::Masker;
