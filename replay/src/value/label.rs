//! Short labels of effects and their outputs: the summary that the program gave, or else the value itself.

use zerver_trace::{Node, Recorded, Value};

use crate::value::json::why;

/// Maximum length of a label, in characters. Longer labels end in an ellipsis.
const MAX_LABEL: usize = 120;

/// Returns the label of an effect's arguments, without its kind.
pub fn args(kind: &str, args: &Recorded) -> String {
    let words = words(args, "");
    match words.strip_prefix(kind).and_then(|rest| rest.strip_prefix(' ')) {
        Some(rest) => rest.to_owned(),
        None => words,
    }
}

/// Returns the label of an effect: its kind and its arguments.
pub fn effect(kind: &str, recorded: &Recorded) -> String {
    format!("{kind} {}", args(kind, recorded))
}

/// Returns the label of an effect's output.
pub fn output(output: &Recorded) -> String {
    words(output, "ok")
}

fn words(recorded: &Recorded, empty: &str) -> String {
    if let Some(summary) = recorded.summary() {
        return cut(summary);
    }
    match (recorded.value().map(Value::root), recorded) {
        (Some(Node::Unit), _) => empty.to_owned(),
        (Some(root), _) => cut(&root.to_string()),
        (None, Recorded::Missing(missing)) => format!("({})", why(missing)),
        (None, _) => "(secret)".to_owned(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_LABEL) {
        None => text.to_owned(),
        Some(_) => text.chars().take(MAX_LABEL - 1).chain(['…']).collect(),
    }
}
