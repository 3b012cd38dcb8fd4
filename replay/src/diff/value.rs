//! Two recorded values, compared by their structure: fields by name, lists by index, maps by key, lists of headers by
//! the names in them. A secret is compared by its keyed hash and never looked into; hashes made under different keys
//! differ also where the secrets do not.

use std::collections::{BTreeMap, BTreeSet};

use zerver_trace::value::Encoder;
use zerver_trace::{Node, Recorded, Value};

use super::ignored::Ignored;
use crate::Json;

/// Of one value, at most so many changes are listed; the rest is counted.
const MAX_CHANGES: usize = 200;
/// Bytes longer than this are not parsed as JSON.
const MAX_JSON: usize = 256 * 1024;

/// A place in a value where two traces differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// Where: `Todo.title`, `items[3].id`; empty for the value itself.
    pub(super) path: String,
    /// What the first trace has there; none if nothing.
    pub(super) a: Option<Json>,
    /// What the second trace has there; none if nothing.
    pub(super) b: Option<Json>,
}

/// The changes of a value.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) list: Vec<Change>,
    /// So many more are not listed.
    pub(super) more: usize,
    /// Names of headers which were not compared although they differ.
    pub(super) ignored: BTreeSet<String>,
}

impl Changes {
    fn add(&mut self, path: &str, a: Option<Json>, b: Option<Json>) {
        if self.list.len() < MAX_CHANGES {
            self.list.push(Change { path: path.to_owned(), a, b });
        } else {
            self.more += 1;
        }
    }

    fn leaf(&mut self, path: &str, a: Option<&Node<'_>>, b: Option<&Node<'_>>) {
        if self.list.len() < MAX_CHANGES {
            self.add(path, a.map(owned), b.map(owned));
        } else {
            self.more += 1;
        }
    }
}

/// How a value is to be compared.
#[derive(Clone, Copy)]
pub(super) struct How<'i> {
    pub(super) ignored: &'i Ignored,
    /// Whether it is a secret, whatever the value says.
    pub(super) secret: bool,
}

/// Compares what was recorded under `path`; none where there was nothing.
pub(super) fn recorded(
    path: &str,
    a: Option<&Recorded>,
    b: Option<&Recorded>,
    how: How<'_>,
    out: &mut Changes,
) {
    if a.is_some() == b.is_some() && a.zip(b).is_none_or(|(a, b)| equal(a, b)) {
        return;
    }
    let shown = a.and_then(Recorded::value).zip(b.and_then(Recorded::value));
    if let (Some((a, b)), false) = (shown, how.secret) {
        // Equal secrets have equal masks, so nothing that differs is behind them.
        return nodes(&mut path.to_owned(), &a.root(), &b.root(), how.ignored, out);
    }
    let hide = how.secret || [a, b].into_iter().flatten().any(Recorded::is_secret);
    out.add(path, a.map(|a| side(a, hide)), b.map(|b| side(b, hide)));
}

/// A side of a change that is not looked into.
fn side(recorded: &Recorded, hide: bool) -> Json {
    match recorded {
        Recorded::Sealed { hash, shown, .. } | Recorded::Hashed { hash, shown } => {
            let shown = if hide { None } else { shown.clone() };
            Json::Value(Recorded::Hashed { hash: *hash, shown })
        }
        Recorded::Plain { .. } if hide => Json::Masked,
        other => Json::Value(other.clone()),
    }
}

/// Whether two recordings say the same, their lines for a person aside.
pub(super) fn equal(a: &Recorded, b: &Recorded) -> bool {
    match (a, b) {
        (Recorded::Plain { value: a, .. }, Recorded::Plain { value: b, .. }) => a == b,
        (
            Recorded::Sealed { hash: a, .. } | Recorded::Hashed { hash: a, .. },
            Recorded::Sealed { hash: b, .. } | Recorded::Hashed { hash: b, .. },
        ) => a == b,
        // Neither is known.
        (Recorded::Missing(_), Recorded::Missing(_)) => true,
        _ => false,
    }
}

/// Compares two parts of values; `path` is put back as it was.
pub(super) fn nodes(path: &mut String, a: &Node<'_>, b: &Node<'_>, ignored: &Ignored, out: &mut Changes) {
    match (a, b) {
        (Node::Some(a), Node::Some(b)) => nodes(path, a, b, ignored, out),
        (Node::Struct(a), Node::Struct(b)) => fields(path, a, b, ignored, out),
        (Node::Map(a), Node::Map(b)) => {
            entries(path, by_key(a), by_key(b), ignored, out);
        }
        (Node::Seq(a), Node::Seq(b)) => match (headers(a), headers(b)) {
            (Some(a), Some(b)) => {
                let (a, b) = without_ignored(a, b, ignored, out);
                entries(path, a, b, ignored, out);
            }
            _ => items(path, a, b, ignored, out),
        },
        (Node::Variant(a_name, Some(a)), Node::Variant(b_name, Some(b))) if a_name == b_name => {
            within(path, &format!(".{a_name}"), |path| nodes(path, a, b, ignored, out));
        }
        // Bytes in which a secret is masked are text.
        (Node::Bytes(_) | Node::Str(_), Node::Bytes(_) | Node::Str(_)) => {
            let raw = |node: &Node<'_>| node.as_bytes().unwrap_or_default().into_owned();
            bytes(path, &raw(a), &raw(b), ignored, out);
        }
        _ if same(a, b) => {}
        _ => out.leaf(path, Some(a), Some(b)),
    }
}

/// Compares two runs of bytes: as JSON if both are, as text if both are, or as they are.
pub(super) fn bytes(path: &mut String, a: &[u8], b: &[u8], ignored: &Ignored, out: &mut Changes) {
    if a == b {
        return;
    }
    if let (Some(a), Some(b)) = (json(a), json(b)) {
        let before = out.list.len() + out.more;
        nodes(path, &a.root(), &b.root(), ignored, out);
        // The same JSON, written in another way, is told as text.
        if out.list.len() + out.more > before {
            return;
        }
    }
    match (str::from_utf8(a), str::from_utf8(b)) {
        (Ok(a), Ok(b)) => out.leaf(path, Some(&Node::Str(a)), Some(&Node::Str(b))),
        _ => out.leaf(path, Some(&Node::Bytes(a)), Some(&Node::Bytes(b))),
    }
}

/// An object or a list of JSON as a value.
fn json(bytes: &[u8]) -> Option<Value> {
    let opens = bytes.trim_ascii_start().first();
    if bytes.len() > MAX_JSON || !matches!(opens, Some(b'{' | b'[')) {
        return None;
    }
    let json: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    Value::of(&json).ok()
}

/// Whether two parts that hold nothing else are the same: numbers by what they count, not by their width.
fn same(a: &Node<'_>, b: &Node<'_>) -> bool {
    match (a, b) {
        (Node::F32(a), Node::F32(b)) => a.to_bits() == b.to_bits(),
        (Node::F64(a), Node::F64(b)) => a.to_bits() == b.to_bits(),
        _ => match (whole(a), whole(b)) {
            (Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// A whole number as its sign and its size.
fn whole(node: &Node<'_>) -> Option<(bool, u128)> {
    Some(match *node {
        Node::Uint(n) => (false, n.into()),
        Node::U128(n) => (false, n),
        Node::Int(n) => (n < 0, n.unsigned_abs().into()),
        Node::I128(n) => (n < 0, n.unsigned_abs()),
        _ => return None,
    })
}

fn fields(
    path: &mut String,
    a: &[(&str, Node<'_>)],
    b: &[(&str, Node<'_>)],
    ignored: &Ignored,
    out: &mut Changes,
) {
    // The usual case needs no look-up: the same fields in the same order.
    if a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b) {
        for ((name, a), (_, b)) in a.iter().zip(b) {
            within(path, &format!(".{name}"), |path| nodes(path, a, b, ignored, out));
        }
        return;
    }
    let named = |fields| -> Vec<(String, _)> {
        let fields: &[(&str, Node<'_>)] = fields;
        fields.iter().map(|(name, value)| ((*name).to_owned(), value)).collect()
    };
    entries(path, named(a), named(b), ignored, out);
}

type Named<'n, 'v> = Vec<(String, &'n Node<'v>)>;

/// What has a name, by name and, where a name comes more than once, by its occurrence: those of `a` in their order, then those that only `b`
/// has.
fn entries(path: &mut String, a: Named<'_, '_>, b: Named<'_, '_>, ignored: &Ignored, out: &mut Changes) {
    let mut left: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (name, _)) in b.iter().enumerate().rev() {
        left.entry(name).or_default().push(at);
    }
    let mut taken = vec![false; b.len()];
    for (name, a) in &a {
        let partner = left.get_mut(name.as_str()).and_then(Vec::pop);
        within(path, &segment(name), |path| match partner {
            Some(at) => {
                taken[at] = true;
                nodes(path, a, b[at].1, ignored, out);
            }
            None => out.leaf(path, Some(a), None),
        });
    }
    for ((name, b), _) in b.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        within(path, &segment(name), |path| out.leaf(path, None, Some(b)));
    }
}

fn items(path: &mut String, a: &[Node<'_>], b: &[Node<'_>], ignored: &Ignored, out: &mut Changes) {
    for at in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(at), b.get(at));
        within(path, &format!("[{at}]"), |path| match (a, b) {
            (Some(a), Some(b)) => nodes(path, a, b, ignored, out),
            _ => out.leaf(path, a, b),
        });
    }
}

/// The entries of a map, each named by its key as it is shown.
fn by_key<'n, 'v>(entries: &'n [(Node<'v>, Node<'v>)]) -> Named<'n, 'v> {
    let name = |key: &Node<'_>| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    entries.iter().map(|(key, value)| (name(key), value)).collect()
}

/// A list of headers, each a struct of a name and a value.
fn headers<'n, 'v>(items: &'n [Node<'v>]) -> Option<Named<'n, 'v>> {
    let header = |item: &'n Node<'v>| match item {
        Node::Struct(fields) => match &fields[..] {
            [("name", Node::Str(name)), ("value", value)] => Some(((*name).to_owned(), value)),
            _ => None,
        },
        _ => None,
    };
    items.iter().map(header).collect()
}

/// The headers that are to be compared. Of the others, those that differ are noted.
fn without_ignored<'n, 'v>(
    a: Named<'n, 'v>,
    b: Named<'n, 'v>,
    ignored: &Ignored,
    out: &mut Changes,
) -> (Named<'n, 'v>, Named<'n, 'v>) {
    let split = |list: Named<'n, 'v>| -> (Named<'n, 'v>, Named<'n, 'v>) {
        list.into_iter().partition(|(name, _)| !ignored.has(name))
    };
    let ((a, left_a), (b, left_b)) = (split(a), split(b));
    let differs = |header: &&(String, &Node<'_>)| !(left_a.contains(header) && left_b.contains(header));
    out.ignored.extend(left_a.iter().chain(&left_b).filter(differs).map(|(name, _)| name.clone()));
    (a, b)
}

/// `.name`, or `["a name"]` where it is no single word.
fn segment(name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_word) { format!(".{name}") } else { format!("[{name:?}]") }
}

fn within(path: &mut String, segment: &str, f: impl FnOnce(&mut String)) {
    let len = path.len();
    // A path does not begin with a dot.
    path.push_str(if len == 0 { segment.trim_start_matches('.') } else { segment });
    f(path);
    path.truncate(len);
}

/// A part of a value as a value of its own.
fn owned(node: &Node<'_>) -> Json {
    let mut encoder = Encoder::new();
    let value = encoder.node(node, &mut |_| None).and_then(|()| encoder.finish());
    Json::Value(match value {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(zerver_trace::Missing::TooLarge),
    })
}

#[cfg(test)]
mod tests;
