//! Lines of the inspector, with recorded values as foldable trees.

use std::collections::HashSet;

use zerver_replay::value::json_lines::{JsonLine, json_lines, json_value};
use zerver_replay::{ValuePath, ValueRoot};
use zerver_trace::text::clean;
use zerver_trace::{MissingReason, Node, Recorded};

use crate::draw::{MAX_WRAPPED, StyledLine, Tone, width, wrapped, wrapped_chars};

/// Depth up to which values are unfolded initially.
const OPEN_DEPTH: usize = 3;
/// Maximum number of lines of a JSON text.
const MAX_JSON_LINES: usize = 2_000;
/// Maximum number of entries of a list or map.
const MAX_ENTRIES: usize = 200;

/// Text shown instead of a secret.
pub(super) const SECRET: &str = "●●●● (secret)";

/// Line of the inspector.
#[derive(Debug, Clone, Default)]
pub(super) struct InspectorLine {
    pub(super) line: StyledLine,
    /// Value that folds here.
    pub(super) fold: Option<Fold>,
    /// Text copied by `y`.
    pub(super) copy: Option<String>,
    /// True if a section starts here.
    pub(super) is_head: bool,
    /// Value of the line, if its sources can be found.
    pub(super) value: Option<ValuePath>,
}

/// Names of a recorded value.
#[derive(Debug)]
pub(super) struct ValueLabel {
    /// Unique name of the value, for folding.
    pub(super) place: String,
    pub(super) name: String,
    pub(super) tone: Tone,
    /// The value, if its sources can be found.
    pub(super) value: Option<ValuePath>,
}

impl ValueLabel {
    pub(super) fn new(place: impl Into<String>, name: impl Into<String>, tone: Tone) -> Self {
        Self { place: place.into(), name: name.into(), tone, value: None }
    }

    /// Adds the value.
    pub(super) fn of(self, root: ValueRoot) -> Self {
        Self { value: Some(ValuePath { root, path: Vec::new() }), ..self }
    }
}

/// Fold of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fold {
    /// Unique name of the value.
    pub(super) place: String,
    pub(super) is_open: bool,
    /// Column of the fold marker.
    pub(super) column: usize,
}

/// Lines under construction.
pub(super) struct InspectorLines<'f> {
    pub(super) entries: Vec<InspectorLine>,
    /// Values folded differently from the initial state.
    pub(super) folds: &'f HashSet<String>,
    pub(super) columns: usize,
    /// Glyph of a bar, and of a pointer to it.
    pub(super) bar: &'static str,
    pub(super) arrow: &'static str,
}

impl InspectorLines<'_> {
    /// Adds a line.
    pub(super) fn line(&mut self, line: StyledLine) {
        self.entries.push(InspectorLine { line, ..InspectorLine::default() });
    }

    /// Adds the heading of a section.
    pub(super) fn head(&mut self, title: &str) {
        if !self.entries.is_empty() {
            self.entries.push(InspectorLine::default());
        }
        let line = StyledLine::new(title, Tone::Info);
        self.entries.push(InspectorLine { line, is_head: true, ..InspectorLine::default() });
    }

    /// Adds a label and a text, wrapped between words.
    pub(super) fn field(&mut self, label: &str, text: &str, tone: Tone) {
        const LABEL: usize = 8;
        let room = self.columns.saturating_sub(LABEL + 2).max(8);
        for (at, part) in wrapped(&clean(text), room).into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let line = StyledLine::new(format!(" {label:<LABEL$} "), Tone::Secondary).with(part, tone);
            self.entries.push(InspectorLine {
                line,
                copy: Some(text.to_owned()),
                ..InspectorLine::default()
            });
        }
    }

    /// Adds a recorded value.
    pub(super) fn value(&mut self, label: ValueLabel, recorded: &Recorded, is_masked: bool) {
        if is_masked {
            self.line(named(1, &label.name, label.tone).with(SECRET, Tone::Secondary));
            return;
        }
        match recorded.value() {
            Some(value) => {
                let copy = value.to_string();
                self.node(label, 1, &value.root(), 0, copy);
            }
            None => {
                let text = match recorded {
                    Recorded::Missing(MissingReason::TooLarge) => "not recorded: too large".to_owned(),
                    Recorded::Missing(MissingReason::NotImported) => "not in the imported spans".to_owned(),
                    Recorded::Missing(MissingReason::Failed(error)) => {
                        format!("not recorded: could not be serialized: {error}")
                    }
                    _ => SECRET.to_owned(),
                };
                self.line(named(1, &label.name, label.tone).with(text, Tone::Secondary));
            }
        }
    }

    fn node(&mut self, label: ValueLabel, indent: usize, node: &Node<'_>, depth: usize, copy: String) {
        let ValueLabel { place, name, tone, value } = label;
        let text = shown(node);
        let room = self.columns.saturating_sub(indent + width(&name) + 3);
        let parts = parts(node);
        if parts.is_empty() || width(&text) <= room {
            let mut pieces = wrapped_chars(&text, room.max(8)).into_iter();
            let line = named(indent, &name, tone).with(pieces.next().unwrap_or_default(), value_tone(node));
            self.entries.push(InspectorLine { line, copy: Some(copy), value, ..InspectorLine::default() });
            for piece in pieces.take(MAX_WRAPPED) {
                self.line(StyledLine::new(" ".repeat(indent + 2), Tone::Text).with(piece, value_tone(node)));
            }
            return;
        }
        let is_open = (depth < OPEN_DEPTH) != self.folds.contains(&place);
        let count = format!("{} {}", parts.len(), if parts.len() == 1 { "part" } else { "parts" });
        let line = named(indent, &name, tone).with(count, Tone::Secondary);
        self.entries.push(InspectorLine {
            line,
            fold: Some(Fold { place: place.clone(), is_open, column: indent }),
            copy: Some(copy),
            is_head: false,
            value: value.clone(),
        });
        if is_open {
            for part in parts.iter().take(MAX_ENTRIES) {
                let label = ValueLabel {
                    place: format!("{place}.{}", part.name),
                    name: part.name.clone(),
                    tone: Tone::Secondary,
                    value: value.as_ref().map(|value| value_part(value, &part.path)),
                };
                self.node(label, indent + 2, part.node, depth + 1, part.node.to_string());
            }
            if parts.len() > MAX_ENTRIES {
                let more = format!("and {} more", parts.len() - MAX_ENTRIES);
                self.line(StyledLine::new(" ".repeat(indent + 2), Tone::Text).with(more, Tone::Secondary));
            }
        }
    }

    /// Adds bytes from the wire: JSON as lines that fold, and anything else as text.
    pub(super) fn wire(&mut self, place: &str, of: Option<&ValuePath>, recorded: &Recorded) {
        let Some(value) = recorded.value() else {
            self.value(ValueLabel::new("", "body", Tone::Secondary), recorded, false);
            return;
        };
        let root = value.root();
        let bytes = match &root {
            Node::Bytes(bytes) => std::borrow::Cow::Borrowed(*bytes),
            other => other.as_bytes().unwrap_or_default(),
        };
        let room = self.columns.saturating_sub(2).max(8);
        let whole = zerver_trace::text::clean_bytes(&bytes);
        if let Some(lines) = json_lines(&bytes, room) {
            return self.json(place, of, &lines);
        }
        let lines = bytes.split(|byte| *byte == b'\n').map(zerver_trace::text::clean_bytes);
        for line in lines.flat_map(|line| wrapped_chars(&line, room)).take(MAX_WRAPPED) {
            let line = StyledLine::new(" ", Tone::Text).with(line, Tone::Text);
            self.entries.push(InspectorLine {
                line,
                copy: Some(whole.clone()),
                value: of.cloned(),
                ..InspectorLine::default()
            });
        }
    }
}

impl InspectorLines<'_> {
    /// Adds indented JSON, whose lists and objects fold.
    fn json(&mut self, place: &str, of: Option<&ValuePath>, lines: &[JsonLine]) {
        let mut at = 0;
        let mut shown = 0;
        while let Some(line) = lines.get(at) {
            if shown == MAX_JSON_LINES {
                let more = format!(" and {} more lines", lines.len() - at);
                return self.line(StyledLine::new(more, Tone::Secondary));
            }
            let indent = 2 * line.depth() + 1;
            let place = format!("{place} {}", line.path());
            let fold = line.fold.as_ref().map(|fold| {
                let is_open = (line.depth() < OPEN_DEPTH) != self.folds.contains(&place);
                (Fold { place, is_open, column: indent }, fold)
            });
            let (text, next) = match &fold {
                Some((Fold { is_open: false, .. }, fold)) => (&fold.text, at + 1 + fold.lines),
                _ => (&line.text, at + 1),
            };
            let room = self.columns.saturating_sub(indent + 1).max(8);
            let mut pieces = wrapped_chars(&clean(text), room).into_iter();
            let first = StyledLine::new(" ".repeat(indent), Tone::Text)
                .with(pieces.next().unwrap_or_default(), Tone::Text);
            let fold = fold.map(|(fold, _)| fold);
            self.entries.push(InspectorLine {
                line: first,
                fold,
                copy: Some(json_value(lines, at)),
                is_head: false,
                value: of.map(|of| value_part(of, &line.keys)),
            });
            for piece in pieces.take(MAX_WRAPPED) {
                self.line(StyledLine::new(" ".repeat(indent + 2), Tone::Text).with(piece, Tone::Text));
            }
            (at, shown) = (next, shown + 1);
        }
    }
}

fn named(indent: usize, name: &str, tone: Tone) -> StyledLine {
    let line = StyledLine::new(" ".repeat(indent), Tone::Text);
    if name.is_empty() { line } else { line.with(format!("{name}: "), tone) }
}

/// Returns a value on one line.
fn shown(node: &Node<'_>) -> String {
    clean(&node.to_string()).into_owned()
}

const fn value_tone(node: &Node<'_>) -> Tone {
    match node {
        Node::Str(_) | Node::Char(_) | Node::Bytes(_) => Tone::Good,
        Node::None | Node::Unit => Tone::Secondary,
        Node::Bool(_) | Node::Variant(..) => Tone::Retry,
        _ => Tone::Text,
    }
}

/// A part of a value.
struct ValuePart<'n> {
    name: String,
    /// Names and positions that lead to it.
    path: Vec<String>,
    node: &'n Node<'n>,
}

/// Returns the parts of a value that can be unfolded.
fn parts<'n>(node: &'n Node<'_>) -> Vec<ValuePart<'n>> {
    let part = |name: String, key: String, node| ValuePart { name, path: vec![key], node };
    match node {
        Node::Struct(fields) => {
            fields.iter().map(|(name, node)| part((*name).to_owned(), (*name).to_owned(), node)).collect()
        }
        Node::Map(entries) => entries
            .iter()
            .map(|(key, node)| match key {
                Node::Str(text) => part(key.to_string(), (*text).to_owned(), node),
                key => part(key.to_string(), key.to_string(), node),
            })
            .collect(),
        Node::Seq(items) => {
            items.iter().enumerate().map(|(at, node)| part(at.to_string(), at.to_string(), node)).collect()
        }
        Node::Some(inner) => parts(inner),
        Node::Variant(name, Some(inner)) => parts(inner)
            .into_iter()
            .map(|mut part| {
                part.name = format!("{name}.{}", part.name);
                part.path.insert(0, (*name).to_owned());
                part
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns a part of a value whose sources can be found.
fn value_part(value: &ValuePath, path: &[String]) -> ValuePath {
    let mut part = value.clone();
    part.path.extend(path.iter().cloned());
    part
}
