//! The sources of a value in words, for the command line and the terminal UI. All of it is safe for a terminal.

use zerver_replay::{ChangedInput, Relation, ReportedValue, ValueSlice};
use zerver_trace::text::clean;

/// Maximum length of a value in a sentence, in characters.
const MAX_VALUE: usize = 40;

/// A part of the sources of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceSection {
    /// Label: `from`, `decides`, `steps`.
    pub label: &'static str,
    /// Lines of the section.
    pub lines: SliceLines,
}

/// Lines of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SliceLines {
    /// Names, each with a remark, which may be empty.
    Remarks(Vec<(String, String)>),
    /// Names that need no remark.
    Names(Vec<String>),
    /// A sentence.
    Sentence(String),
    /// A sentence that the user should notice.
    Warning(String),
}

/// Returns the sources of a value in sections, none of which is empty.
pub fn slice_sections(slice: &ValueSlice) -> Vec<SliceSection> {
    let mut sections = vec![SliceSection {
        label: "value",
        lines: SliceLines::Remarks(vec![(
            safe(&slice.target),
            slice.value.as_ref().map_or_else(String::new, shown),
        )]),
    }];
    let mut add = |label, lines: SliceLines| {
        let is_empty = match &lines {
            SliceLines::Remarks(lines) => lines.is_empty(),
            SliceLines::Names(names) => names.is_empty(),
            SliceLines::Sentence(_) | SliceLines::Warning(_) => false,
        };
        if !is_empty {
            sections.push(SliceSection { label, lines });
        }
    };
    if let Some(recorded) = &slice.recorded_value {
        let text = format!("the recorded value is {}: the code has changed since", shown(recorded));
        add("", SliceLines::Warning(text));
    }
    for (relation, label) in
        [(Relation::FlowsInto, "from"), (Relation::Decides, "decides"), (Relation::Asks, "asks")]
    {
        let of = slice.sources.iter().filter(|source| source.relation == relation);
        let lines = of.map(|source| (safe(&source.input), changed(relation, &source.shown_by)));
        add(label, SliceLines::Remarks(lines.collect()));
    }
    if slice.sources.is_empty() {
        let text = "no input has an influence: the value is a constant of the program";
        let undecided = if slice.undecided.is_empty() { "" } else { ", as far as could be decided" };
        add("from", SliceLines::Sentence(format!("{text}{undecided}")));
    }
    let slots = slice.slots.iter().map(|slot| {
        let way = match slot.relation {
            Relation::FlowsInto => String::new(),
            other => format!(", {}", other.words()),
        };
        (safe(&slot.slot), format!("written by {}{way}", safe(&slot.written_by)))
    });
    add("slots", SliceLines::Remarks(slots.collect()));
    let effects = slice.effects.iter();
    let effects =
        effects.map(|of| (format!("{} {}", of.call, safe(&of.effect)), format!("({})", safe(&of.step))));
    add("effects", SliceLines::Remarks(effects.collect()));
    let steps = slice.steps.iter().map(|step| {
        (safe(&step.step), step.source.as_ref().map_or_else(String::new, |source| safe(&source.to_string())))
    });
    add("steps", SliceLines::Remarks(steps.collect()));
    let (tried, unread): (Vec<_>, Vec<_>) = slice.ruled_out.iter().partition(|of| of.tried > 0);
    add("not from", SliceLines::Names(tried.iter().map(|of| safe(&of.input)).collect()));
    add("unread", SliceLines::Names(unread.iter().map(|of| safe(&of.input)).collect()));
    let undecided = slice.undecided.iter().map(|of| (safe(&of.input), safe(&of.reason)));
    add("unknown", SliceLines::Remarks(undecided.collect()));
    let runs = if slice.runs == 1 { "run" } else { "runs" };
    let tried = format!("{} {runs} of the request, offline, with one input changed in each", slice.runs);
    add("tried", SliceLines::Sentence(tried));
    sections
}

/// Returns the run that showed an influence: `4 -> 5 makes it 43.5`.
fn changed(relation: Relation, by: &ChangedInput) -> String {
    if matches!((&by.from, &by.to), (ReportedValue::Secret, ReportedValue::Secret)) {
        return "a secret".to_owned();
    }
    let input = format!("{} -> {}", shown(&by.from), shown(&by.to));
    match (relation, &by.value) {
        (Relation::Asks, _) => format!("{input} asks for something else"),
        (_, ReportedValue::Absent) => format!("{input} leaves none"),
        (_, value) => format!("{input} makes it {}", shown(value)),
    }
}

fn shown(value: &ReportedValue) -> String {
    let text = safe(&value.to_string());
    match text.char_indices().nth(MAX_VALUE) {
        Some(_) => format!("{}…", text.chars().take(MAX_VALUE - 1).collect::<String>()),
        None => text,
    }
}

fn safe(text: &str) -> String {
    clean(text).into_owned()
}
