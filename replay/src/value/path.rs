//! Paths within values: where two values differ, and how to replace one part.

use std::collections::BTreeMap;

use zerver_trace::value::Encoder;
use zerver_trace::{Node, Value, ValueError, nearest_name};

use crate::value::equality::is_same;

/// Maximum number of differences listed for one value. Further ones are counted.
pub(crate) const MAX_DIFFERENCES: usize = 8;

/// A place where two values differ, with both sides.
pub(crate) struct Difference<'a> {
    /// Names and positions that lead to the place.
    pub(crate) path: Vec<String>,
    pub(crate) expected: Option<Node<'a>>,
    pub(crate) got: Option<Node<'a>>,
}

/// Returns the first places where two values differ.
pub(crate) fn differences<'a>(expected: &'a Value, got: &'a Value) -> Found<'a> {
    if expected == got { Found { list: Vec::new(), more: 0 } } else { between(expected.root(), got.root()) }
}

/// Returns the first places where two nodes differ.
pub(crate) fn between<'a>(expected: Node<'a>, got: Node<'a>) -> Found<'a> {
    let mut found = Found { list: Vec::new(), more: 0 };
    if is_same(&expected, &got) {
        return found;
    }
    compare(&expected, &got, &mut Vec::new(), &mut found);
    if found.list.is_empty() {
        // Only the order differs.
        found.list.push(Difference { path: Vec::new(), expected: Some(expected), got: Some(got) });
    }
    found
}

/// Differences of a value.
pub(crate) struct Found<'a> {
    pub(crate) list: Vec<Difference<'a>>,
    /// Number of further places that differ.
    pub(crate) more: usize,
}

impl<'a> std::ops::Deref for Found<'a> {
    type Target = [Difference<'a>];

    fn deref(&self) -> &[Difference<'a>] {
        &self.list
    }
}

impl<'a> Found<'a> {
    fn add(&mut self, path: &[String], expected: Option<&Node<'a>>, got: Option<&Node<'a>>) {
        if self.list.len() >= MAX_DIFFERENCES {
            self.more += 1;
            return;
        }
        self.list.push(Difference { path: path.to_vec(), expected: expected.cloned(), got: got.cloned() });
    }
}

fn compare<'a>(a: &Node<'a>, b: &Node<'a>, path: &mut Vec<String>, found: &mut Found<'a>) {
    match (a, b) {
        (Node::Some(a), Node::Some(b)) => compare(a, b, path, found),
        (Node::Variant(name, Some(a)), Node::Variant(other, Some(b))) if name == other => {
            path.push((*name).to_owned());
            compare(a, b, path, found);
            path.pop();
        }
        (Node::Struct(a), Node::Struct(b)) => {
            let named = |fields: &[(&'a str, Node<'a>)]| -> Vec<String> {
                fields.iter().map(|(name, _)| (*name).to_owned()).collect()
            };
            entries(
                named(a),
                a.iter().map(|(_, value)| value),
                named(b),
                b.iter().map(|(_, value)| value),
                path,
                found,
            );
        }
        (Node::Map(a), Node::Map(b)) => {
            let named = |entries: &[(Node<'a>, Node<'a>)]| -> Vec<String> {
                entries.iter().map(|(key, _)| name(key)).collect()
            };
            entries(
                named(a),
                a.iter().map(|(_, value)| value),
                named(b),
                b.iter().map(|(_, value)| value),
                path,
                found,
            );
        }
        (Node::Seq(a), Node::Seq(b)) => {
            for at in 0..a.len().max(b.len()) {
                let (a, b) = (a.get(at), b.get(at));
                path.push(at.to_string());
                match (a, b) {
                    (Some(a), Some(b)) => compare(a, b, path, found),
                    _ => found.add(path, a, b),
                }
                path.pop();
            }
        }
        (a, b) if is_same(a, b) => {}
        (a, b) => found.add(path, Some(a), Some(b)),
    }
}

/// Compares named entries by name and, if a name occurs more than once, by occurrence.
fn entries<'n, 'a: 'n>(
    a_names: Vec<String>,
    a: impl Iterator<Item = &'n Node<'a>>,
    b_names: Vec<String>,
    b: impl Iterator<Item = &'n Node<'a>>,
    path: &mut Vec<String>,
    found: &mut Found<'a>,
) {
    let b: Vec<&Node<'a>> = b.collect();
    let mut left: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, name) in b_names.iter().enumerate().rev() {
        left.entry(name).or_default().push(at);
    }
    let mut taken = vec![false; b.len()];
    for (name, a) in a_names.into_iter().zip(a) {
        let partner = left.get_mut(name.as_str()).and_then(Vec::pop);
        path.push(name);
        match partner {
            Some(at) => {
                taken[at] = true;
                compare(a, b[at], path, found);
            }
            None => found.add(path, Some(a), None),
        }
        path.pop();
    }
    for (at, _) in taken.iter().enumerate().filter(|(_, taken)| !**taken) {
        path.push(b_names[at].clone());
        found.add(path, None, Some(b[at]));
        path.pop();
    }
}

/// Returns the key of a map entry as a part of a path.
fn name(key: &Node<'_>) -> String {
    key.as_str().map_or_else(|| key.to_string(), ToOwned::to_owned)
}

/// A path leads nowhere in a value.
pub(crate) struct NoSuchPlace {
    /// First part of the path that does not exist.
    pub(crate) part: String,
    /// Parts that exist instead.
    pub(crate) there: Vec<String>,
    pub(crate) nearest: Option<String>,
}

/// Returns the value with the part at `path` replaced, and the part that was there.
pub(crate) fn replaced(
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

pub(crate) fn step_into<'n, 'a>(node: &'n mut Node<'a>, part: &str) -> Result<&'n mut Node<'a>, NoSuchPlace> {
    let none = |there: Vec<String>| {
        let nearest = nearest_name(part, there.iter().map(String::as_str)).map(ToOwned::to_owned);
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

/// Returns a node as a value.
pub(crate) fn own(node: &Node<'_>) -> Result<Value, ValueError> {
    let mut encoder = Encoder::new();
    encoder.node(node, &mut |_| None)?;
    encoder.finish()
}

/// Joins a field and a path in it.
pub(crate) fn joined(field: &str, path: &[String]) -> String {
    let parts = path.iter().flat_map(|part| [".", part.as_str()]);
    std::iter::once(field).chain(parts).collect()
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
        Value::from_serialize(&Todo { title, tags: tags.to_vec(), due: Some(State::Moved { to }) }).unwrap()
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
    fn each_difference_has_a_path() {
        check(&todo("a", &["x"], 1), &todo("a", &["x"], 1), &[]);
        check(
            &todo("a", &["x"], 1),
            &todo("b", &["x", "y"], 2),
            &[r#"title: "a" "b""#, r#"tags.1: - "y""#, "due.Moved.to: 1 2"],
        );
        let map = |pairs: [(u8, u8); 2]| Value::from_serialize(&BTreeMap::from(pairs)).unwrap();
        check(&map([(1, 1), (2, 2)]), &map([(2, 3), (3, 3)]), &["1: 1 -", "2: 2 3", "3: - 3"]);
        check(&Value::from_serialize(&1).unwrap(), &Value::from_serialize("1").unwrap(), &[r#": 1 "1""#]);
        check(&Value::from_serialize(&f64::NAN).unwrap(), &Value::from_serialize(&f64::NAN).unwrap(), &[]);
        // Integers by value, floats by their bits.
        check(
            &Value::from_serialize(&(1u8, 1.5f32, f64::NAN)).unwrap(),
            &Value::from_serialize(&(1i64, 1.5f64, -f64::NAN)).unwrap(),
            &[],
        );
        check(
            &Value::from_serialize(&[0.0]).unwrap(),
            &Value::from_serialize(&[-0.0]).unwrap(),
            &["0: 0.0 -0.0"],
        );
        check(
            &Value::from_serialize(&None::<u8>).unwrap(),
            &Value::from_serialize(&Some(None::<u8>)).unwrap(),
            &[": none none"],
        );
        let other = Value::from_serialize(&serde_json::json!([{ "b": 1 }])).unwrap();
        check(&other, &Value::from_serialize(&serde_json::json!([{ "b": 2 }])).unwrap(), &["0.b: 1 2"]);
    }

    /// A quadratic algorithm would take minutes here.
    #[test]
    fn long_lists_are_compared_in_one_pass() {
        let list = |from: u64| Node::Seq((from..from + 250_000).map(Node::Uint).collect());
        let found = between(list(1), list(2));
        assert_eq!((found.list.len(), found.more), (MAX_DIFFERENCES, 250_000 - MAX_DIFFERENCES));
        let map =
            |from: u64| Node::Map((0..250_000).map(|at| (Node::Uint(at), Node::Uint(at + from))).collect());
        let found = between(map(1), map(2));
        assert_eq!((found.list.len(), found.more), (MAX_DIFFERENCES, 250_000 - MAX_DIFFERENCES));
    }

    #[test]
    fn one_part_is_replaced() {
        let by = Value::from_serialize(&9u8).unwrap();
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
