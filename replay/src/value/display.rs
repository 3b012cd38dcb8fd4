//! Recorded values for eyes, on one line and safe for a terminal. What is secret is a row of dots.

use zerver_trace::text::{clean, clean_bytes};
use zerver_trace::{Header, MissingReason, Node, Recorded};

use crate::RecordedJson;

/// What stands for a secret.
pub const SECRET: &str = "●●●● (secret)";

/// A value as JSON; none where a part of it is a secret, or it was not recorded.
pub fn json(recorded: &Recorded) -> Option<String> {
    let is_plain = matches!(recorded, Recorded::Plain { .. });
    is_plain.then(|| serde_json::to_string(&RecordedJson::Value(recorded.clone())).ok()).flatten()
}

/// A value as it is.
pub fn value(recorded: &Recorded) -> String {
    recorded.value().map_or_else(|| absent(recorded), |value| clean(&value.to_string()).into_owned())
}

/// Bytes that came over the wire, as text: each line of it.
pub fn wire(recorded: &Recorded) -> Vec<String> {
    let Some(value) = recorded.value() else { return vec![absent(recorded)] };
    match value.root() {
        Node::Bytes(bytes) => bytes.split(|&byte| byte == b'\n').map(clean_bytes).collect(),
        Node::Str(text) => text.split('\n').map(|line| clean(line).into_owned()).collect(),
        other => vec![clean(&other.to_string()).into_owned()],
    }
}

/// `name: value`.
pub fn header(header: &Header<Recorded>) -> String {
    format!("{}: {}", clean(&header.name), wire(&header.value).join("\\n"))
}

fn absent(recorded: &Recorded) -> String {
    match recorded {
        Recorded::Missing(MissingReason::TooLarge) => "(not recorded: too large)".to_owned(),
        Recorded::Missing(MissingReason::Failed(error)) => {
            format!("(not recorded: could not be serialised: {})", clean(error))
        }
        _ => SECRET.to_owned(),
    }
}
