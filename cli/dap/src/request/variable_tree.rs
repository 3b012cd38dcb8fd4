//! Recorded values as trees of named parts. Secrets stay masked, and all text is safe to show.

use std::fmt::{self, Write as _};

use zerver_replay::value::display::{self, SECRET};
use zerver_replay::value::json_tree::JsonTree;
use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded};

/// Maximum length of a text that is shown for a value without parts, in bytes.
const MAX_LEAF: usize = 4 << 10;
/// Maximum length of the text that is shown for a value with parts, in bytes.
const MAX_PREVIEW: usize = 80;

/// A value with its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VariableTree {
    pub(crate) name: String,
    /// Text in one line.
    pub(crate) text: String,
    /// Expression that has this value, if there is one.
    pub(crate) path: Option<String>,
    /// True if the parts are numbered.
    pub(crate) is_list: bool,
    pub(crate) parts: Vec<Self>,
}

impl VariableTree {
    /// Returns a text that is ours, or has been cleaned.
    pub(crate) fn text(name: &str, text: impl Into<String>) -> Self {
        Self { name: name.to_owned(), text: text.into(), ..Self::default() }
    }

    /// Returns named parts under one name.
    pub(crate) fn group(name: &str, text: impl Into<String>, parts: Vec<Self>) -> Self {
        Self { parts, ..Self::text(name, text) }
    }

    /// Returns a recorded value.
    pub(crate) fn recorded(name: &str, path: Option<String>, recorded: &Recorded) -> Self {
        match recorded.value() {
            Some(value) => Self::node(name, path, &value.root()),
            None => Self { path, ..Self::text(name, display::value(recorded)) },
        }
    }

    /// Returns a value that is masked although the store holds it in plain text.
    pub(crate) fn masked(name: &str) -> Self {
        Self::text(name, SECRET)
    }

    /// Returns bytes from the wire: the parts of JSON, or text.
    pub(crate) fn wire(name: &str, path: Option<String>, recorded: &Recorded) -> Self {
        let Some(value) = recorded.value() else { return Self::recorded(name, path, recorded) };
        let root = value.root();
        let bytes = root.as_bytes().unwrap_or_default();
        if let Ok(tree) = JsonTree::read(&bytes)
            && matches!(tree, JsonTree::List(_) | JsonTree::Object(_))
        {
            return Self::node(name, path, &tree.node());
        }
        Self { path, ..Self::text(name, cut(&display::wire(recorded).join("\\n"), MAX_LEAF)) }
    }

    fn node(name: &str, path: Option<String>, node: &Node<'_>) -> Self {
        let below = |part: &str| path.as_ref().and_then(|path| joined(path, part));
        let parts: Vec<Self> = match node {
            Node::Some(inner) => return Self::node(name, path, inner),
            Node::Variant(_, Some(inner)) => match &**inner {
                Node::Seq(_) | Node::Struct(_) | Node::Map(_) => Self::node("", path.clone(), inner).parts,
                inner => vec![Self::node("0", None, inner)],
            },
            Node::Seq(items) => {
                let numbered = items.iter().enumerate();
                numbered.map(|(at, item)| Self::node(&at.to_string(), below(&at.to_string()), item)).collect()
            }
            Node::Struct(fields) => {
                fields.iter().map(|(field, value)| Self::node(field, below(field), value)).collect()
            }
            Node::Map(entries) => {
                let entry = |(key, value): &(Node<'_>, Node<'_>)| match key {
                    Node::Str(key) => Self::node(key, below(key), value),
                    key => Self::node(&shown(key, MAX_PREVIEW), None, value),
                };
                entries.iter().map(entry).collect()
            }
            _ => Vec::new(),
        };
        let limit = if parts.is_empty() { MAX_LEAF } else { MAX_PREVIEW };
        Self {
            name: clean(name).into_owned(),
            text: shown(node, limit),
            path,
            is_list: matches!(node, Node::Seq(_)),
            parts,
        }
    }

    /// Returns the part at a path of names.
    pub(crate) fn part<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> Option<&Self> {
        path.try_fold(self, |at, name| at.parts.iter().find(|part| part.name == name))
    }
}

/// Returns the expression of a part, unless its name would be read as several.
fn joined(path: &str, part: &str) -> Option<String> {
    (!part.is_empty() && !part.contains('.') && clean(part) == part).then(|| format!("{path}.{part}"))
}

/// Returns a value in one line. Writing stops at the limit, so that a long value costs no more than a short one.
fn shown(node: &Node<'_>, limit: usize) -> String {
    struct Limited {
        text: String,
        limit: usize,
    }
    impl fmt::Write for Limited {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.text.push_str(part);
            if self.text.len() > self.limit { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut limited = Limited { text: String::new(), limit };
    // An error means that it is long enough.
    let _ = write!(limited, "{node}");
    cut(&clean(&limited.text), limit)
}

fn cut(text: &str, limit: usize) -> String {
    match text.len() > limit {
        true => format!("{}…", &text[..text.floor_char_boundary(limit)]),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use zerver_testkit::sample;

    use super::*;

    #[derive(serde::Serialize)]
    struct Todo {
        title: &'static str,
        tags: Vec<&'static str>,
        due: Option<u32>,
    }

    #[test]
    fn a_value_has_the_parts_of_its_type() {
        let todo = Todo { title: "milk\u{1b}[31m", tags: vec!["a", "b.c"], due: Some(7) };
        let tree = VariableTree::recorded("Todo", Some("slot.Todo".to_owned()), &sample::plain(&todo));
        let names: Vec<_> = tree.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["title", "tags", "due"]);
        assert!(tree.parts[0].text.contains("\\u{1b}"), "{tree:?}");
        assert!(tree.parts[1].is_list && tree.parts[1].parts.len() == 2);
        let due = tree.part(["due"].into_iter()).unwrap();
        assert_eq!((due.text.as_str(), due.path.as_deref()), ("7", Some("slot.Todo.due")));
        assert_eq!(tree.part(["tags", "9"].into_iter()), None);
    }

    #[test]
    fn secrets_are_masked_and_long_texts_are_cut() {
        assert_eq!(VariableTree::recorded("Key", None, &sample::sealed()).text, SECRET);
        let long = VariableTree::recorded("Text", None, &sample::plain("ä".repeat(MAX_LEAF)));
        assert!(long.text.len() <= MAX_LEAF + 4 && long.text.ends_with('…'));
        let many = VariableTree::recorded("List", None, &sample::plain(vec![7_u32; 1000]));
        assert!(many.text.len() <= MAX_PREVIEW + 4 && many.parts.len() == 1000);
    }

    #[test]
    fn a_body_of_json_has_parts_and_another_is_text() {
        let json = VariableTree::wire(
            "body",
            Some("response.body".to_owned()),
            &sample::wire(br#"{"a.b": [1], "": 2}"#),
        );
        assert_eq!(json.parts[0].parts[0].text, "1");
        assert!(json.parts.iter().all(|part| part.path.is_none()), "{json:?}");
        let text = VariableTree::wire("body", None, &sample::wire(b"a\nb\xff"));
        assert!(text.parts.is_empty() && text.text == "a\\nb\\xff", "{text:?}");
    }
}
