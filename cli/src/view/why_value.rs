//! Sources of a value, as text.

use zerver_analysis::{SliceLines, SliceSection, slice_sections};
use zerver_replay::{StaticSlice, ValueSlice};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::diff::title;
use super::layout::{Layout, field, wrap};
use super::{fold, paint, style};

/// Maximum number of inputs to list in a block unless the output is verbose.
const MAX_LISTED: usize = 24;

/// Returns the whole document.
pub(crate) fn sources(trace: &Trace, slice: &ValueSlice, layout: Layout) -> String {
    let mut out = title(None, trace, layout);
    for SliceSection { label, lines } in slice_sections(slice) {
        let lines = match lines {
            SliceLines::Remarks(lines) => {
                limited(lines.iter().map(|line| remark(label, line)).collect(), layout)
            }
            SliceLines::Names(all) => names(all.iter().map(String::as_str), layout),
            SliceLines::Sentence(text) if label == "tried" => vec![paint(style::FAINT, &text)],
            SliceLines::Sentence(text) => fold(&text, layout.fold_width()),
            SliceLines::Warning(text) => vec![paint(style::WARN, &text)],
        };
        out += &field(label, &lines);
    }
    out
}

fn remark(label: &str, (name, remark): &(String, String)) -> String {
    match label {
        "value" => format!("{}  {remark}", paint(style::STRONG, name)),
        "slots" | "effects" => format!("{}  {remark}", paint(style::NOTED, name)),
        "steps" => format!("{name}  {}", paint(style::FAINT, remark)),
        "unknown" => format!("{}  {remark}", paint(style::WARN, name)),
        _ => format!("{}  {}", paint(style::NOTED, name), paint(style::FAINT, remark)),
    }
}

/// Returns the document of a slice that needed no run.
pub(crate) fn static_sources(trace: &Trace, target: &str, slice: &StaticSlice, layout: Layout) -> String {
    let mut out = title(None, trace, layout);
    let name = paint(style::STRONG, &clean(target));
    out += &field("value", &[format!("{name}  made by {}", clean(&slice.step))]);
    let effects = slice.effects.iter().map(|(call, effect)| format!("effect.{call}.output ({effect})"));
    let inputs: Vec<String> = slice.may_flow_into.iter().cloned().chain(effects).collect();
    out += &field("perhaps", &names(inputs.iter().map(String::as_str), layout));
    out += &field("decides", &names(slice.may_decide.iter().map(String::as_str), layout));
    out += &field("steps", &names(slice.steps.iter().map(String::as_str), layout));
    out += &field("not from", &names(slice.ruled_out.iter().map(String::as_str), layout));
    let text = "by what the steps read and write: `perhaps` may flow into the value, `decides` may only decide whether \
                there is one; without --static, runs of the service tell which do, field by field";
    out + &field(
        "note",
        &fold(text, layout.fold_width()).iter().map(|line| paint(style::FAINT, line)).collect::<Vec<_>>(),
    )
}

fn names<'n>(names: impl Iterator<Item = &'n str>, layout: Layout) -> Vec<String> {
    let all: Vec<String> = names.map(|name| clean(name).into_owned()).collect();
    let limit = if layout.is_verbose { usize::MAX } else { MAX_LISTED };
    let mut shown: Vec<String> = all.iter().take(limit).map(|name| paint(style::FAINT, name)).collect();
    if all.len() > limit {
        shown.push(paint(style::FAINT, &format!("and {} more; -v lists them", all.len() - limit)));
    }
    wrap(&shown, ", ", layout)
}

fn limited(mut lines: Vec<String>, layout: Layout) -> Vec<String> {
    if !layout.is_verbose && lines.len() > MAX_LISTED {
        let left = lines.len() - MAX_LISTED;
        lines.truncate(MAX_LISTED);
        lines.push(paint(style::FAINT, &format!("{left} more; -v lists them")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use zerver_replay::{
        ChangedInput, EffectOnPath, InputInfluence, Relation, ReportedValue, RuledOut, SlotOnPath,
        SourceLocation, StepOnPath, Undecided,
    };
    use zerver_testkit::sample;
    use zerver_trace::text::is_dangerous;

    use super::*;

    fn by(from: &str, to: &str, value: &str) -> ChangedInput {
        let [from, to, value] = [from, to, value].map(ReportedValue::text);
        ChangedInput { from, to, value }
    }

    fn source(input: &str, relation: Relation, shown_by: ChangedInput) -> InputInfluence {
        let (through_slots, through_effects) = (vec!["slot.Cart".to_owned()], vec![2]);
        InputInfluence { input: input.to_owned(), relation, shown_by, through_slots, through_effects }
    }

    fn slice(name: &str) -> ValueSlice {
        ValueSlice {
            target: "response.body.total".to_owned(),
            value: Some(ReportedValue::text("42")),
            recorded_value: Some(ReportedValue::text(name)),
            sources: vec![
                source("request.body.price", Relation::FlowsInto, by("4", "5", "43")),
                source(
                    "header.authorization",
                    Relation::Decides,
                    ChangedInput {
                        from: ReportedValue::Secret,
                        to: ReportedValue::Secret,
                        value: ReportedValue::Secret,
                    },
                ),
                source(name, Relation::Asks, by(name, name, name)),
            ],
            slots: vec![SlotOnPath {
                slot: "slot.Cart.price".to_owned(),
                written_by: "parse_cart".to_owned(),
                relation: Relation::FlowsInto,
                shown_by: by("4", "5", "43"),
            }],
            effects: vec![EffectOnPath { call: 2, effect: name.to_owned(), step: "load".to_owned() }],
            steps: vec![StepOnPath {
                step: "parse_cart".to_owned(),
                source: Some(SourceLocation { file: "src/cart.rs".to_owned(), line: 7 }),
            }],
            ruled_out: vec![
                RuledOut { input: name.to_owned(), tried: 3, reason: String::new() },
                RuledOut { input: "request.id".to_owned(), tried: 0, reason: String::new() },
            ],
            undecided: vec![Undecided { input: name.to_owned(), reason: name.to_owned() }],
            runs: 412,
        }
    }

    fn show(slice: &ValueSlice) -> String {
        let layout = Layout { columns: 80, folds: true, digits: 8, is_verbose: false };
        strip_str(&sources(&sample::slow(), slice, layout)).to_string()
    }

    #[test]
    fn sources_are_listed_by_their_relation() {
        insta::assert_snapshot!(show(&slice("query.q")), @r"
        019aa4c2  GET /v1/todos/456?full=1  200 OK  5.40 ms  todos-item
        value    response.body.total  42
                 the recorded value is query.q: the code has changed since
        from     request.body.price  4 -> 5 makes it 43
        decides  header.authorization  a secret
        asks     query.q  query.q -> query.q asks for something else
        slots    slot.Cart.price  written by parse_cart
        effects  2 query.q  (load)
        steps    parse_cart  src/cart.rs:7
        not from query.q
        unread   request.id
        unknown  query.q  query.q
        tried    412 runs of the request, offline, with one input changed in each
        ");
        let constant = ValueSlice { sources: Vec::new(), undecided: Vec::new(), ..slice("query.q") };
        assert!(show(&constant).contains("the value is a constant of the program"), "{}", show(&constant));
    }

    #[test]
    fn recorded_text_is_cleaned() {
        let text = show(&slice("a\u{1b}[2J\u{9b}31m\u{202e}\nb"));
        assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with('b')), "{text}");
    }
}
