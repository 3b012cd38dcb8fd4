//! Wording of a diff for display. All of it is safe for a terminal.

use std::fmt;

use zerver_replay::value::side_by_side::{self, side_by_side};
use zerver_replay::{RecordedJson, Sameness};
use zerver_trace::text::clean;
use zerver_trace::{Node, Recorded, Value, duration};

use crate::diff::causes::{Cause, CauseKind};
use crate::diff::comparison::{Diff, DiffSide};
use crate::diff::difference::{Difference, DifferenceKind, NotCompared};
use crate::display;

/// Maximum length of a value in a sentence, in characters.
const IN_SENTENCE: usize = 32;

/// Returns two durations in words, with the unit only once if it is the same.
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
    /// Returns a sentence on why `b` took longer or less and on the first difference. Starts with the outcomes if only
    /// one request succeeded.
    pub fn verdict(&self) -> String {
        let ended = |side: &DiffSide| match (side.has_succeeded, side.status) {
            (true, status) => format!("succeeded ({status})"),
            (false, 0) => "failed (no response)".to_owned(),
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
            0 => "same duration".to_owned(),
            1.. => format!("{size} slower"),
            _ => format!("{size} faster"),
        };
        if let Some((cause, percent)) = self.leading() {
            let (from, to) = duration_pair(cause.a_ns, cause.b_ns);
            text += &format!(": {percent}% {} ({from} -> {to})", clean(&cause.label));
        }
        if let Some(change) = self.plan_changes.first() {
            text += &format!("; plan changed: {}", clean(&change.sentence()));
        }
        match self.first() {
            Some(first) => text += &format!("; first difference: {}", first.sentence()),
            None if self.is_same() => text += "; only times differ",
            None => text += "; only times differ in what was compared",
        }
        match self.sameness() {
            Sameness::Same => format!("same decisions, values and response; {text}"),
            Sameness::Incomplete => format!("not everything could be compared; {text}"),
            Sameness::Different => text,
        }
    }

    /// Returns how much longer the second request took for each kind of cause, in nanoseconds, with the name of the
    /// kind. The numbers add up to [`Diff::delta_ns`].
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

/// Formats as `slot of load_todo Todo: not recorded in either: too large`.
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
    /// Returns true if the trace as a whole lacks the data, as in [`crate::Timeline::gaps`].
    pub fn is_gap(&self) -> bool {
        self.kind == DifferenceKind::Step && self.step.is_none()
    }
}

impl Difference {
    /// Returns the difference in words: `request query latency_ms 0 -> 250`, `queue of load_todo 0 ns -> 2.00 ms`.
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

    /// Returns both sides as `0 -> 250`, cut to fit into a sentence.
    pub fn change(&self) -> String {
        let (a, b) = self.sides();
        let (a, b) = side_by_side(&a, &b, (IN_SENTENCE, IN_SENTENCE), "…", side_by_side::characters);
        format!("{a} -> {b}")
    }

    /// Returns a label for a context that names the subject already.
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

    /// Returns both sides, each on one line.
    pub fn sides(&self) -> (String, String) {
        let (a, b) = (self.a.as_ref(), self.b.as_ref());
        if self.kind.is_time() {
            let ns = |side: Option<&RecordedJson>| match side.and_then(root) {
                Some(Node::Uint(ns)) => ns,
                _ => 0,
            };
            return duration_pair(ns(a), ns(b));
        }
        // Plain text needs no quotes.
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
        side_by_side::json_sides(a, b, (side(a), side(b)))
    }

    /// Returns a remark if both sides are the same JSON in another notation.
    fn written(&self) -> String {
        self.first_differing_byte.map_or(String::new(), |at| format!(", written differently from byte {at}"))
    }

    /// Returns both sides as recorded if both are texts, for [`crate::changed_lines`].
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
