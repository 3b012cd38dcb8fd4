//! Lines of the inspector, with recorded values as foldable trees.

use std::collections::HashSet;

use zerver_trace::text::clean;
use zerver_trace::{MissingReason, Node, Recorded};

use crate::draw::{MAX_WRAPPED, StyledLine, Tone, width, wrapped, wrapped_chars};

/// Depth up to which values are unfolded initially.
const OPEN_DEPTH: usize = 3;
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

    /// Adds a recorded value under a name.
    pub(super) fn value(
        &mut self,
        place: &str,
        name: &str,
        tone: Tone,
        recorded: &Recorded,
        is_masked: bool,
    ) {
        if is_masked {
            self.line(named(1, name, tone).with(SECRET, Tone::Secondary));
            return;
        }
        match recorded.value() {
            Some(value) => {
                let copy = value.to_string();
                self.node(place, 1, name, tone, &value.root(), 0, copy);
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
                self.line(named(1, name, tone).with(text, Tone::Secondary));
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "where it is, what it is called, what it is")]
    fn node(
        &mut self,
        place: &str,
        indent: usize,
        name: &str,
        tone: Tone,
        node: &Node<'_>,
        depth: usize,
        copy: String,
    ) {
        let text = shown(node);
        let room = self.columns.saturating_sub(indent + width(name) + 3);
        let parts = parts(node);
        if parts.is_empty() || width(&text) <= room {
            let mut pieces = wrapped_chars(&text, room.max(8)).into_iter();
            let line = named(indent, name, tone).with(pieces.next().unwrap_or_default(), value_tone(node));
            self.entries.push(InspectorLine { line, copy: Some(copy), ..InspectorLine::default() });
            for piece in pieces.take(MAX_WRAPPED) {
                self.line(StyledLine::new(" ".repeat(indent + 2), Tone::Text).with(piece, value_tone(node)));
            }
            return;
        }
        let is_open = (depth < OPEN_DEPTH) != self.folds.contains(place);
        let count = format!("{} {}", parts.len(), if parts.len() == 1 { "part" } else { "parts" });
        let line = named(indent, name, tone).with(count, Tone::Secondary);
        self.entries.push(InspectorLine {
            line,
            fold: Some(Fold { place: place.to_owned(), is_open, column: indent }),
            copy: Some(copy),
            is_head: false,
        });
        if is_open {
            for (name, part) in parts.iter().take(MAX_ENTRIES) {
                let place = format!("{place}.{name}");
                self.node(&place, indent + 2, name, Tone::Secondary, part, depth + 1, part.to_string());
            }
            if parts.len() > MAX_ENTRIES {
                let more = format!("and {} more", parts.len() - MAX_ENTRIES);
                self.line(StyledLine::new(" ".repeat(indent + 2), Tone::Text).with(more, Tone::Secondary));
            }
        }
    }

    /// Adds bytes from the wire as text.
    pub(super) fn wire(&mut self, recorded: &Recorded) {
        let Some(value) = recorded.value() else {
            self.value("", "body", Tone::Secondary, recorded, false);
            return;
        };
        let root = value.root();
        let bytes = match &root {
            Node::Bytes(bytes) => std::borrow::Cow::Borrowed(*bytes),
            other => other.as_bytes().unwrap_or_default(),
        };
        let room = self.columns.saturating_sub(2).max(8);
        let whole = zerver_trace::text::clean_bytes(&bytes);
        let lines = bytes.split(|byte| *byte == b'\n').map(zerver_trace::text::clean_bytes);
        for line in lines.flat_map(|line| wrapped_chars(&line, room)).take(MAX_WRAPPED) {
            let line = StyledLine::new(" ", Tone::Text).with(line, Tone::Text);
            self.entries.push(InspectorLine { line, copy: Some(whole.clone()), ..InspectorLine::default() });
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

/// Returns the parts of a value that can be unfolded.
fn parts<'n>(node: &'n Node<'_>) -> Vec<(String, &'n Node<'n>)> {
    match node {
        Node::Struct(fields) => fields.iter().map(|(name, part)| ((*name).to_owned(), part)).collect(),
        Node::Map(entries) => entries.iter().map(|(key, part)| (key.to_string(), part)).collect(),
        Node::Seq(items) => items.iter().enumerate().map(|(at, part)| (at.to_string(), part)).collect(),
        Node::Some(inner) => parts(inner),
        Node::Variant(name, Some(inner)) => {
            let within = parts(inner);
            if within.is_empty() {
                Vec::new()
            } else {
                within.into_iter().map(|(part, node)| (format!("{name}.{part}"), node)).collect()
            }
        }
        _ => Vec::new(),
    }
}
