//! Comparison of JSON documents, with the path of the first difference. A mask in an expected text matches any text.

use std::fmt;

use serde_json::Value as Json;

/// Start of the mask that replaces a secret: `<secret:3f9a2c71d0e4>`.
const MASK: &str = "<secret";

/// Returns true if the documents do not differ.
pub(super) fn matches(expected: &Json, got: &Json) -> bool {
    first_difference(expected, got, &mut String::new()).is_none()
}

/// The first difference between two documents; a side is `None` if it has nothing at that path.
pub(super) struct Difference<'j> {
    pub(super) expected: Option<&'j Json>,
    pub(super) got: Option<&'j Json>,
}

/// Formats a side of a difference for a message.
pub(super) struct Side<'j>(pub(super) Option<&'j Json>);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(json) => fmt::Display::fmt(json, f),
            None => f.write_str("absent"),
        }
    }
}

/// Finds the first difference. If there is one, its path has been appended to `path`.
pub(super) fn first_difference<'j>(
    expected: &'j Json,
    got: &'j Json,
    path: &mut String,
) -> Option<Difference<'j>> {
    let len = path.len();
    let mut descend = |name: &str, expected: Option<&'j Json>, got: Option<&'j Json>| {
        path.push('.');
        path.push_str(name);
        let found = match (expected, got) {
            (Some(expected), Some(got)) => first_difference(expected, got, path),
            (expected, got) => Some(Difference { expected, got }),
        };
        if found.is_none() {
            path.truncate(len);
        }
        found
    };
    match (expected, got) {
        (Json::Object(a), Json::Object(b)) => {
            let mut names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.find_map(|name| descend(name, a.get(name), b.get(name)))
        }
        (Json::Array(a), Json::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|at| descend(&at.to_string(), a.get(at), b.get(at)))
        }
        (Json::String(a), Json::String(b)) if is_text(a, b) => None,
        // Compared as text: -0.0 is not 0.0.
        (Json::Number(a), Json::Number(b)) if a.to_string() == b.to_string() => None,
        (Json::Number(_), Json::Number(_)) => Some(Difference { expected: Some(expected), got: Some(got) }),
        (a, b) if a == b => None,
        (a, b) => Some(Difference { expected: Some(a), got: Some(b) }),
    }
}

/// Returns true if `got` is the expected text, in which a mask stands for any text.
pub(super) fn is_text(expected: &str, got: &str) -> bool {
    let Some((before, rest)) = expected.split_once(MASK) else { return expected == got };
    let Some(got) = got.strip_prefix(before) else { return false };
    let after = rest.split_once('>').map_or("", |(_, after)| after);
    let mut ends = got.char_indices().map(|(at, _)| at).chain([got.len()]);
    ends.any(|at| is_text(after, &got[at..]))
}
