//! Values of a request that have sources: parts of the response, slots, and arguments of effects.

use zerver_replay::value::display;
use zerver_replay::value::json_tree::JsonTree;
use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded};

use crate::loaded_trace::LoadedTrace;

/// Maximum number of values in a list.
const MAX_VALUES: usize = 400;
/// Maximum length of a value in the list, in characters.
const MAX_SHOWN: usize = 80;

/// A value that can be asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedValue {
    /// Name, as `zerver why-value` takes it.
    pub(crate) path: String,
    /// Value on one line, cleaned.
    pub(crate) shown: String,
}

/// Returns the values of a request, each before its parts; at most some hundreds.
pub(crate) fn named_values(loaded: &LoadedTrace) -> Vec<NamedValue> {
    let trace = &loaded.trace;
    let mut all = Collector(Vec::new());
    if trace.status > 0 {
        all.add("response.status", trace.status.to_string());
    }
    if trace.response_body.full_len > 0 {
        all.body(&trace.response_body.bytes);
    }
    for slot in &loaded.timeline.slots {
        let path = format!("slot.{}", slot.name);
        match slot.is_masked() {
            true => all.add(&path, display::SECRET.to_owned()),
            false => all.recorded(&path, &slot.value),
        }
    }
    for effect in loaded.timeline.runs.iter().flat_map(|run| &run.effects) {
        if let Some(attempt) = effect.attempts.first() {
            all.recorded(&format!("effect.{}.args", attempt.call), &effect.args);
        }
    }
    for header in &trace.response_headers {
        all.add(&format!("response.header.{}", header.name), display::wire(&header.value).join("\\n"));
    }
    all.0
}

struct Collector(Vec<NamedValue>);

impl Collector {
    fn add(&mut self, path: &str, shown: String) {
        if self.0.len() < MAX_VALUES && clean(path) == path {
            self.0.push(NamedValue { path: path.to_owned(), shown: cut(&shown) });
        }
    }

    fn recorded(&mut self, path: &str, recorded: &Recorded) {
        match recorded.value() {
            Some(value) => self.node(path, &value.root()),
            None => self.add(path, display::value(recorded)),
        }
    }

    fn body(&mut self, recorded: &Recorded) {
        let root = recorded.value().map(zerver_trace::Value::root);
        let bytes = root.as_ref().and_then(Node::as_bytes).unwrap_or_default();
        match JsonTree::read(&bytes) {
            Ok(tree) => self.node("response.body", &tree.node()),
            Err(_) => self.add("response.body", display::wire(recorded).join("\\n")),
        }
    }

    fn node(&mut self, path: &str, node: &Node<'_>) {
        if self.0.len() >= MAX_VALUES {
            return;
        }
        // Values of any length are cut, but need not be written first: their parts follow.
        let is_whole = !matches!(node, Node::Seq(_) | Node::Map(_) | Node::Struct(_));
        let shown = match node {
            Node::Seq(items) => format!("{} items", items.len()),
            Node::Map(entries) => format!("{} entries", entries.len()),
            Node::Struct(fields) => format!("{} fields", fields.len()),
            node => clean(&node.to_string()).into_owned(),
        };
        self.add(path, shown);
        if is_whole {
            return;
        }
        let mut part = |name: &str, node: &Node<'_>| {
            // Such a name cannot be a part of a path.
            if !name.is_empty() && !name.contains('.') {
                self.node(&format!("{path}.{name}"), node);
            }
        };
        match node {
            Node::Seq(items) => {
                items.iter().enumerate().take(MAX_VALUES).for_each(|(at, item)| part(&at.to_string(), item));
            }
            Node::Map(entries) => entries.iter().for_each(|(key, value)| {
                if let Node::Str(key) = key {
                    part(key, value);
                }
            }),
            Node::Struct(fields) => fields.iter().for_each(|(name, value)| part(name, value)),
            _ => {}
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use zerver_replay::{ValuePath, static_slice};
    use zerver_testkit::sample;

    use super::*;

    #[test]
    fn each_named_value_has_sources() {
        let loaded = LoadedTrace::new(sample::slow());
        let values = named_values(&loaded);
        let names: Vec<_> = values.iter().map(|value| value.path.as_str()).collect();
        for name in
            ["response.status", "slot.Claims.sub", "slot.Claims.roles.0", "effect.1.args", "slot.Todo.title"]
        {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        for value in &values {
            let path: ValuePath = value.path.parse().unwrap();
            static_slice(&loaded.trace, &path).unwrap_or_else(|error| panic!("{}: {error:?}", value.path));
        }
        let secret = values.iter().find(|value| value.path == "slot.AuthHeader").unwrap();
        assert_eq!(secret.shown, display::SECRET);
    }

    #[test]
    fn long_and_hostile_values_stay_short() {
        let mut trace = sample::slow();
        trace.response_body.bytes = sample::wire(format!("[{}1]", "1,".repeat(100_000)).as_bytes());
        trace.response_body.full_len = 200_003;
        let values = named_values(&LoadedTrace::new(trace));
        assert_eq!(values.len(), MAX_VALUES);
        assert!(values.iter().all(|value| value.shown.chars().count() <= MAX_SHOWN + 1));
    }
}
