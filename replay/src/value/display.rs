//! Recorded values as text on one line, safe for a terminal. A secret becomes a row of dots.

use zerver_trace::text::{clean, clean_bytes};
use zerver_trace::{Header, MissingReason, Node, Recorded};

use crate::RecordedJson;

/// Text that stands for a secret.
pub const SECRET: &str = "●●●● (secret)";

/// Returns a value as JSON, or `None` if a part of it is secret or it was not recorded.
pub fn json(recorded: &Recorded) -> Option<String> {
    let is_plain = matches!(recorded, Recorded::Plain { .. });
    is_plain.then(|| serde_json::to_string(&RecordedJson::Value(recorded.clone())).ok()).flatten()
}

/// Returns a value as text.
pub fn value(recorded: &Recorded) -> String {
    recorded.value().map_or_else(|| absent(recorded), |value| clean(&value.to_string()).into_owned())
}

/// Returns bytes from the wire as lines of text.
pub fn wire(recorded: &Recorded) -> Vec<String> {
    let Some(value) = recorded.value() else { return vec![absent(recorded)] };
    match value.root() {
        Node::Bytes(bytes) => bytes.split(|&byte| byte == b'\n').map(clean_bytes).collect(),
        Node::Str(text) => text.split('\n').map(|line| clean(line).into_owned()).collect(),
        other => vec![clean(&other.to_string()).into_owned()],
    }
}

/// Returns a header as `name: value`.
pub fn header(header: &Header<Recorded>) -> String {
    format!("{}: {}", clean(&header.name), wire(&header.value).join("\\n"))
}

fn absent(recorded: &Recorded) -> String {
    match recorded {
        Recorded::Missing(MissingReason::TooLarge) => "(not recorded: too large)".to_owned(),
        Recorded::Missing(MissingReason::NotImported) => "(not in the imported spans)".to_owned(),
        Recorded::Missing(MissingReason::Failed(error)) => {
            format!("(not recorded: could not be serialized: {})", clean(error))
        }
        _ => SECRET.to_owned(),
    }
}
