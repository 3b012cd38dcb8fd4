//! Splits a value into its leaves: the fields of structs, maps and lists, and those of JSON texts within it.

use std::ops::Range;

use zerver_trace::{Node, Value};

use super::json_spans::JsonSpan;
use crate::value::json_tree::JsonTree;
use crate::value::path::{own, replaced};

/// Maximum number of leaves of one value. The rest of a longer value is one leaf.
const MAX_LEAVES: usize = 20_000;

/// A part of a value that can be changed by itself.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leaf {
    /// Names and positions that lead to it; those within a JSON text come last.
    pub(super) path: Vec<String>,
    /// Number of names that lead to the node, or to the JSON text that contains the leaf.
    node_depth: usize,
    /// Bytes of the leaf within a JSON text.
    range: Option<Range<usize>>,
    /// True for a list or map with its own number of entries, apart from what they are.
    pub(super) is_container: bool,
    /// Bytes of the items of a list within a JSON text.
    items: Vec<Range<usize>>,
    pub(super) value: Value,
}

/// A new content of a leaf.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NewContent {
    Value(Value),
    /// JSON text, for a leaf of a JSON text.
    Json(String),
}

/// Returns the leaves of a value.
pub(super) fn leaves(value: &Value) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    walk(&value.root(), &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(node: &Node<'_>, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    if leaves.len() >= MAX_LEAVES {
        return;
    }
    let mut within = |path: &mut Vec<String>, name: String, child: &Node<'_>| {
        path.push(name);
        walk(child, path, leaves);
        path.pop();
    };
    let is_container = match node {
        Node::Struct(fields) => {
            return fields.iter().for_each(|(name, child)| within(path, (*name).to_owned(), child));
        }
        Node::Map(entries) => {
            for (key, child) in entries {
                let name = key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned);
                within(path, name, child);
            }
            true
        }
        Node::Seq(items) => {
            items.iter().enumerate().for_each(|(at, child)| within(path, at.to_string(), child));
            true
        }
        Node::Some(inner) if is_composite(inner) => {
            walk(inner, path, leaves);
            true
        }
        Node::Variant(name, Some(inner)) => {
            within(path, (*name).to_owned(), inner);
            true
        }
        Node::Str(_) | Node::Bytes(_) => {
            let bytes = node.as_bytes().unwrap_or_default();
            if let Some(span) = JsonSpan::of(&bytes) {
                let depth = path.len();
                return walk_json(&span, &bytes, depth, path, leaves);
            }
            false
        }
        _ => false,
    };
    if let Ok(value) = own(node) {
        let node_depth = path.len();
        let (range, items) = (None, Vec::new());
        leaves.push(Leaf { path: path.clone(), node_depth, range, is_container, items, value });
    }
}

/// Returns true if the node is split into leaves.
fn is_composite(node: &Node<'_>) -> bool {
    match node {
        Node::Struct(_) | Node::Map(_) | Node::Seq(_) | Node::Variant(_, Some(_)) => true,
        Node::Some(inner) => is_composite(inner),
        Node::Str(_) | Node::Bytes(_) => node.as_bytes().is_some_and(|bytes| JsonSpan::of(&bytes).is_some()),
        _ => false,
    }
}

fn walk_json(
    span: &JsonSpan,
    text: &[u8],
    node_depth: usize,
    path: &mut Vec<String>,
    leaves: &mut Vec<Leaf>,
) {
    if leaves.len() >= MAX_LEAVES {
        return;
    }
    let mut items = Vec::new();
    let is_container = match span {
        JsonSpan::Scalar(_) => false,
        JsonSpan::List(_, all) => {
            for (at, item) in all.iter().enumerate() {
                items.push(item.range().clone());
                path.push(at.to_string());
                walk_json(item, text, node_depth, path, leaves);
                path.pop();
            }
            true
        }
        JsonSpan::Object(_, entries) => {
            for (name, item) in entries {
                path.push(name.clone());
                walk_json(item, text, node_depth, path, leaves);
                path.pop();
            }
            // The entries of an object are its fields.
            if !entries.is_empty() {
                return;
            }
            true
        }
    };
    let range = span.range().clone();
    let tree = JsonTree::read(&text[range.clone()]);
    if let Ok(value) = tree.as_ref().map_or(Err(()), |tree| own(&tree.node()).map_err(drop)) {
        leaves.push(Leaf { path: path.clone(), node_depth, range: Some(range), is_container, items, value });
    }
}

impl Leaf {
    /// Returns true if the leaf is a part of a JSON text.
    pub(super) const fn is_json(&self) -> bool {
        self.range.is_some()
    }

    /// Returns the place of the leaf in its JSON text. Changes to one text are applied from its end.
    pub(super) fn start(&self) -> usize {
        self.range.as_ref().map_or(0, |range| range.start)
    }

    /// Returns contents of a list of a JSON text with other numbers of items.
    pub(super) fn other_lists(&self, root: &Value) -> Vec<String> {
        let Some(text) = self.text(root) else { return Vec::new() };
        let item = |range: &Range<usize>| String::from_utf8_lossy(&text[range.clone()]).into_owned();
        let items: Vec<String> = self.items.iter().map(item).collect();
        let list = |items: &[String]| format!("[{}]", items.join(","));
        match items.as_slice() {
            [] => Vec::new(),
            [.., last] => {
                let more = [items.as_slice(), std::slice::from_ref(last)].concat();
                vec![list(&items[..items.len() - 1]), list(&more), list(&[])]
            }
        }
    }

    /// Returns the text that contains the leaf.
    fn text(&self, root: &Value) -> Option<Vec<u8>> {
        let mut node = &mut root.root();
        for part in &self.path[..self.node_depth] {
            node = crate::value::path::step_into(node, part).ok()?;
        }
        while let Node::Some(inner) = node {
            node = inner;
        }
        Some(node.as_bytes()?.into_owned())
    }

    /// Returns the whole value with another content of the leaf, or `None` if that is no value.
    pub(super) fn replaced(&self, root: &Value, by: &NewContent) -> Option<Value> {
        let path = &self.path[..self.node_depth];
        let replace = |by: &Value| replaced(root, path, by).ok()?.0.ok();
        match (by, &self.range) {
            (NewContent::Value(by), None) => replace(by),
            (NewContent::Json(json), Some(range)) => {
                let mut text = self.text(root)?;
                text.splice(range.clone(), json.bytes());
                let mut node = &mut root.root();
                for part in path {
                    node = crate::value::path::step_into(node, part).ok()?;
                }
                replace(&with_text(node, &text)?)
            }
            _ => None,
        }
    }
}

/// Returns a text node with another text.
fn with_text(node: &Node<'_>, text: &[u8]) -> Option<Value> {
    fn content<'t>(node: &Node<'_>, text: &'t [u8]) -> Option<Node<'t>> {
        Some(match node {
            Node::Some(inner) => Node::Some(Box::new(content(inner, text)?)),
            Node::Str(_) => Node::Str(str::from_utf8(text).ok()?),
            _ => Node::Bytes(text),
        })
    }
    own(&content(node, text)?).ok()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Reply {
        status: u16,
        body: &'static str,
        tags: Vec<Option<u8>>,
        next: Option<(u8, &'static str)>,
    }

    #[test]
    fn leaves_are_found_and_replaced() {
        let reply = Reply {
            status: 200,
            body: r#"{"items": [{"price":5}, {"price": 7 }], "name":"a"}"#,
            tags: vec![Some(1), None],
            next: Some((3, "x")),
        };
        let root = Value::from_serialize(&reply).unwrap();
        let found = leaves(&root);
        let names: Vec<String> =
            found.iter().filter(|leaf| !leaf.is_container).map(|leaf| leaf.path.join(".")).collect();
        assert_eq!(
            names,
            [
                "status",
                "body.items.0.price",
                "body.items.1.price",
                "body.name",
                "tags.0",
                "tags.1",
                "next.0",
                "next.1"
            ]
        );
        let at =
            |name: &str| found.iter().find(|leaf| leaf.path.join(".") == name && !leaf.is_container).unwrap();
        let price = at("body.items.1.price").replaced(&root, &NewContent::Json("70".into())).unwrap();
        assert!(
            price.root().to_string().contains(r#"{\"price\": 70 }"#)
                || price.root().to_string().contains("70 }"),
            "{}",
            price.root()
        );
        let status =
            at("status").replaced(&root, &NewContent::Value(Value::from_serialize(&404u16).unwrap()));
        assert!(status.unwrap().root().to_string().contains("404"));
        let list =
            found.iter().find(|leaf| leaf.is_container && leaf.path.join(".") == "body.items").unwrap();
        assert_eq!(list.other_lists(&root)[0], r#"[{"price":5}]"#);
    }
}
