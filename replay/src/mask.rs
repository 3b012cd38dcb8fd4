//! Keeps secrets out of reports: values that a slot, a seal or a name marks as secret, and every copy of them.

use std::ops::Range;

use zerver_engine::Job;
use zerver_trace::secret::{Author, KnownSecrets, MASK, Masker, Rule};
use zerver_trace::value::Encoder;
use zerver_trace::{Answer, Event, Node, Origin, Recorded, Value};

use crate::recording::Recording;
use crate::report::ReportedValue;

/// Secrets that must not be printed.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    rule: Rule,
    copies: KnownSecrets,
}

impl Mask {
    /// Creates a mask that only knows secret names.
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, copies: KnownSecrets::default() }
    }

    pub(crate) const fn rule(&self) -> &Rule {
        &self.rule
    }

    /// Collects the secrets of a job: those of its request and of its slots.
    pub(crate) fn of_job(job: &Job, rule: &Rule) -> Self {
        Self { rule: rule.clone(), copies: job.known_secrets(rule) }
    }

    /// Collects the secrets of a recording.
    pub(crate) fn of(recording: &Recording, rule: Rule) -> Self {
        let mut mask = Self::new(rule);
        let trace = &recording.trace;
        let bodies = [&trace.target, &trace.request_body.bytes, &trace.response_body.bytes];
        let headers = trace.request_headers.iter().chain(&trace.response_headers);
        bodies.into_iter().for_each(|value| mask.add_recorded(recording, value));
        if let Origin::Named(origin) = &trace.origin {
            mask.add_recorded(recording, origin);
        }
        headers.for_each(|header| mask.add_recorded(recording, &header.value));
        for event in &trace.events {
            match event {
                Event::SlotWritten { value, .. }
                | Event::StepYielded { progress: value, .. }
                | Event::EffectRequested { args: value, .. }
                | Event::EffectCompleted { answer: Answer::Ok(value), .. } => {
                    mask.add_recorded(recording, value)
                }
                _ => {}
            }
        }
        mask
    }

    fn add_recorded(&mut self, recording: &Recording, recorded: &Recorded) {
        let (Recorded::Sealed { masked: shown, .. }, Ok(plain)) =
            (recorded, recording.secrets.plain(recorded))
        else {
            return;
        };
        match shown {
            None => self.add(&plain.root()),
            Some(shown) => self.add_hidden(&plain.root(), &shown.value.root()),
        }
    }

    /// Adds every text in a value that is secret as a whole.
    pub(crate) fn add(&mut self, node: &Node<'_>) {
        self.copies.add_value(node);
    }

    /// Adds a secret and the words in it.
    pub(crate) fn add_bytes(&mut self, bytes: &[u8]) {
        self.copies.add_words(bytes);
    }

    /// Adds what the masks in a shown value hide.
    fn add_hidden(&mut self, plain: &Node<'_>, shown: &Node<'_>) {
        match (plain, shown) {
            (Node::Some(a), Node::Some(b)) | (Node::Variant(_, Some(a)), Node::Variant(_, Some(b))) => {
                self.add_hidden(a, b);
            }
            (Node::Seq(a), Node::Seq(b)) if a.len() == b.len() => {
                std::iter::zip(a, b).for_each(|(a, b)| self.add_hidden(a, b));
            }
            (Node::Struct(a), Node::Struct(b)) if a.len() == b.len() => {
                std::iter::zip(a, b).for_each(|((_, a), (_, b))| self.add_hidden(a, b));
            }
            (Node::Map(a), Node::Map(b)) if a.len() == b.len() => {
                for ((key, value), (shown_key, shown_value)) in std::iter::zip(a, b) {
                    self.add_hidden(key, shown_key);
                    self.add_hidden(value, shown_value);
                }
            }
            (a, b) if a == b => {}
            (a, b) => match (a.as_bytes(), b.as_bytes()) {
                (Some(plain), Some(shown)) => self.add_between(&plain, &shown),
                _ => self.add(a),
            },
        }
    }

    /// Adds what the masks in a shown text hide.
    fn add_between(&mut self, plain: &[u8], shown: &[u8]) {
        let shown = String::from_utf8_lossy(shown);
        let mut parts = shown.split("<secret:");
        let Some(first) = parts.next() else { return };
        let Some(mut rest) = plain.strip_prefix(first.as_bytes()) else { return self.add_bytes(plain) };
        let mut parts = parts.peekable();
        while let Some(part) = parts.next() {
            let after = part.split_once('>').map_or("", |(_, after)| after).as_bytes();
            let end = match parts.peek() {
                None => rest.len().checked_sub(after.len()).filter(|&at| rest.ends_with(after) || at == 0),
                Some(_) if after.is_empty() => None,
                Some(_) => rest.windows(after.len()).position(|window| window == after),
            };
            let Some(end) = end else { return self.add_bytes(rest) };
            self.copies.add(&rest[..end]);
            rest = &rest[(end + after.len()).min(rest.len())..];
        }
    }

    /// Returns a text with its secrets masked.
    pub(crate) fn text(&self, text: &str) -> String {
        self.copies.masked(text.as_bytes(), &self.rule).unwrap_or_else(|| text.to_owned())
    }

    /// Returns a part of a value with its secrets masked; `path` leads to it.
    pub(crate) fn side(&self, node: &Node<'_>, path: &[String]) -> ReportedValue {
        if self.is_secret(node, path) {
            return ReportedValue::Secret;
        }
        let mut encoder = Encoder::new();
        let written = self.rule.write_masked(&mut encoder, node, path, Author::Service, self);
        match written.and_then(|()| encoder.finish()) {
            Ok(value) => ReportedValue::Value(value),
            Err(error) => ReportedValue::text(error.to_string()),
        }
    }

    /// Returns true if the names that lead to a text or a number make it a secret.
    fn is_secret(&self, node: &Node<'_>, path: &[String]) -> bool {
        let mut all = false;
        if self.rule.is_under(path)
            && (node.as_bytes().is_some() || !matches!(node, Node::Struct(_) | Node::Map(_) | Node::Seq(_)))
        {
            self.rule.secrets_under(node, path, Author::Service, &mut |_| all = true);
        }
        all
    }

    /// Returns a value with its secrets masked.
    pub(crate) fn value(&self, value: &Value) -> ReportedValue {
        self.side(&value.root(), &[])
    }

    /// Returns the value of a header with its secrets masked, or `None` if the whole value is secret.
    pub(crate) fn header(&self, name: &str, value: &[u8]) -> Option<String> {
        let own = self.rule.header_spans(name, value, Author::Service);
        if self.rule.is_header(name) && own.contains(&(0..value.len())) {
            return None;
        }
        Some(self.text(&String::from_utf8_lossy(value)))
    }
}

impl Masker for Mask {
    fn mask(&self, _secret: &[u8]) -> String {
        MASK.to_owned()
    }

    fn extra_spans(&self, text: &[u8]) -> Vec<Range<usize>> {
        self.copies.spans(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_their_copies_are_masked() {
        let mut mask = Mask::default();
        for secret in ["Bearer a1b2c3d4e5f6", "admin", "\u{e4}1\u{f6}2\u{fc}3\u{df}4"] {
            mask.add_bytes(secret.as_bytes());
        }
        for (text, wanted) in [
            ("", ""),
            ("the role is admin", "the role is admin"),
            ("no session for a1b2c3d4e5f6", "no session for <secret>"),
            ("a \u{e4}1\u{f6}2\u{fc}3\u{df}4.", "a <secret>."),
            (
                r#"{"token":"x","errors":{"token":["is missing"]}}"#,
                r#"{"token":"<secret>","errors":{"token":["is missing"]}}"#,
            ),
        ] {
            assert_eq!(mask.text(text), wanted, "{text}");
        }
        let side = |json: &str, path: &[&str]| {
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            mask.side(&Value::from_serialize(&json).unwrap().root(), &path).to_string()
        };
        assert_eq!(side(r#""x""#, &["user", "password"]), "\u{25cf}\u{25cf}\u{25cf}\u{25cf} (secret)");
        assert_eq!(side(r#""is missing""#, &["errors", "token", "0"]), r#""is missing""#);
        assert_eq!(side("4096", &["max_tokens"]), "4096");
        assert_eq!(side("1200", &["usage", "tokens"]), "1200");
        assert_eq!(mask.header("x-functions-key", b"abc"), None);
        assert_eq!(mask.header("etag", b"abc"), Some("abc".to_owned()));
    }
}
