//! Compares today's response with the recorded one.

use std::collections::BTreeSet;

use zerver_trace::{Header, Node, Recorded, Value};

use crate::compare::comparison::Comparison;
use crate::observed::ObservedResponse;
use crate::report::{FindingClass, ReportedValue};
use crate::value::json_tree::JsonTree;
use crate::value::path::{between, joined};
use crate::value::side_by_side::{characters, side_by_side};

/// Maximum length of a text in a finding, in characters.
const TOLD_CHARS: usize = 300;

impl Comparison<'_> {
    pub(crate) fn response(
        &mut self,
        then: Option<&ObservedResponse<'_>>,
        now: Option<&ObservedResponse<'_>>,
    ) {
        let (a, b) = match (then, now) {
            (Some(a), Some(b)) => (a, b),
            (None, None) => return,
            (a, b) => {
                let side = |reply: Option<&ObservedResponse<'_>>| {
                    reply.map_or(ReportedValue::Absent, |reply| ReportedValue::Text(reply.status.to_string()))
                };
                return self.add_finding(None, FindingClass::CodeChanged, "response", side(a), side(b));
            }
        };
        if a.status != b.status {
            let (expected, got) =
                (ReportedValue::text(a.status.to_string()), ReportedValue::text(b.status.to_string()));
            self.add_finding(None, FindingClass::CodeChanged, "response.status", expected, got);
        }
        let names: BTreeSet<_> =
            a.headers.iter().chain(&*b.headers).map(|header| header.name.as_str()).collect();
        // The length follows from the body.
        let (length, others): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| *name == "content-length");
        others.into_iter().for_each(|name| self.headers_named(name, a, b));
        self.body(a, b);
        length.into_iter().for_each(|name| self.headers_named(name, a, b));
    }

    fn headers_named(&mut self, name: &str, a: &ObservedResponse<'_>, b: &ObservedResponse<'_>) {
        let (then, now) = (named(a, name), named(b, name));
        for at in 0..then.len().max(now.len()) {
            let is_marked = a.marked.iter().chain(&b.marked).any(|marked| marked == name);
            self.header(name, then.get(at).copied(), now.get(at).copied(), is_marked);
        }
    }

    fn header(&mut self, name: &str, then: Option<&Recorded>, now: Option<&Recorded>, is_marked: bool) {
        // A header sealed as a whole was secret when it was recorded.
        let is_sealed = then.is_some_and(|then| then.is_secret() && then.value().is_none());
        let field = format!("response.headers.{name}");
        let bytes = |recorded: &Recorded| match self.secrets.plain(recorded) {
            Ok(value) => Ok(value.root().as_bytes().unwrap_or_default().into_owned()),
            Err(reason) => Err(reason),
        };
        let (a, b) = match (then.map(bytes).transpose(), now.map(bytes).transpose()) {
            (Ok(a), Ok(b)) if a == b => return,
            (Ok(a), Ok(b)) => (a, b),
            (Err(reason), _) | (_, Err(reason)) => return self.skip(format!("{field}: {reason}")),
        };
        let side = |bytes: Option<Vec<u8>>| match bytes {
            None => ReportedValue::Absent,
            Some(_) if is_marked || is_sealed => ReportedValue::Secret,
            Some(bytes) => self.mask.header(name, &bytes).map_or(ReportedValue::Secret, ReportedValue::Text),
        };
        let (expected, got) = (side(a), side(b));
        self.add_finding(None, FindingClass::CodeChanged, &field, expected, got);
    }

    fn body(&mut self, a: &ObservedResponse<'_>, b: &ObservedResponse<'_>) {
        if a.is_streamed || b.is_streamed {
            return;
        }
        let field = "response.body";
        let (then, now) = match (self.secrets.plain(&a.body.bytes), self.secrets.plain(&b.body.bytes)) {
            (Ok(a), Ok(b)) => (a, b),
            (Err(_), _) if a.body.full_len == 0 && b.body.full_len == 0 => return,
            (Err(reason), _) | (_, Err(reason)) => return self.skip(format!("{field}: {reason}")),
        };
        let is_cut = a.body.kept_len < a.body.full_len;
        if is_cut {
            self.skip(format!("{field} after its first {} bytes: not recorded", a.body.kept_len));
        }
        let kept = |value: &Value| {
            let mut bytes = value.root().as_bytes().unwrap_or_default().into_owned();
            if is_cut {
                bytes.truncate(a.body.kept_len as usize);
            }
            bytes
        };
        let (kept_then, kept_now) = (kept(then), kept(now));
        if kept_then == kept_now {
            if a.body.full_len != b.body.full_len {
                let side = |len: u64| ReportedValue::text(format!("{len} bytes"));
                let (expected, got) = (side(a.body.full_len), side(b.body.full_len));
                self.add_finding(None, FindingClass::CodeChanged, &format!("{field} length"), expected, got);
            }
            return;
        }
        // Responses with different statuses have little in common.
        let json = (JsonTree::read(&kept_then), JsonTree::read(&kept_now));
        let (mut listed, mut place) = (0, field.to_owned());
        if let ((Ok(then), Ok(now)), true) = (json, a.status == b.status) {
            listed = self.json(field, &then.node(), &now.node());
            let at = std::iter::zip(&kept_then, &kept_now).take_while(|(a, b)| a == b).count();
            place = format!("{field} written differently from byte {at}");
        }
        if listed > 0 {
            return;
        }
        let side = |bytes: &[u8]| str::from_utf8(bytes).ok().map(|text| self.mask.text(text));
        let (expected, got) = match (side(&kept_then), side(&kept_now)) {
            (Some(a), Some(b)) if a == b => (ReportedValue::Secret, ReportedValue::Secret),
            (Some(a), Some(b)) => {
                let (a, b) = side_by_side(&a, &b, (TOLD_CHARS, TOLD_CHARS), "…", characters);
                (ReportedValue::Text(a), ReportedValue::Text(b))
            }
            _ => bytes_apart(&kept_then, &kept_now),
        };
        self.add_finding(None, FindingClass::CodeChanged, &place, expected, got);
    }

    /// Compares two bodies by their JSON values, and returns the number of places that differ.
    fn json(&mut self, field: &str, then: &Node<'_>, now: &Node<'_>) -> usize {
        let found = between(then.clone(), now.clone());
        // Only the order differs, which is no difference here.
        let is_order = found.list.len() == 1 && found.list[0].path.is_empty() && is_container(then, now);
        if is_order {
            return 0;
        }
        let count = found.list.len() + found.more;
        for difference in found.list {
            let side = |node: &Option<Node<'_>>| {
                node.as_ref().map_or(ReportedValue::Absent, |node| self.mask.side(node, &difference.path))
            };
            let (mut expected, mut got) = (side(&difference.expected), side(&difference.got));
            if expected == got {
                // Only masked parts differ.
                (expected, got) = (ReportedValue::Secret, ReportedValue::Secret);
            }
            let place = self.mask.text(&joined(field, &difference.path));
            self.add_finding(None, FindingClass::CodeChanged, &place, expected, got);
        }
        self.count_unlisted(field, found.more);
        count
    }
}

/// Returns true if both nodes are maps, or both are lists.
const fn is_container(a: &Node<'_>, b: &Node<'_>) -> bool {
    matches!((a, b), (Node::Map(_), Node::Map(_)) | (Node::Seq(_), Node::Seq(_)))
}

/// Shows binary data around the first byte that differs.
fn bytes_apart(a: &[u8], b: &[u8]) -> (ReportedValue, ReportedValue) {
    let at = std::iter::zip(a, b).take_while(|(a, b)| a == b).count();
    let from = at.saturating_sub(8);
    let side = |bytes: &[u8]| {
        let around = &bytes[from.min(bytes.len())..bytes.len().min(at + 16)];
        ReportedValue::text(format!(
            "{} bytes; from byte {from}: {}",
            bytes.len(),
            crate::value::json::hex(around)
        ))
    };
    (side(a), side(b))
}

/// Returns the values of the headers with this name.
fn named<'r>(reply: &'r ObservedResponse<'_>, name: &str) -> Vec<&'r Recorded> {
    let these = reply.headers.iter().filter(|header| header.name == name);
    these.map(|Header { value, .. }| value).collect()
}
