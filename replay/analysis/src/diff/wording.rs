//! A diff in words, as the text and the screens say it. All of it is safe for a terminal.

use std::fmt;

use zerver_replay::value::side_by_side::{self, side_by_side};
use zerver_replay::{RecordedJson, Sameness};
use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded, Value, duration};

use super::causes::{Cause, CauseKind};
use super::comparison::{Diff, DiffSide};
use super::difference::{Difference, DifferenceKind, NotCompared};
use crate::display;

/// In a sentence, a value is cut to so many characters.
const IN_SENTENCE: usize = 32;

/// Two times in words; the unit is said once if it is the same.
pub fn duration_pair(a_ns: u64, b_ns: u64) -> (String, String) {
    let (mut from, to) = (duration::show(a_ns), duration::show(b_ns));
    if let (Some((number, unit)), Some((_, other))) = (from.rsplit_once(' '), to.rsplit_once(' '))
        && unit == other
    {
        from = number.to_owned();
    }
    (from, to)
}

impl Diff {
    /// Why `b` took longer, or less; and what differs first. In one sentence; that one of them failed comes before all.
    pub fn verdict(&self) -> String {
        let ended = |side: &DiffSide| match (side.has_succeeded, side.status) {
            (true, status) => format!("succeeded ({status})"),
            (false, 0) => "failed (no answer)".to_owned(),
            (false, status) => format!("failed ({status})"),
        };
        match self.a.has_succeeded == self.b.has_succeeded {
            true => self.about_time(),
            false => format!("a {}, b {}; {}", ended(&self.a), ended(&self.b), self.about_time()),
        }
    }

    fn about_time(&self) -> String {
        let delta_ns = self.delta_ns();
        let size = duration::show(u64::try_from(delta_ns.unsigned_abs()).unwrap_or(u64::MAX));
        let mut text = match delta_ns {
            0 => "equally long".to_owned(),
            1.. => format!("{size} slower"),
            _ => format!("{size} faster"),
        };
        if let Some((cause, percent)) = self.leading() {
            let (from, to) = duration_pair(cause.a_ns, cause.b_ns);
            text += &format!(": {percent}% {} ({from} -> {to})", clean(&cause.label));
        }
        match self.first() {
            Some(first) => text += &format!("; first difference: {}", first.sentence()),
            None if self.is_same() => text += "; no difference but time",
            None => text += "; no difference but time in what was compared",
        }
        match self.sameness() {
            Sameness::Same => format!("same decisions, values and response; {text}"),
            Sameness::Incomplete => format!("not all could be compared; {text}"),
            Sameness::Different => text,
        }
    }

    /// How much longer the second took with each sort of cause, in nanoseconds, and the word for it; they add up to
    /// [`Diff::delta_ns`].
    pub fn by_kind(&self) -> [(&'static str, i128); 9] {
        [
            ("effects", CauseKind::Effect),
            ("retries", CauseKind::Retry),
            ("extra", CauseKind::Extra),
            ("missing", CauseKind::Missing),
            ("CPU", CauseKind::Cpu),
            ("queue", CauseKind::Queue),
            ("late answers", CauseKind::CompletionDelay),
            ("receiving", CauseKind::Receive),
            ("unexplained", CauseKind::Unexplained),
        ]
        .map(|(name, kind)| {
            let causes = self.causes.iter().filter(|cause| cause.kind == kind);
            (name, causes.map(Cause::delta_ns).sum())
        })
    }
}

/// `slot of load_todo Todo: not recorded in either: too large`.
impl fmt::Display for NotCompared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_gap() {
            return f.write_str(&self.why);
        }
        f.write_str(self.kind.label())?;
        if let Some(about) = self.effect.as_ref().or(self.step.as_ref()) {
            write!(f, " of {about}")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}", self.path)?;
        }
        write!(f, ": {}", self.why)
    }
}

impl NotCompared {
    /// Whether it is what a trace lacks as a whole, as [`crate::Timeline::gaps`] says as well.
    pub fn is_gap(&self) -> bool {
        self.kind == DifferenceKind::Step && self.step.is_none()
    }
}

impl Difference {
    /// `request query latency_ms 0 -> 250`, `queue of load_todo 0 ns -> 2.00 ms`.
    pub fn sentence(&self) -> String {
        let mut text = self.kind.label().to_owned();
        if matches!(self.kind, DifferenceKind::Step | DifferenceKind::Effect) {
            let side = if self.a.is_none() { "b" } else { "a" };
            let name = [&self.b, &self.a].into_iter().flatten().next().map(word).unwrap_or_default();
            return format!("{text} {name}, only in {side}");
        }
        let about = self.effect.as_deref().or(self.step.as_ref().map(|step| step.name.as_str()));
        if let Some(about) = about.filter(|_| self.kind != DifferenceKind::Slot) {
            text += &format!(" of {}", clean(about));
        }
        if !self.path.is_empty() {
            text += &format!(" {}", clean(&self.path));
        }
        format!("{text}{} {}", self.written(), self.change())
    }

    /// `0 -> 250`, each side cut to what goes into a sentence.
    pub fn change(&self) -> String {
        let (a, b) = self.sides();
        let (a, b) = side_by_side(&a, &b, (IN_SENTENCE, IN_SENTENCE), "…", side_by_side::characters);
        format!("{a} -> {b}")
    }

    /// What it is, where it is already said what it is about.
    pub fn label(&self) -> String {
        let path = clean(&self.path);
        let word = self.kind.label().rsplit(' ').next().unwrap_or_default();
        let words = match self.kind {
            DifferenceKind::Slot => path.into_owned(),
            DifferenceKind::ResponseBody | DifferenceKind::RequestBody if !path.is_empty() => {
                format!("body.{path}").replace(".[", "[")
            }
            _ if path.is_empty() => word.to_owned(),
            _ => format!("{word} {path}"),
        };
        let words = words + &self.written();
        match &self.effect {
            Some(effect) if self.kind != DifferenceKind::Slot => format!("{}  {words}", clean(effect)),
            _ => words,
        }
    }

    /// Both sides, on one line each.
    pub fn sides(&self) -> (String, String) {
        let (a, b) = (self.a.as_ref(), self.b.as_ref());
        if self.kind.is_time() {
            let ns = |side: Option<&RecordedJson>| match side.and_then(root) {
                Some(Node::Uint(ns)) => ns,
                _ => 0,
            };
            return duration_pair(ns(a), ns(b));
        }
        // What is text by its nature needs no quotes.
        let is_bare = matches!(
            self.kind,
            DifferenceKind::Flow
                | DifferenceKind::RequestMethod
                | DifferenceKind::RequestPath
                | DifferenceKind::RequestParameter
                | DifferenceKind::RequestQuery
                | DifferenceKind::Decision
                | DifferenceKind::Outcome
        );
        let side = |side: Option<&RecordedJson>| match side {
            None => "nothing".to_owned(),
            Some(side) if is_bare => word(side),
            Some(side) => json(side),
        };
        side_by_side::json(a, b, (side(a), side(b)))
    }

    /// Where both are the same JSON: that they are not written alike, and from where on.
    fn written(&self) -> String {
        self.first_differing_byte.map_or(String::new(), |at| format!(", written differently from byte {at}"))
    }

    /// Both sides as they were recorded, where both are texts, to be compared by [`super::changed_lines`].
    pub fn texts(&self) -> Option<(&str, &str)> {
        let a = self.a.as_ref().and_then(text)?;
        Some((a, self.b.as_ref().and_then(text)?))
    }
}

fn json(side: &RecordedJson) -> String {
    match side {
        RecordedJson::Value(recorded) => display::value(recorded),
        RecordedJson::Wire(recorded) => display::wire(recorded).join("\\n"),
        RecordedJson::Masked => display::SECRET.to_owned(),
    }
}

fn word(side: &RecordedJson) -> String {
    match root(side) {
        Some(Node::Str("")) => "\"\"".to_owned(),
        Some(Node::Str(text)) => clean(text).into_owned(),
        _ => json(side),
    }
}

fn text(side: &RecordedJson) -> Option<&str> {
    match root(side)? {
        Node::Str(text) => Some(text),
        _ => None,
    }
}

fn root(side: &RecordedJson) -> Option<Node<'_>> {
    match side {
        RecordedJson::Value(recorded) | RecordedJson::Wire(recorded) => {
            Recorded::value(recorded).map(Value::root)
        }
        RecordedJson::Masked => None,
    }
}
