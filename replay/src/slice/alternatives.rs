//! Other contents for an input, of the same type. Several different ones are tried before an input is ruled out, because a
//! value may depend on an input only from some threshold on, or only on its length.

use std::collections::BTreeSet;

use zerver_trace::{Node, Value};

use super::leaves::{Leaf, NewContent};
use crate::value::path::own;

/// Maximum number of values of other requests to try.
const MAX_SEEN: usize = 6;

/// Returns other contents for a leaf of `root`. `seen` are values that the same input has in other requests.
pub(super) fn alternatives(root: &Value, leaf: &Leaf, seen: &[Value]) -> Vec<NewContent> {
    let mut values = Vec::new();
    let node = leaf.value.root();
    if leaf.is_container && leaf.is_json() {
        let lists = leaf.other_lists(root).into_iter().map(NewContent::Json);
        return lists
            .chain(seen.iter().take(MAX_SEEN).filter_map(|value| content(leaf, &value.root())))
            .collect();
    }
    if leaf.is_container {
        containers(&node, &mut values);
    } else {
        scalars(&node, &mut values);
    }
    values.extend(seen.iter().take(MAX_SEEN).cloned());
    let mut known = BTreeSet::from([leaf.value.tokens().to_vec()]);
    values.retain(|value| known.insert(value.tokens().to_vec()));
    values.iter().filter_map(|value| content(leaf, &value.root())).collect()
}

/// Returns a node as the content of a leaf.
fn content(leaf: &Leaf, node: &Node<'_>) -> Option<NewContent> {
    if leaf.is_json() { json(node).map(NewContent::Json) } else { own(node).ok().map(NewContent::Value) }
}

/// Returns a scalar as JSON text.
fn json(node: &Node<'_>) -> Option<String> {
    Some(match node {
        Node::Unit | Node::None => "null".to_owned(),
        Node::Str(text) => serde_json::to_string(text).ok()?,
        Node::Bool(_) | Node::Uint(_) | Node::Int(_) | Node::U128(_) | Node::I128(_) => node.to_string(),
        Node::F64(number) if number.is_finite() => serde_json::to_string(number).ok()?,
        Node::Number(text) => (*text).to_owned(),
        Node::Some(inner) => json(inner)?,
        _ => return None,
    })
}

fn containers(node: &Node<'_>, out: &mut Vec<Value>) {
    let mut add = |node: Node<'_>| out.extend(own(&node));
    match node {
        Node::Seq(items) if !items.is_empty() => {
            let last = items.len() - 1;
            add(Node::Seq(items[..last].to_vec()));
            add(Node::Seq([items.as_slice(), &items[last..]].concat()));
            add(Node::Seq(Vec::new()));
        }
        Node::Seq(_) => {
            for item in [Node::Uint(1), Node::Str("x"), Node::Bool(true)] {
                add(Node::Seq(vec![item]));
            }
        }
        Node::Map(entries) if !entries.is_empty() => {
            add(Node::Map(entries[..entries.len() - 1].to_vec()));
            add(Node::Map(Vec::new()));
        }
        Node::Some(_) => add(Node::None),
        _ => {}
    }
}

fn scalars(node: &Node<'_>, out: &mut Vec<Value>) {
    let mut add = |node: Node<'_>| out.extend(own(&node));
    match node {
        Node::Some(inner) => {
            let mut inside = Vec::new();
            scalars(inner, &mut inside);
            inside.iter().for_each(|value| add(Node::Some(Box::new(value.root()))));
            add(Node::None);
        }
        Node::None => {
            for inner in [Node::Uint(1), Node::Str("x"), Node::Bool(true), Node::F64(1.5)] {
                add(Node::Some(Box::new(inner)));
            }
        }
        Node::Unit => [Node::Uint(1), Node::Str("x"), Node::Bool(true)].into_iter().for_each(add),
        Node::Bool(value) => add(Node::Bool(!value)),
        Node::Uint(number) => {
            let signed = i64::try_from(*number);
            for other in [
                number.wrapping_add(1),
                number.wrapping_mul(2),
                0,
                number.wrapping_sub(1),
                number.wrapping_mul(1000).wrapping_add(7),
                number.wrapping_mul(1000),
            ] {
                add(Node::Uint(other));
            }
            signed.into_iter().for_each(|number| add(Node::Int(-number)));
        }
        Node::Int(number) => {
            for other in [
                number.wrapping_add(1),
                number.wrapping_mul(2),
                0,
                number.wrapping_sub(1),
                number.wrapping_neg(),
                number.wrapping_mul(1000).wrapping_add(7),
                number.wrapping_mul(1000),
            ] {
                add(Node::Int(other));
            }
        }
        Node::U128(number) => {
            add(Node::U128(number.wrapping_add(1)));
            add(Node::Uint(0));
        }
        Node::I128(number) => {
            add(Node::I128(number.wrapping_add(1)));
            add(Node::Int(0));
        }
        Node::F32(number) => {
            for other in [number + 1.0, number * 2.0, 0.0, -number, number * 1000.0 + 7.0] {
                add(Node::F32(other));
            }
        }
        Node::F64(number) => floats(*number, &mut add),
        Node::Number(text) => {
            if let Ok(number) = text.parse() {
                floats(number, &mut add);
            }
        }
        Node::Char(letter) => {
            for other in ['x', 'y', '0'].into_iter().filter(|other| other != letter) {
                add(Node::Char(other));
            }
        }
        Node::Str(text) => texts(text).iter().for_each(|text| add(Node::Str(text))),
        Node::Bytes(bytes) => match str::from_utf8(bytes) {
            Ok(text) => texts(text).iter().for_each(|text| add(Node::Bytes(text.as_bytes()))),
            Err(_) => {
                let flipped: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
                add(Node::Bytes(&flipped));
                add(Node::Bytes(&bytes[1..]));
                add(Node::Bytes(&[]));
            }
        },
        _ => {}
    }
}

fn floats(number: f64, add: &mut dyn FnMut(Node<'_>)) {
    for other in [number + 1.0, number * 2.0, 0.0, -number, number + 0.25, number * 1000.0 + 7.0] {
        add(Node::F64(other));
    }
}

/// Returns other texts: of the same form, of another length, and other numbers if the text is one.
fn texts(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    if let Ok(number) = text.parse::<i64>() {
        for other in [
            number.wrapping_add(1),
            number.wrapping_mul(2),
            0,
            number.wrapping_sub(1),
            number.wrapping_neg(),
            number.wrapping_mul(1000).wrapping_add(7),
            number.wrapping_mul(1000),
        ] {
            out.push(other.to_string());
        }
    } else if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        out.extend([number + 1.0, number * 2.0, -number].map(|number| number.to_string()));
    }
    match text {
        "true" => out.push("false".to_owned()),
        "false" => out.push("true".to_owned()),
        _ => {}
    }
    let letters = text.chars().filter(|letter| letter.is_ascii_alphanumeric()).count();
    let changed = |is_changed: &dyn Fn(usize) -> bool| {
        let mut at = 0;
        let change = |letter: char| {
            if !letter.is_ascii_alphanumeric() {
                return letter;
            }
            at += 1;
            if is_changed(at - 1) { next_letter(letter) } else { letter }
        };
        text.chars().map(change).collect::<String>()
    };
    if letters > 0 {
        out.push(changed(&|_| true));
        out.push(changed(&|at| at + 1 == letters));
        out.push(changed(&|at| at == 0));
    }
    out.push(format!("{text}x"));
    let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    out.push(text[..half].to_owned());
    out.push(String::new());
    out
}

/// Returns the next letter or digit, so that the form of a text stays: `2026-11-29` remains made of digits.
const fn next_letter(letter: char) -> char {
    match letter {
        '9' => '0',
        'z' => 'a',
        'Z' => 'A',
        other => (other as u8 + 1) as char,
    }
}

#[cfg(test)]
mod tests {
    use super::super::leaves::leaves;
    use super::*;

    fn shown(value: &Value) -> Vec<String> {
        let leaf = &leaves(value)[0];
        let text = |content: NewContent| match content {
            NewContent::Value(value) => value.root().to_string(),
            NewContent::Json(text) => text,
        };
        alternatives(value, leaf, &[]).into_iter().map(text).collect()
    }

    #[test]
    fn other_contents_have_the_same_type() {
        let of = |json: serde_json::Value| shown(&Value::from_serialize(&json).unwrap());
        assert_eq!(of(true.into()), ["false"]);
        assert_eq!(of(5.into()), ["6", "10", "0", "4", "5007", "5000", "-5"]);
        assert_eq!(
            of("ab9-z".into()),
            [r#""bc0-a""#, r#""ab9-a""#, r#""bb9-z""#, r#""ab9-zx""#, r#""ab""#, r#""""#]
        );
        assert_eq!(of("7".into())[..3], [r#""8""#, r#""14""#, r#""0""#]);
        assert_eq!(shown(&Value::from_serialize(&Some(true)).unwrap()), ["false", "none"]);
        let text = Value::from_serialize(&r#"[true, "a"]"#).unwrap();
        assert_eq!(shown(&text), ["false"]);
    }
}
