//! The places of values in a JSON text, so that one can be replaced without touching the rest of the text.

use std::ops::Range;

use crate::value::json_tree::JsonTree;

/// A value in a JSON text, and the bytes that it takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonSpan {
    Scalar(Range<usize>),
    List(Range<usize>, Vec<Self>),
    Object(Range<usize>, Vec<(String, Self)>),
}

impl JsonSpan {
    /// Locates the values of a JSON object or array. Returns `None` if the text is neither.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace())?;
        if !matches!(first, b'{' | b'[') {
            return None;
        }
        // The text is valid and not nested too deeply, so that the scanner need not check it.
        let tree = JsonTree::read(text).ok()?;
        let mut scanner = Scanner { text, at: 0 };
        Some(scanner.value(&tree))
    }

    pub(super) const fn range(&self) -> &Range<usize> {
        match self {
            Self::Scalar(range) | Self::List(range, _) | Self::Object(range, _) => range,
        }
    }
}

struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    /// Skips white space and separators.
    fn skip(&mut self) {
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b':');
        while self.text.get(self.at).is_some_and(is_between) {
            self.at += 1;
        }
    }

    fn value(&mut self, tree: &JsonTree<'_>) -> JsonSpan {
        self.skip();
        let from = self.at;
        match tree {
            JsonTree::List(items) => {
                self.at += 1;
                let items = items.iter().map(|item| self.value(item)).collect();
                self.close();
                JsonSpan::List(from..self.at, items)
            }
            JsonTree::Object(entries) => {
                self.at += 1;
                let entry = |(name, value): &(std::borrow::Cow<'_, str>, JsonTree<'_>)| {
                    self.skip();
                    self.scalar();
                    (name.clone().into_owned(), self.value(value))
                };
                let entries = entries.iter().map(entry).collect();
                self.close();
                JsonSpan::Object(from..self.at, entries)
            }
            _ => {
                self.scalar();
                JsonSpan::Scalar(from..self.at)
            }
        }
    }

    fn close(&mut self) {
        self.skip();
        self.at += 1;
    }

    /// Skips a string, a number or a word.
    fn scalar(&mut self) {
        if self.text.get(self.at) != Some(&b'"') {
            let is_in = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            while self.text.get(self.at).is_some_and(is_in) {
                self.at += 1;
            }
            return;
        }
        self.at += 1;
        while let Some(byte) = self.text.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_located() {
        let text = br#" {"a" : [1, -2.5e3,"x\"]"], "b":{"c":null} , "d":[]}"#;
        let mut found = Vec::new();
        fn walk(span: &JsonSpan, text: &[u8], found: &mut Vec<String>) {
            found.push(String::from_utf8_lossy(&text[span.range().clone()]).into_owned());
            match span {
                JsonSpan::Scalar(_) => {}
                JsonSpan::List(_, items) => items.iter().for_each(|item| walk(item, text, found)),
                JsonSpan::Object(_, entries) => entries.iter().for_each(|(_, item)| walk(item, text, found)),
            }
        }
        walk(&JsonSpan::of(text).unwrap(), text, &mut found);
        let wanted = [r#"[1, -2.5e3,"x\"]"]"#, "1", "-2.5e3", r#""x\"]""#, r#"{"c":null}"#, "null", "[]"];
        assert_eq!(found[1..], wanted);
        for other in [&b""[..], b"5", b"\"x\"", b"{", b"not json"] {
            assert_eq!(JsonSpan::of(other), None);
        }
    }
}
