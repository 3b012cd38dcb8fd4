//! Splits a value into its leaves: the fields of structs, maps and lists, and those of JSON texts within it.

use std::collections::BTreeMap;
use std::ops::Range;

use zerver_trace::{Node, Value};

use super::json_spans::JsonSpan;
use crate::value::json_tree::JsonTree;
use crate::value::path::{own, step_into};

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
        let root = &mut root.root();
        let node = find(root, &self.path[..self.node_depth])?;
        Some(content_of(node).as_bytes()?.into_owned())
    }
}

/// Returns a value with other contents of some of its leaves, or `None` if that is no value.
pub(super) fn replaced(root: &Value, changes: &[(&Leaf, &NewContent)]) -> Option<Value> {
    let mut nodes: Vec<(&[String], Value)> = Vec::new();
    let mut texts: BTreeMap<&[String], Vec<(&Range<usize>, &str)>> = BTreeMap::new();
    for (leaf, content) in changes {
        let path = &leaf.path[..leaf.node_depth];
        match (content, &leaf.range) {
            (NewContent::Value(value), None) => nodes.push((path, value.clone())),
            (NewContent::Json(json), Some(range)) => texts.entry(path).or_default().push((range, json)),
            _ => return None,
        }
    }
    let whole = &mut root.root();
    for (path, mut parts) in texts {
        parts.sort_by_key(|(range, _)| range.start);
        let node = find(whole, path)?;
        let text = content_of(node).as_bytes()?;
        let (mut new, mut copied) = (Vec::with_capacity(text.len()), 0);
        for (range, json) in parts {
            new.extend_from_slice(text.get(copied..range.start)?);
            new.extend_from_slice(json.as_bytes());
            copied = range.end;
        }
        new.extend_from_slice(text.get(copied..)?);
        nodes.push((path, with_text(node, &new)?));
    }
    let whole = &mut root.root();
    for (path, value) in &nodes {
        *find(whole, path)? = value.root();
    }
    own(whole).ok()
}

fn find<'n, 'a>(root: &'n mut Node<'a>, path: &[String]) -> Option<&'n mut Node<'a>> {
    path.iter().try_fold(root, |node, part| step_into(node, part).ok())
}

/// Returns the content of an option that is present.
fn content_of<'n, 'a>(node: &'n Node<'a>) -> &'n Node<'a> {
    match node {
        Node::Some(inner) => content_of(inner),
        other => other,
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
        let json = |text: &str| NewContent::Json(text.into());
        let prices = [(at("body.items.1.price"), &json("70")), (at("body.items.0.price"), &json("500"))];
        let price = replaced(&root, &prices).unwrap();
        let text = r#"{"items": [{"price":500}, {"price": 70 }], "name":"a"}"#;
        assert_eq!(price.root().field("body").unwrap().as_str(), Some(text));
        let status = NewContent::Value(Value::from_serialize(&404u16).unwrap());
        let status = replaced(&root, &[(at("status"), &status)]);
        assert!(status.unwrap().root().to_string().contains("404"));
        let list =
            found.iter().find(|leaf| leaf.is_container && leaf.path.join(".") == "body.items").unwrap();
        assert_eq!(list.other_lists(&root)[0], r#"[{"price":5}]"#);
    }
}
