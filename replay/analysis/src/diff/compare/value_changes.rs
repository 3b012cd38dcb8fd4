//! Compares two recorded values by structure: fields by name, lists by index, maps by key, header lists by header name,
//! and JSON in texts and bytes as it is written.
//!
//! Secrets are compared by their keyed hashes only. Values that were not recorded, and hashes with different keys, are
//! not compared but noted.

use std::collections::{BTreeMap, BTreeSet};

use zerver_replay::RecordedJson;
use zerver_replay::value::equality::is_same;
use zerver_replay::value::json::why;
use zerver_replay::value::json_tree::JsonTree;
use zerver_replay::value::masked_text;
use zerver_trace::value::Encoder;
use zerver_trace::{MissingReason, Node, Recorded};

use crate::diff::ignored_headers::IgnoredHeaders;

/// Maximum number of changes listed for one value. Further ones are counted.
const MAX_CHANGES: usize = 200;
/// Maximum length of bytes that are parsed as JSON.
const MAX_JSON: usize = 256 * 1024;
/// Reason for not comparing hashes.
pub(crate) const OTHER_KEY: &str = "secrets are hashed under different keys";
/// Reason for not comparing a secret with a plain value.
pub(crate) const ONE_SIDE: &str = "secret on one side only";

/// A place where two values differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// Path: `Todo.title`, `items[3].id`; empty for the whole value.
    pub(crate) path: String,
    /// First side; `None` if there is nothing.
    pub(crate) a: Option<RecordedJson>,
    /// Second side; `None` if there is nothing.
    pub(crate) b: Option<RecordedJson>,
    /// First byte that differs, if both sides are the same JSON in another notation.
    pub(crate) first_differing_byte: Option<u64>,
}

/// Changes of a value.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) list: Vec<Change>,
    /// Number of changes that are not listed.
    pub(crate) more: usize,
    /// Names of headers that differ and were not compared.
    pub(crate) ignored: BTreeSet<String>,
    /// Paths that could not be compared, with reasons.
    pub(crate) not_compared: Vec<(String, String)>,
}

impl Changes {
    fn add(
        &mut self,
        path: &str,
        a: Option<RecordedJson>,
        b: Option<RecordedJson>,
        first_differing_byte: Option<u64>,
    ) {
        if self.list.len() < MAX_CHANGES {
            self.list.push(Change { path: path.to_owned(), a, b, first_differing_byte });
        } else {
            self.more += 1;
        }
    }

    fn leaf(&mut self, path: &str, a: Option<&Node<'_>>, b: Option<&Node<'_>>) {
        if self.list.len() < MAX_CHANGES {
            self.add(path, a.map(owned), b.map(owned), None);
        } else {
            self.more += 1;
        }
    }

    fn skip(&mut self, path: &str, why: impl Into<String>) {
        if self.not_compared.len() < MAX_CHANGES {
            self.not_compared.push((path.to_owned(), why.into()));
        }
    }

    fn found(&self) -> usize {
        self.list.len() + self.more + self.not_compared.len()
    }
}

/// Options of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CompareOptions<'i> {
    pub(crate) ignored: &'i IgnoredHeaders,
    /// True if the value is secret, whatever it contains.
    pub(crate) secret: bool,
    /// True if both traces hash secrets with the same key.
    pub(crate) has_one_key: bool,
    /// Reason why masks may differ although the secrets behind them are equal; `None` if they cannot.
    pub(crate) why_masks_may_differ: Option<&'static str>,
}

/// Result of comparing two recorded values.
enum Known {
    Equal,
    Different,
    /// Different, unless only the masks are. With the reason.
    UpToMasks(&'static str),
    /// Unknown, with the reason.
    Nothing(String),
}

/// Compares two recorded values under `path`; `None` stands for no value.
pub(crate) fn recorded(
    path: &str,
    a: Option<&Recorded>,
    b: Option<&Recorded>,
    how: CompareOptions<'_>,
    out: &mut Changes,
) {
    let mut how = how;
    match (a, b) {
        (None, None) => return,
        (Some(a), Some(b)) => match known(a, b, how) {
            Known::Equal => return,
            Known::Different => {}
            Known::UpToMasks(why) => how.why_masks_may_differ = Some(why),
            Known::Nothing(why) => return out.skip(path, why),
        },
        _ => {}
    }
    let shown = a.and_then(Recorded::value).zip(b.and_then(Recorded::value));
    if let (Some((a, b)), false) = (shown, how.secret) {
        // With one key, equal secrets have equal masks, so no difference hides behind them.
        let before = out.found();
        nodes(&mut path.to_owned(), &a.root(), &b.root(), how, out);
        match how.why_masks_may_differ {
            Some(why) if out.found() == before => out.skip(path, why),
            _ => {}
        }
        return;
    }
    let hide = how.secret || [a, b].into_iter().flatten().any(Recorded::is_secret);
    out.add(path, a.map(|a| side(a, hide)), b.map(|b| side(b, hide)), None);
}

/// Returns a side of a change as a whole.
fn side(recorded: &Recorded, hide: bool) -> RecordedJson {
    match recorded {
        Recorded::Sealed { hash, masked: shown, .. } | Recorded::Hashed { hash, masked: shown } => {
            let shown = if hide { None } else { shown.clone() };
            RecordedJson::Value(Recorded::Hashed { hash: *hash, masked: shown })
        }
        Recorded::Plain { .. } if hide => RecordedJson::Masked,
        other => RecordedJson::Value(other.clone()),
    }
}

/// Returns what is known about two recorded values. Summaries do not matter.
fn known(a: &Recorded, b: &Recorded, how: CompareOptions<'_>) -> Known {
    use Recorded::{Hashed, Missing, Plain, Sealed};
    let equal = |is| if is { Known::Equal } else { Known::Different };
    match (a, b) {
        (Missing(_), _) | (_, Missing(_)) => Known::Nothing(missing(a, b)),
        (Plain { value: a, .. }, Plain { value: b, .. }) => equal(a == b),
        (
            Sealed { hash: x, .. } | Hashed { hash: x, .. },
            Sealed { hash: y, .. } | Hashed { hash: y, .. },
        ) => {
            let is_whole = a.value().is_none() || b.value().is_none();
            match (x == y, how.has_one_key) {
                // Equal hashes require equal secrets and equal keys, whatever is known about the keys.
                (true, _) => Known::Equal,
                (false, true) => Known::Different,
                (false, false) if is_whole || how.secret => Known::Nothing(OTHER_KEY.to_owned()),
                (false, false) => Known::UpToMasks(OTHER_KEY),
            }
        }
        // A secret in one trace need not be known as one in the other.
        _ if a.value().is_some() && b.value().is_some() && !how.secret => Known::UpToMasks(ONE_SIDE),
        _ => Known::Nothing(ONE_SIDE.to_owned()),
    }
}

/// Returns the reason for a missing value: `not recorded in a: too large`.
fn missing(a: &Recorded, b: &Recorded) -> String {
    let of = |recorded: &Recorded| match recorded {
        Recorded::Missing(missing) => Some(why(missing)),
        _ => None,
    };
    match (of(a), of(b)) {
        (Some(a), Some(b)) if a == b => format!("not recorded in either: {a}"),
        (Some(a), Some(b)) => format!("not recorded in a: {a}; in b: {b}"),
        (Some(why), None) => format!("not recorded in a: {why}"),
        (None, Some(why)) => format!("not recorded in b: {why}"),
        (None, None) => String::new(),
    }
}

/// Compares two nodes. Leaves `path` unchanged.
pub(crate) fn nodes(
    path: &mut String,
    a: &Node<'_>,
    b: &Node<'_>,
    how: CompareOptions<'_>,
    out: &mut Changes,
) {
    match (a, b) {
        (Node::Some(a), Node::Some(b)) => nodes(path, a, b, how, out),
        (Node::Struct(a), Node::Struct(b)) => fields(path, a, b, how, out),
        (Node::Map(a), Node::Map(b)) => {
            entries(path, by_key(a), by_key(b), how, out);
        }
        (Node::Seq(a), Node::Seq(b)) => match (headers(a), headers(b)) {
            (Some(a), Some(b)) => {
                let (a, b) = without_ignored(a, b, how.ignored, out);
                entries(path, a, b, how, out);
            }
            _ => items(path, a, b, how, out),
        },
        (Node::Variant(a_name, Some(a)), Node::Variant(b_name, Some(b))) if a_name == b_name => {
            within(path, &format!(".{a_name}"), |path| nodes(path, a, b, how, out));
        }
        // Bytes with a masked secret are text.
        (Node::Bytes(_) | Node::Str(_), Node::Bytes(_) | Node::Str(_)) => {
            let raw = |node: &Node<'_>| node.as_bytes().unwrap_or_default().into_owned();
            bytes(path, &raw(a), &raw(b), how, out);
        }
        _ if is_same(a, b) => {}
        _ => out.leaf(path, Some(a), Some(b)),
    }
}

/// Compares bytes as JSON if both are JSON, as text if both are text, or else as bytes.
pub(crate) fn bytes(path: &mut String, a: &[u8], b: &[u8], how: CompareOptions<'_>, out: &mut Changes) {
    if a == b {
        return;
    }
    let mut first_differing_byte = None;
    if let (Some(a_json), Some(b_json)) = (json(a), json(b)) {
        let before = out.found();
        nodes(path, &a_json.node(), &b_json.node(), how, out);
        if out.found() > before {
            return;
        }
        // The same JSON in another notation is shown as text.
        first_differing_byte = Some(first_differing(a, b));
    }
    match (str::from_utf8(a), str::from_utf8(b)) {
        (Ok(a), Ok(b)) => {
            if let Some(why) = how.why_masks_may_differ.filter(|_| masked_text::may_be_equal(a, b)) {
                return out.skip(path, why);
            }
            let side = |text| Some(owned(&Node::Str(text)));
            out.add(path, side(a), side(b), first_differing_byte);
        }
        _ => out.leaf(path, Some(&Node::Bytes(a)), Some(&Node::Bytes(b))),
    }
}

fn first_differing(a: &[u8], b: &[u8]) -> u64 {
    std::iter::zip(a, b).take_while(|(a, b)| a == b).count() as u64
}

/// Parses a JSON object or array.
fn json(bytes: &[u8]) -> Option<JsonTree<'_>> {
    let opens = bytes.trim_ascii_start().first();
    if bytes.len() > MAX_JSON || !matches!(opens, Some(b'{' | b'[')) {
        return None;
    }
    JsonTree::read(bytes).ok()
}

fn fields(
    path: &mut String,
    a: &[(&str, Node<'_>)],
    b: &[(&str, Node<'_>)],
    how: CompareOptions<'_>,
    out: &mut Changes,
) {
    // Fast path: the same fields in the same order.
    if a.len() == b.len() && a.iter().zip(b).all(|((a, _), (b, _))| a == b) {
        for ((name, a), (_, b)) in a.iter().zip(b) {
            within(path, &format!(".{name}"), |path| nodes(path, a, b, how, out));
        }
        return;
    }
    let named = |fields| -> Vec<(String, _)> {
        let fields: &[(&str, Node<'_>)] = fields;
        fields.iter().map(|(name, value)| ((*name).to_owned(), value)).collect()
    };
    entries(path, named(a), named(b), how, out);
}

type Named<'n, 'v> = Vec<(String, &'n Node<'v>)>;

/// Compares named entries by name and occurrence: those of `a` in order, then those that only `b` has.
fn entries(
    path: &mut String,
    a: Named<'_, '_>,
    b: Named<'_, '_>,
    how: CompareOptions<'_>,
    out: &mut Changes,
) {
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
                nodes(path, a, b[at].1, how, out);
            }
            None => alone(path, name, Some(a), None, how, out),
        });
    }
    for ((name, b), _) in b.iter().zip(&taken).filter(|(_, taken)| !**taken) {
        within(path, &segment(name), |path| alone(path, name, None, Some(b), how, out));
    }
}

/// Adds an entry that only one side has, unless its name contains a mask.
fn alone(
    path: &str,
    name: &str,
    a: Option<&Node<'_>>,
    b: Option<&Node<'_>>,
    how: CompareOptions<'_>,
    out: &mut Changes,
) {
    match how.why_masks_may_differ {
        Some(why) if masked_text::has_mask(name) => out.skip(path, why),
        _ => out.leaf(path, a, b),
    }
}

fn items(path: &mut String, a: &[Node<'_>], b: &[Node<'_>], how: CompareOptions<'_>, out: &mut Changes) {
    for at in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(at), b.get(at));
        within(path, &format!("[{at}]"), |path| match (a, b) {
            (Some(a), Some(b)) => nodes(path, a, b, how, out),
            _ => out.leaf(path, a, b),
        });
    }
}

/// Returns the entries of a map, named by their displayed keys.
fn by_key<'n, 'v>(entries: &'n [(Node<'v>, Node<'v>)]) -> Named<'n, 'v> {
    let name = |key: &Node<'_>| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
    entries.iter().map(|(key, value)| (name(key), value)).collect()
}

/// Returns the entries of a header list, in which each item is a struct of a name and a value.
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

/// Returns the headers to compare, and notes the others that differ.
fn without_ignored<'n, 'v>(
    a: Named<'n, 'v>,
    b: Named<'n, 'v>,
    ignored: &IgnoredHeaders,
    out: &mut Changes,
) -> (Named<'n, 'v>, Named<'n, 'v>) {
    let split = |list: Named<'n, 'v>| -> (Named<'n, 'v>, Named<'n, 'v>) {
        list.into_iter().partition(|(name, _)| !ignored.has(name))
    };
    let ((a, left_a), (b, left_b)) = (split(a), split(b));
    let named = |left: &Named<'n, 'v>| {
        let mut named: BTreeMap<String, Vec<&'n Node<'v>>> = BTreeMap::new();
        left.iter().for_each(|(name, value)| named.entry(name.clone()).or_default().push(value));
        named
    };
    let (left_a, left_b) = (named(&left_a), named(&left_b));
    let names = left_a.keys().chain(left_b.keys());
    out.ignored.extend(names.filter(|name| left_a.get(*name) != left_b.get(*name)).cloned());
    (a, b)
}

/// Returns a path segment: `.name`, or `["a name"]` if it is not a single word.
fn segment(name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.chars().all(is_word) { format!(".{name}") } else { format!("[{name:?}]") }
}

fn within(path: &mut String, segment: &str, f: impl FnOnce(&mut String)) {
    let len = path.len();
    // A path does not start with a dot.
    path.push_str(if len == 0 { segment.trim_start_matches('.') } else { segment });
    f(path);
    path.truncate(len);
}

/// Returns a node as a value.
fn owned(node: &Node<'_>) -> RecordedJson {
    let mut encoder = Encoder::new();
    let value = encoder.node(node, &mut |_| None).and_then(|()| encoder.finish());
    RecordedJson::Value(match value {
        Ok(value) => Recorded::Plain { value, summary: None },
        Err(_) => Recorded::Missing(MissingReason::TooLarge),
    })
}

#[cfg(test)]
mod tests;
