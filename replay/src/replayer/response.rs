//! Where today's answer differs from the one that was recorded.

use std::collections::BTreeSet;

use zerver_trace::{Header, Recorded, Value};

use super::compare::{Comparison, joined};
use super::facts::Reply;
use super::path::differences;
use super::replay::text;
use super::report::{FindingClass, Seen};

/// A text that is longer is told by its beginning.
const TOLD_CHARS: usize = 300;

impl Comparison<'_> {
    pub(super) fn response(&mut self, then: Option<&Reply<'_>>, now: Option<&Reply<'_>>) {
        let (a, b) = match (then, now) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return,
            (a, b) => {
                let side = |reply: Option<&Reply<'_>>| {
                    reply.map_or(Seen::Absent, |reply| Seen::Text(reply.status.to_string()))
                };
                return self.find(None, FindingClass::CodeChanged, "response", side(a), side(b));
            }
        };
        if a.status != b.status {
            let (expected, got) = (Seen::text(a.status.to_string()), Seen::text(b.status.to_string()));
            self.find(None, FindingClass::CodeChanged, "response.status", expected, got);
        }
        let names: BTreeSet<_> =
            a.headers.iter().chain(&*b.headers).map(|header| header.name.as_str()).collect();
        for name in names {
            let (then, now) = (named(a, name), named(b, name));
            for at in 0..then.len().max(now.len()) {
                let is_marked = a.marked.iter().chain(&b.marked).any(|marked| marked == name);
                self.header(name, then.get(at).copied(), now.get(at).copied(), is_marked);
            }
        }
        self.body(a, b);
    }

    fn header(&mut self, name: &str, then: Option<&Recorded>, now: Option<&Recorded>, is_marked: bool) {
        // What was sealed as a whole was a secret when it was recorded.
        let is_sealed = then.is_some_and(|then| then.is_secret() && then.value().is_none());
        let field = format!("response.headers.{name}");
        let bytes = |recorded: &Recorded| match self.secrets.plain(recorded) {
            Ok(value) => Ok(value.root().as_bytes().unwrap_or_default().into_owned()),
            Err(gone) => Err(gone),
        };
        let (a, b) = match (then.map(bytes).transpose(), now.map(bytes).transpose()) {
            (Ok(a), Ok(b)) if a == b => return,
            (Ok(a), Ok(b)) => (a, b),
            (Err(gone), _) | (_, Err(gone)) => return self.skip(format!("{field}: {gone}")),
        };
        let side = |bytes: Option<Vec<u8>>| match bytes {
            None => Seen::Absent,
            Some(_) if is_marked || is_sealed => Seen::Secret,
            Some(bytes) => self.mask.header(name, &bytes).map_or(Seen::Secret, Seen::Text),
        };
        let (expected, got) = (side(a), side(b));
        self.find(None, FindingClass::CodeChanged, &field, expected, got);
    }

    fn body(&mut self, a: &Reply<'_>, b: &Reply<'_>) {
        let field = "response.body";
        let (then, now) = match (self.secrets.plain(&a.body.bytes), self.secrets.plain(&b.body.bytes)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(_), _) if a.body.full_len == 0 && b.body.full_len == 0 => return,
            (Err(gone), _) | (_, Err(gone)) => return self.skip(format!("{field}: {gone}")),
        };
        let is_cut = a.body.kept_len < a.body.full_len;
        if is_cut {
            self.skip(format!("{field} after its first {} bytes: not recorded", a.body.kept_len));
        }
        let kept = |value: &Value| {
            let mut bytes = value.root().as_bytes().unwrap_or_default().into_owned();
            bytes.truncate(a.body.kept_len as usize);
            bytes
        };
        if kept(then) == kept(now) && a.body.full_len == b.body.full_len {
            return;
        }
        let json = |value: &Value| {
            let json: serde_json::Value = serde_json::from_str(&text(value)?).ok()?;
            Value::of(&json).ok()
        };
        // Answers of two sorts have little in common.
        if let (Some(then), Some(now), true) = (json(then), json(now), a.status == b.status) {
            let found = differences(&then, &now);
            let sides: Vec<_> = found
                .into_iter()
                .map(|difference| {
                    let side = |node: Option<zerver_trace::Node<'_>>| {
                        node.map_or(Seen::Absent, |node| self.mask.side(&node, &difference.path))
                    };
                    let (expected, got) = (side(difference.expected.clone()), side(difference.got.clone()));
                    (self.mask.text(&joined(field, &difference.path)), expected, got)
                })
                .collect();
            for (place, expected, got) in sides {
                self.find(None, FindingClass::CodeChanged, &place, expected, got);
            }
            return;
        }
        let side = |value: &Value, len: u64| match text(value) {
            Some(text) => Seen::Text(self.mask.text(&text).chars().take(TOLD_CHARS).collect()),
            None => Seen::text(format!("{len} bytes")),
        };
        let (expected, got) = (side(then, a.body.full_len), side(now, b.body.full_len));
        self.find(None, FindingClass::CodeChanged, field, expected, got);
    }
}

/// The headers of this name.
fn named<'r>(reply: &'r Reply<'_>, name: &str) -> Vec<&'r Recorded> {
    let these = reply.headers.iter().filter(|header| header.name == name);
    these.map(|Header { value, .. }| value).collect()
}
