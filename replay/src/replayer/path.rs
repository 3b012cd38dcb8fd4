//! Where two values differ, and how one is changed at one place.

use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value, ValueError};

use super::nearest;

/// So many differences of one value are told; who has more wants to see the whole values.
pub(super) const MAX_DIFFERENCES: usize = 8;

/// A place at which two values differ, with what is there.
pub(super) struct Difference<'a> {
    /// The names and positions that lead there.
    pub(super) path: Vec<String>,
    pub(super) expected: Option<Node<'a>>,
    pub(super) got: Option<Node<'a>>,
}

/// The first places at which two values differ.
pub(super) fn differences<'a>(expected: &'a Value, got: &'a Value) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    if expected != got {
        compare(expected.root(), got.root(), &mut Vec::new(), &mut found);
        if found.is_empty() {
            // They are written differently, and mean the same to an eye: a NaN, a number of another width.
            let (expected, got) = (Some(expected.root()), Some(got.root()));
            found.push(Difference { path: Vec::new(), expected, got });
        }
    }
    found
}

fn compare<'a>(a: Node<'a>, b: Node<'a>, path: &mut Vec<String>, found: &mut Vec<Difference<'a>>) {
    if found.len() >= MAX_DIFFERENCES || a == b {
        return;
    }
    match (a, b) {
        (Node::Some(a), Node::Some(b)) => compare(*a, *b, path, found),
        (Node::Variant(name, Some(a)), Node::Variant(other, Some(b))) if name == other => {
            path.push(name.to_owned());
            compare(*a, *b, path, found);
            path.pop();
        }
        (Node::Struct(a), Node::Struct(b)) => {
            let named = |fields: Vec<(&'a str, Node<'a>)>| {
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            };
            entries(named(a), named(b), path, found);
        }
        (Node::Map(a), Node::Map(b)) => {
            let named = |entries: Vec<(Node<'a>, Node<'a>)>| {
                entries.into_iter().map(|(key, value)| (name(&key), value)).collect()
            };
            entries(named(a), named(b), path, found);
        }
        (Node::Seq(a), Node::Seq(b)) => {
            let numbered = |items: Vec<Node<'a>>| {
                items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
            };
            entries(numbered(a), numbered(b), path, found);
        }
        (a, b) => found.push(Difference { path: path.clone(), expected: Some(a), got: Some(b) }),
    }
}

fn entries<'a>(
    a: Vec<(String, Node<'a>)>,
    mut b: Vec<(String, Node<'a>)>,
    path: &mut Vec<String>,
    found: &mut Vec<Difference<'a>>,
) {
    // Mostly the names are the same, in the same order.
    for (name, a) in a {
        path.push(name);
        let at = b.iter().position(|(other, _)| Some(other) == path.last());
        match at.map(|at| b.remove(at).1) {
            Some(b) => compare(a, b, path, found),
            None if found.len() < MAX_DIFFERENCES => {
                found.push(Difference { path: path.clone(), expected: Some(a), got: None });
            }
            None => {}
        }
        path.pop();
    }
    for (name, b) in b {
        if found.len() < MAX_DIFFERENCES {
            let path = path.iter().cloned().chain([name]).collect();
            found.push(Difference { path, expected: None, got: Some(b) });
        }
    }
}

/// A key of a map, as a part of a path.
fn name(key: &Node<'_>) -> String {
    key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned)
}

/// Why a value has nothing at a path.
pub(super) struct NoSuchPlace {
    /// The part that is not there.
    pub(super) part: String,
    /// What is there instead, nearest first.
    pub(super) there: Vec<String>,
    pub(super) nearest: Option<String>,
}

/// The value with another one at this place, and what was there.
pub(super) fn replaced(
    value: &Value,
    path: &[String],
    by: &Value,
) -> Result<(Result<Value, ValueError>, Value), NoSuchPlace> {
    let mut root = value.root();
    let mut place = &mut root;
    for part in path {
        place = step_into(place, part)?;
    }
    let before = own(place).unwrap_or_else(|_| by.clone());
    *place = by.root();
    Ok((own(&root), before))
}

fn step_into<'n, 'a>(node: &'n mut Node<'a>, part: &str) -> Result<&'n mut Node<'a>, NoSuchPlace> {
    let none = |there: Vec<String>| {
        let nearest = nearest(part, there.iter().map(String::as_str)).map(ToOwned::to_owned);
        NoSuchPlace { part: part.to_owned(), there, nearest }
    };
    match node {
        Node::Some(inner) => step_into(inner, part),
        Node::Variant(name, Some(inner)) if *name == part => Ok(inner),
        Node::Variant(name, Some(_)) => Err(none(vec![(*name).to_owned()])),
        Node::Struct(fields) => match fields.iter().position(|(name, _)| *name == part) {
            Some(at) => Ok(&mut fields[at].1),
            None => Err(none(fields.iter().map(|(name, _)| (*name).to_owned()).collect())),
        },
        Node::Map(entries) => match entries.iter().position(|(key, _)| name(key) == part) {
            Some(at) => Ok(&mut entries[at].1),
            None => Err(none(entries.iter().map(|(key, _)| name(key)).collect())),
        },
        Node::Seq(items) => match part.parse::<usize>() {
            Ok(at) if at < items.len() => Ok(&mut items[at]),
            _ => Err(none((0..items.len()).map(|at| at.to_string()).collect())),
        },
        _ => Err(none(Vec::new())),
    }
}

/// A part of a value as a value of its own.
pub(super) fn own(node: &Node<'_>) -> Result<Value, ValueError> {
    let mut encoder = Encoder::new();
    encoder.node(node, &mut |_| None)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::*;

    #[derive(Serialize)]
    struct Todo {
        title: &'static str,
        tags: Vec<&'static str>,
        due: Option<State>,
    }

    #[derive(Serialize)]
    enum State {
        Moved { to: u8 },
    }

    fn todo(title: &'static str, tags: &[&'static str], to: u8) -> Value {
        Value::of(&Todo { title, tags: tags.to_vec(), due: Some(State::Moved { to }) }).unwrap()
    }

    fn check(a: &Value, b: &Value, wanted: &[&str]) {
        let shown: Vec<_> = differences(a, b)
            .iter()
            .map(|difference| {
                let side =
                    |node: &Option<Node<'_>>| node.as_ref().map_or("-".to_owned(), ToString::to_string);
                let (a, b) = (side(&difference.expected), side(&difference.got));
                format!("{}: {a} {b}", difference.path.join("."))
            })
            .collect();
        assert_eq!(shown, wanted);
    }

    #[test]
    fn each_difference_is_named_by_its_path() {
        check(&todo("a", &["x"], 1), &todo("a", &["x"], 1), &[]);
        check(
            &todo("a", &["x"], 1),
            &todo("b", &["x", "y"], 2),
            &[r#"title: "a" "b""#, r#"tags.1: - "y""#, "due.Moved.to: 1 2"],
        );
        let map = |pairs: [(u8, u8); 2]| Value::of(&BTreeMap::from(pairs)).unwrap();
        check(&map([(1, 1), (2, 2)]), &map([(2, 3), (3, 3)]), &["1: 1 -", "2: 2 3", "3: - 3"]);
        check(&Value::of(&1).unwrap(), &Value::of("1").unwrap(), &[r#": 1 "1""#]);
        check(&Value::of(&f64::NAN).unwrap(), &Value::of(&f64::NAN).unwrap(), &[]);
    }

    #[test]
    fn one_place_is_replaced_and_others_stay() {
        let by = Value::of(&9u8).unwrap();
        let path = ["due", "Moved", "to"].map(str::to_owned);
        let Ok((value, before)) = replaced(&todo("a", &["x"], 1), &path, &by) else {
            panic!("no such place")
        };
        assert_eq!((value.unwrap(), before.to_string()), (todo("a", &["x"], 9), "1".to_owned()));
        let Err(none) = replaced(&todo("a", &["x"], 1), &["titel".to_owned()], &by) else { panic!("it is") };
        assert_eq!(none.nearest.as_deref(), Some("title"));
        assert!(replaced(&todo("a", &["x"], 1), &["tags".to_owned(), "1".to_owned()], &by).is_err());
    }
}
