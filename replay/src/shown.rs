//! Recorded values for eyes, on one line and safe for a terminal. What is secret is a row of dots.

use zerver_trace::duration::HumanDuration;
use zerver_trace::text::{clean, clean_bytes};
use zerver_trace::{Header, MissingReason, Node, Recorded};

use crate::{Effect, Json, Run, Write};

/// So many kinds of effects are named in one row.
const MAX_KINDS: usize = 8;

/// What stands for a secret.
pub const SECRET: &str = "●●●● (secret)";

/// A slot's value.
pub fn slot(write: &Write) -> String {
    if write.is_masked() { SECRET.to_owned() } else { value(&write.value) }
}

/// A slot's value as JSON, to be edited; none where it may not be shown or was not recorded.
pub fn editable(write: &Write) -> Option<String> {
    if write.is_masked() { None } else { json(&write.value) }
}

/// A value as JSON; none where a part of it is a secret, or it was not recorded.
pub fn json(recorded: &Recorded) -> Option<String> {
    let is_plain = matches!(recorded, Recorded::Plain { .. });
    is_plain.then(|| serde_json::to_string(&Json::Value(recorded.clone())).ok()).flatten()
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

/// `needs http, 3 kv`.
pub fn needs(effects: &[Effect]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for effect in effects {
        match kinds.iter().position(|(kind, _)| *kind == effect.kind) {
            Some(at) => kinds[at].1 += 1,
            None if kinds.len() < MAX_KINDS => kinds.push((&effect.kind, 1)),
            None => {}
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, n)| if n == 1 { kind.to_owned() } else { format!("{n} {kind}") })
        .collect();
    format!("needs {}", if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") })
}

/// `wrote Todo, Claims`; nothing where there is none.
pub fn wrote(writes: &[Write]) -> String {
    let names: Vec<&str> = writes.iter().map(|write| write.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("wrote {}", names.join(", ")) }
}

/// `longer than 10ms`, where it took longer than a turn of its class may; nothing where it did not.
pub fn overran(run: &Run) -> String {
    run.overran_ns.map_or(String::new(), |ns| format!("longer than {}", HumanDuration { ns }))
}
