//! Unambiguous text of values: different values have different texts. It is used for the two sides of a difference that
//! would otherwise look the same.

use std::fmt::Write;

use super::Node;
use crate::text;

impl Node<'_> {
    /// Returns an unambiguous text on one line, safe for a terminal. Unlike `Display`, it shows options (`some(1)`), the
    /// width of floats, and the exact bytes of texts.
    pub fn to_exact_text(&self) -> String {
        let mut out = String::new();
        put(&mut out, self);
        out
    }
}

fn put(out: &mut String, node: &Node<'_>) {
    match node {
        Node::Some(inner) => {
            out.push_str("some(");
            put(out, inner);
            out.push(')');
        }
        Node::F32(v) => _ = write!(out, "{v:?}f32"),
        // Escaped, to distinguish it from characters that look the same.
        Node::Char(v) => _ = write!(out, "'{}'", v.escape_default()),
        Node::Str(v) => quoted(out, "", v.as_bytes()),
        Node::Bytes(v) => quoted(out, "b", v),
        Node::Seq(items) => list(out, ['[', ']'], items, put),
        Node::Map(entries) => list(out, ['{', '}'], entries, |out, (key, value)| {
            put(out, key);
            out.push_str(": ");
            put(out, value);
        }),
        Node::Struct(fields) => {
            out.push_str("struct ");
            list(out, ['{', '}'], fields, |out, (name, value)| {
                quoted(out, "", name.as_bytes());
                out.push_str(": ");
                put(out, value);
            });
        }
        Node::Variant(name, inner) => {
            quoted(out, "variant ", name.as_bytes());
            if let Some(inner) = inner {
                out.push('(');
                put(out, inner);
                out.push(')');
            }
        }
        plain => _ = write!(out, "{plain}"),
    }
}

fn list<T>(out: &mut String, [open, close]: [char; 2], items: &[T], each: impl Fn(&mut String, &T)) {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        each(out, item);
    }
    out.push(close);
}

/// Writes bytes in quotes. Backslashes and quotes are escaped, so that they differ from the escapes that cleaning adds.
fn quoted(out: &mut String, before: &str, bytes: &[u8]) {
    _ = write!(out, "{before}\"");
    for chunk in bytes.utf8_chunks() {
        for part in chunk.valid().split_inclusive(['\\', '"']) {
            let text = part.trim_end_matches(['\\', '"']);
            out.push_str(&text::clean(text));
            for c in part[text.len()..].chars() {
                out.extend(['\\', c]);
            }
        }
        for byte in chunk.invalid() {
            _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_values_have_different_texts() {
        let one = Node::Uint(1);
        let nodes = [
            Node::None,
            Node::Unit,
            Node::Some(Box::new(Node::None)),
            Node::Some(Box::new(one.clone())),
            one,
            Node::Str("1"),
            Node::Str("none"),
            Node::Variant("none", None),
            Node::F32(0.1),
            Node::F64(0.1),
            Node::F64(-0.0),
            Node::F64(0.0),
            Node::Number("0.10000000000000000001"),
            Node::Str("\u{1b}"),
            Node::Str("\\u{1b}"),
            Node::Str("a\", \"b"),
            Node::Seq(vec![Node::Str("a"), Node::Str("b")]),
            Node::Seq(vec![Node::Str("a\", \"b")]),
            Node::Bytes(b"\xff"),
            Node::Bytes(b"\\xff"),
            Node::Bytes(b"1"),
            Node::Map(vec![]),
            Node::Struct(vec![]),
            Node::Map(vec![(Node::Str("a"), Node::Unit)]),
            Node::Struct(vec![("a", Node::Unit)]),
            Node::Char('a'),
            Node::Str("a"),
        ];
        for (at, a) in nodes.iter().enumerate() {
            for b in &nodes[at + 1..] {
                assert_ne!(a, b);
                assert_ne!(a.to_exact_text(), b.to_exact_text());
            }
            assert_eq!(a, &a.clone());
            assert!(!a.to_exact_text().chars().any(text::is_dangerous));
        }
        assert_eq!(Node::Str("it's \\ \"x\"\n").to_exact_text(), r#""it's \\ \"x\"\n""#);
    }
}
