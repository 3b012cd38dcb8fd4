//! Two recorded values, compared by their structure: fields by name, lists by index, maps by key, lists of headers by
//! the names in them; JSON in texts and bytes as it is written. A secret is compared by its keyed hash and never looked
//! into. What was not recorded, and hashes under different keys, are not compared, and that is said.

use std::collections::{BTreeMap, BTreeSet};

use zerver_replay::RecordedJson;
use zerver_replay::value::equality::is_same;
use zerver_replay::value::json::why;
use zerver_replay::value::json_tree::JsonTree;
use zerver_replay::value::masked_text;
use zerver_trace::value::Encoder;
use zerver_trace::{MissingReason, Node, Recorded};

use super::ignored_headers::IgnoredHeaders;

/// Of one value, at most so many changes are listed; the rest is counted.
const MAX_CHANGES: usize = 200;
/// Bytes longer than this are not parsed as JSON.
const MAX_JSON: usize = 256 * 1024;
/// Why hashes cannot be held against each other.
pub(super) const OTHER_KEY: &str = "secrets are hashed under different keys";
/// Why a secret and a plain value cannot be.
pub(super) const ONE_SIDE: &str = "it is a secret on one side only";

/// A place in a value where two traces differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// Where: `Todo.title`, `items[3].id`; empty for the value itself.
    pub(super) path: String,
    /// What the first trace has there; none if nothing.
    pub(super) a: Option<RecordedJson>,
    /// What the second trace has there; none if nothing.
    pub(super) b: Option<RecordedJson>,
    /// Where both say the same JSON, the first byte that is written differently.
    pub(super) written_at: Option<u64>,
}

/// The changes of a value.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) list: Vec<Change>,
    /// So many more are not listed.
    pub(super) more: usize,
    /// Names of headers which were not compared although they differ.
    pub(super) ignored: BTreeSet<String>,
    /// Places that could not be compared, and why.
    pub(super) not_compared: Vec<(String, String)>,
}

impl Changes {
    fn add(&mut self, path: &str, a: Option<RecordedJson>, b: Option<RecordedJson>, written_at: Option<u64>) {
        if self.list.len() < MAX_CHANGES {
            self.list.push(Change { path: path.to_owned(), a, b, written_at });
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

/// How a value is to be compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct How<'i> {
    pub(super) ignored: &'i IgnoredHeaders,
    /// Whether it is a secret, whatever the value says.
    pub(super) secret: bool,
    /// Whether hashes of the two traces were made under one key.
    pub(super) one_key: bool,
    /// Why masks in it may differ where the secrets behind them do not; none where they do not.
    pub(super) masks_lie: Option<&'static str>,
}

/// What is known of two recordings.
enum Known {
    Equal,
    Different,
    /// Different, or only the masks are, and why.
    UpToMasks(&'static str),
    /// Nothing, and why.
    Nothing(String),
}

/// Compares what was recorded under `path`; none where there was nothing.
pub(super) fn recorded(
    path: &str,
    a: Option<&Recorded>,
    b: Option<&Recorded>,
    how: How<'_>,
    out: &mut Changes,
) {
    let mut how = how;
    match (a, b) {
        (None, None) => return,
        (Some(a), Some(b)) => match known(a, b, how) {
            Known::Equal => return,
            Known::Different => {}
            Known::UpToMasks(why) => how.masks_lie = Some(why),
            Known::Nothing(why) => return out.skip(path, why),
        },
        _ => {}
    }
    let shown = a.and_then(Recorded::value).zip(b.and_then(Recorded::value));
    if let (Some((a, b)), false) = (shown, how.secret) {
        // Under one key equal secrets have equal masks, so nothing that differs is behind them.
        let before = out.found();
        nodes(&mut path.to_owned(), &a.root(), &b.root(), how, out);
        match how.masks_lie {
            Some(why) if out.found() == before => out.skip(path, why),
            _ => {}
        }
        return;
    }
    let hide = how.secret || [a, b].into_iter().flatten().any(Recorded::is_secret);
    out.add(path, a.map(|a| side(a, hide)), b.map(|b| side(b, hide)), None);
}

/// A side of a change that is not looked into.
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

/// Whether two recordings say the same, their lines for a person aside.
fn known(a: &Recorded, b: &Recorded, how: How<'_>) -> Known {
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
            match (x == y, how.one_key) {
                // Equal hashes come of equal secrets and equal keys, whatever is known of the keys.
                (true, _) => Known::Equal,
                (false, true) => Known::Different,
                (false, false) if is_whole || how.secret => Known::Nothing(OTHER_KEY.to_owned()),
                (false, false) => Known::UpToMasks(OTHER_KEY),
            }
        }
        // What is a secret in one trace need not be known as one in the other.
        _ if a.value().is_some() && b.value().is_some() && !how.secret => Known::UpToMasks(ONE_SIDE),
        _ => Known::Nothing(ONE_SIDE.to_owned()),
    }
}

/// `not recorded in a: too large`.
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

/// Compares two parts of values; `path` is put back as it was.
pub(super) fn nodes(path: &mut String, a: &Node<'_>, b: &Node<'_>, how: How<'_>, out: &mut Changes) {
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
        // Bytes in which a secret is masked are text.
        (Node::Bytes(_) | Node::Str(_), Node::Bytes(_) | Node::Str(_)) => {
            let raw = |node: &Node<'_>| node.as_bytes().unwrap_or_default().into_owned();
            bytes(path, &raw(a), &raw(b), how, out);
        }
        _ if is_same(a, b) => {}
        _ => out.leaf(path, Some(a), Some(b)),
    }
}

/// Compares two runs of bytes: as JSON if both are, as text if both are, or as they are.
pub(super) fn bytes(path: &mut String, a: &[u8], b: &[u8], how: How<'_>, out: &mut Changes) {
    if a == b {
        return;
    }
    let mut written_at = None;
    if let (Some(a_json), Some(b_json)) = (json(a), json(b)) {
        let before = out.found();
        nodes(path, &a_json.node(), &b_json.node(), how, out);
        if out.found() > before {
            return;
        }
        // The same JSON, written in another way, is told as text.
        written_at = Some(first_differing(a, b));
    }
    match (str::from_utf8(a), str::from_utf8(b)) {
        (Ok(a), Ok(b)) => {
            if let Some(why) = how.masks_lie.filter(|_| masked_text::may_be_equal(a, b)) {
                return out.skip(path, why);
            }
            let side = |text| Some(owned(&Node::Str(text)));
            out.add(path, side(a), side(b), written_at);
        }
        _ => out.leaf(path, Some(&Node::Bytes(a)), Some(&Node::Bytes(b))),
    }
}

fn first_differing(a: &[u8], b: &[u8]) -> u64 {
    std::iter::zip(a, b).take_while(|(a, b)| a == b).count() as u64
}

/// An object or a list of JSON.
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
    how: How<'_>,
    out: &mut Changes,
) {
    // The usual case needs no look-up: the same fields in the same order.
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

/// What has a name, by name and, where a name comes more than once, by its occurrence: those of `a` in their order, then those that only `b`
/// has.
fn entries(path: &mut String, a: Named<'_, '_>, b: Named<'_, '_>, how: How<'_>, out: &mut Changes) {
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

/// What only one side has of this name, unless the name itself is masked.
fn alone(
    path: &str,
    name: &str,
    a: Option<&Node<'_>>,
    b: Option<&Node<'_>>,
    how: How<'_>,
    out: &mut Changes,
) {
    match how.masks_lie {
        Some(why) if masked_text::has_mask(name) => out.skip(path, why),
        _ => out.leaf(path, a, b),
    }
}

fn items(path: &mut String, a: &[Node<'_>], b: &[Node<'_>], how: How<'_>, out: &mut Changes) {
    for at in 0..a.len().max(b.len()) {
        let (a, b) = (a.get(at), b.get(at));
        within(path, &format!("[{at}]"), |path| match (a, b) {
            (Some(a), Some(b)) => nodes(path, a, b, how, out),
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
