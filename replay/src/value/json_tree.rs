//! JSON exactly as it is written: numbers keep all their digits, objects their order and their repeated names.
//!
//! The tree of a library keeps neither, so texts that differ would be equal. Reading is bounded in depth and linear in
//! length.

use std::borrow::Cow;

use zerver_trace::Node;

use crate::value::decimal::Decimal;

/// Maximum nesting depth; the same as for recorded values.
const MAX_DEPTH: usize = zerver_trace::value::MAX_DEPTH - 1;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonTree<'b> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(&'b str),
    /// A string, unescaped.
    Text(Cow<'b, str>),
    /// An array.
    List(Vec<Self>),
    /// An object, with its entries in order.
    Object(Vec<(Cow<'b, str>, Self)>),
}

/// Text that is not JSON, with the position of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wrong} at byte {at}")]
pub struct JsonError {
    wrong: &'static str,
    at: usize,
}

impl<'b> JsonTree<'b> {
    /// Reads one JSON text (RFC 8259).
    ///
    /// # Errors
    /// Fails if the text is not JSON, or nested too deeply.
    pub fn read(bytes: &'b [u8]) -> Result<Self, JsonError> {
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => return Err(JsonError { wrong: "invalid UTF-8", at: error.valid_up_to() }),
        };
        let mut reader = Reader { text, at: 0, depth: 0 };
        let tree = reader.value()?;
        reader.space();
        if reader.at < text.len() { Err(reader.wrong("trailing characters")) } else { Ok(tree) }
    }

    /// Returns the tree as a node. Numbers get the type that holds them exactly.
    pub fn node(&self) -> Node<'_> {
        match self {
            Self::Null => Node::Unit,
            Self::Bool(v) => Node::Bool(*v),
            Self::Number(text) => number(text),
            Self::Text(text) => Node::Str(text),
            Self::List(items) => Node::Seq(items.iter().map(Self::node).collect()),
            Self::Object(entries) => {
                Node::Map(entries.iter().map(|(name, value)| (Node::Str(name), value.node())).collect())
            }
        }
    }
}

/// Returns a JSON number as an integer if it is one, or as a float if that represents it exactly.
pub fn number(text: &str) -> Node<'_> {
    if !text.contains(['.', 'e', 'E']) && text != "-0" {
        if let Ok(n) = text.parse() {
            return Node::Uint(n);
        }
        if let Ok(n) = text.parse() {
            return Node::Int(n);
        }
        if let Ok(n) = text.parse() {
            return Node::U128(n);
        }
        if let Ok(n) = text.parse() {
            return Node::I128(n);
        }
        return Node::Number(text);
    }
    match text.parse::<f64>() {
        // The shortest text of a float represents it, unless it is a different number in 32 bits.
        Ok(n)
            if n.is_finite()
                && text.parse() == Ok(n as f32)
                && Decimal::of(text) == Decimal::of(&format!("{n:e}")) =>
        {
            Node::F64(n)
        }
        _ => Node::Number(text),
    }
}

struct Reader<'b> {
    text: &'b str,
    at: usize,
    depth: usize,
}

impl<'b> Reader<'b> {
    fn wrong(&self, wrong: &'static str) -> JsonError {
        JsonError { wrong, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn value(&mut self) -> Result<JsonTree<'b>, JsonError> {
        self.space();
        match self.peek() {
            None => Err(self.wrong("unexpected end of input")),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => Ok(JsonTree::Text(self.text()?)),
            Some(b'-' | b'0'..=b'9') => Ok(JsonTree::Number(self.number()?)),
            Some(_) => {
                let words = [
                    ("null", JsonTree::Null),
                    ("true", JsonTree::Bool(true)),
                    ("false", JsonTree::Bool(false)),
                ];
                for (word, tree) in words {
                    if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(tree);
                    }
                }
                Err(self.wrong("expected a value"))
            }
        }
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<JsonTree<'b>, JsonError>,
    ) -> Result<JsonTree<'b>, JsonError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        self.at += 1;
        let tree = read(self)?;
        self.depth -= 1;
        Ok(tree)
    }

    fn list(&mut self) -> Result<JsonTree<'b>, JsonError> {
        let mut items = Vec::new();
        self.space();
        if self.takes(b']') {
            return Ok(JsonTree::List(items));
        }
        loop {
            items.push(self.value()?);
            self.space();
            if self.takes(b']') {
                return Ok(JsonTree::List(items));
            }
            if !self.takes(b',') {
                return Err(self.wrong("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self) -> Result<JsonTree<'b>, JsonError> {
        let mut entries = Vec::new();
        self.space();
        if self.takes(b'}') {
            return Ok(JsonTree::Object(entries));
        }
        loop {
            self.space();
            let name = self.text()?;
            self.space();
            if !self.takes(b':') {
                return Err(self.wrong("expected `:`"));
            }
            entries.push((name, self.value()?));
            self.space();
            if self.takes(b'}') {
                return Ok(JsonTree::Object(entries));
            }
            if !self.takes(b',') {
                return Err(self.wrong("expected `,` or `}`"));
            }
        }
    }

    fn number(&mut self) -> Result<&'b str, JsonError> {
        let from = self.at;
        self.takes(b'-');
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _ = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Ok(&self.text[from..self.at])
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == from { Err(self.wrong("expected a digit")) } else { Ok(()) }
    }

    fn text(&mut self) -> Result<Cow<'b, str>, JsonError> {
        if !self.takes(b'"') {
            return Err(self.wrong("expected a string"));
        }
        let (mut out, mut from) = (None::<String>, self.at);
        loop {
            match self.peek() {
                None => return Err(self.wrong("unterminated string")),
                Some(b'"') => {
                    let rest = &self.text[from..self.at];
                    self.at += 1;
                    return Ok(match out {
                        None => Cow::Borrowed(rest),
                        Some(out) => Cow::Owned(out + rest),
                    });
                }
                Some(b'\\') => {
                    let text = out.get_or_insert_default();
                    text.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    let escaped = self.escaped()?;
                    out.get_or_insert_default().push(escaped);
                    from = self.at;
                }
                Some(0..=0x1f) => return Err(self.wrong("control character in a string")),
                Some(_) => self.at += 1,
            }
        }
    }

    /// Reads the character after a backslash.
    fn escaped(&mut self) -> Result<char, JsonError> {
        let byte = self.peek().ok_or_else(|| self.wrong("unterminated string"))?;
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.wrong("invalid escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        let code = match first {
            0xd800..=0xdbff if self.text.as_bytes()[self.at..].starts_with(b"\\u") => {
                self.at += 2;
                match self.hex()? {
                    low @ 0xdc00..=0xdfff => 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00),
                    _ => return Err(self.wrong("unpaired surrogate")),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.wrong("unpaired surrogate"))
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let code = digits.and_then(|digits| u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        self.at += 4;
        code.ok_or_else(|| JsonError { wrong: "invalid escape", at: self.at - 4 })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zerver_trace::value::Encoder;

    use super::*;

    fn shown(json: &str) -> String {
        JsonTree::read(json.as_bytes()).unwrap().node().to_string()
    }

    #[test]
    fn json_is_kept_as_written() {
        for (json, wanted) in [
            (" [ ] ", "[]"),
            ("{\"a\" : null,\"a\":[true,false]}", "{\"a\": (), \"a\": [true, false]}"),
            ("1236546565217899832645", "1236546565217899832645"),
            ("18446744073709551616", "18446744073709551616"),
            ("-9223372036854775809", "-9223372036854775809"),
            ("-0", "-0.0"),
            ("-0.0", "-0.0"),
            ("0e5", "0.0"),
            ("1e2", "100.0"),
            ("100.0", "100.0"),
            ("0.1", "0.1"),
            ("0.10000000000000000001", "0.10000000000000000001"),
            ("1e999", "1e999"),
            ("1e-999", "1e-999"),
            ("5e-324", "5e-324"),
            (r#""\u0041\ud83c\udf89\n\/é""#, "\"A🎉\\n/é\""),
        ] {
            assert_eq!(shown(json), wanted, "{json}");
        }
        assert_eq!(shown(&"9".repeat(60)), "9".repeat(60));
    }

    #[test]
    fn invalid_json_is_an_error_and_depth_is_bounded() {
        for json in [
            "",
            "{",
            "[1,]",
            "01",
            "1.",
            "+1",
            "1e",
            "nul",
            r#""\x""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            "1 2",
            "\"\n\"",
            r#"{"a"}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            r#""\u12""#,
        ] {
            assert!(JsonTree::read(json.as_bytes()).is_err(), "{json}");
        }
        assert!(JsonTree::read(b"\"\xff\"").is_err());
        let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(JsonTree::read(deep(MAX_DEPTH).as_bytes()).is_ok());
        assert!(JsonTree::read(deep(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(JsonTree::read("[".repeat(1_000_000).as_bytes()).is_err());
    }

    proptest! {
        /// The reader accepts what serde_json accepts, with the same result.
        #[test]
        fn the_reader_agrees_with_serde_json(text in r#"[\[\]{}:,"\\u0-9eE+. tan-]{0,24}"#) {
            let here = JsonTree::read(text.as_bytes());
            if let Ok(json) = serde_json::from_str::<serde_json::Value>(&text) {
                let tree = here.unwrap();
                let mut encoder = Encoder::new();
                encoder.node(&tree.node(), &mut |_| None).unwrap();
                let back: Result<serde_json::Value, _> = encoder.finish().unwrap().to_typed();
                // serde_json has no tree for numbers over 64 bits.
                if let Ok(back) = back {
                    prop_assert_eq!(back.to_string(), json.to_string());
                }
            } else if let Ok(tree) = here {
                // serde_json only rejects numbers that are too large.
                prop_assert!(text.contains(['e', 'E']), "{:?}", tree);
            }
        }
    }
}
