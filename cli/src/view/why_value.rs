//! Sources of a value, as text.

use zerver_replay::{ChangedInput, InputInfluence, Relation, ReportedValue, StaticSlice, ValueSlice};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::diff::title;
use super::layout::{Layout, field, wrap};
use super::{count, fit, fold, paint, style};

/// Maximum width of a value in a sentence, in columns.
const MAX_VALUE: usize = 40;
/// Maximum number of inputs to list in a block unless the output is verbose.
const MAX_LISTED: usize = 24;

/// Returns the whole document.
pub(crate) fn sources(trace: &Trace, slice: &ValueSlice, layout: Layout) -> String {
    let mut out = title(None, trace, layout);
    let value = slice.value.as_ref().map_or_else(String::new, shown);
    out += &field("value", &[format!("{}  {value}", paint(style::STRONG, &clean(&slice.target)))]);
    if let Some(recorded) = &slice.recorded_value {
        let text = format!("the recorded value is {}: the code has changed since", shown(recorded));
        out += &field("", &[paint(style::WARN, &text)]);
    }
    let mut has_source = false;
    for (relation, label) in
        [(Relation::FlowsInto, "from"), (Relation::Decides, "decides"), (Relation::Asks, "asks")]
    {
        let of = slice.sources.iter().filter(|source| source.relation == relation);
        let lines: Vec<String> = of.flat_map(|source| self::source(source, layout)).collect();
        has_source |= !lines.is_empty();
        out += &field(label, &limited(lines, layout));
    }
    if !has_source {
        let text = "no input has an influence: the value is a constant of the program";
        let of_undecided = ", as far as could be decided";
        let text = if slice.undecided.is_empty() { text.to_owned() } else { text.to_owned() + of_undecided };
        out += &field("from", &fold(&text, layout.fold_width()));
    }
    let slots: Vec<String> = slice
        .slots
        .iter()
        .map(|slot| {
            let way = match slot.relation {
                Relation::FlowsInto => String::new(),
                other => format!(", {}", other.words()),
            };
            format!(
                "{}  written by {}{way}",
                paint(style::NOTED, &clean(&slot.slot)),
                clean(&slot.written_by)
            )
        })
        .collect();
    out += &field("slots", &limited(slots, layout));
    let effect = |effect: &zerver_replay::EffectOnPath| {
        format!("{} {}  ({})", effect.call, paint(style::NOTED, &clean(&effect.effect)), clean(&effect.step))
    };
    out += &field("effects", &slice.effects.iter().map(effect).collect::<Vec<_>>());
    let step = |step: &zerver_replay::StepOnPath| {
        let source =
            step.source.as_ref().map_or_else(String::new, |source| clean(&source.to_string()).into_owned());
        format!("{}  {}", clean(&step.step), paint(style::FAINT, &source))
    };
    out += &field("steps", &slice.steps.iter().map(step).collect::<Vec<_>>());
    let (tried, unread): (Vec<_>, Vec<_>) = slice.ruled_out.iter().partition(|of| of.tried > 0);
    let names = |of: &[&zerver_replay::RuledOut]| names(of.iter().map(|of| of.input.as_str()), layout);
    out += &field("not from", &names(&tried));
    out += &field("unread", &names(&unread));
    let undecided = slice
        .undecided
        .iter()
        .map(|of| format!("{}  {}", paint(style::WARN, &clean(&of.input)), clean(&of.reason)));
    out += &field("unknown", &limited(undecided.collect(), layout));
    let runs = count(slice.runs.into(), "run", "runs");
    out + &field(
        "tried",
        &[paint(style::FAINT, &format!("{runs} of the request, offline, with one input changed in each"))],
    )
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

fn source(source: &InputInfluence, layout: Layout) -> Vec<String> {
    let InputInfluence { input, shown_by, through_slots, through_effects, relation } = source;
    let mut line = format!("{}  {}", paint(style::NOTED, &clean(input)), changed(*relation, shown_by));
    let mut through: Vec<String> = through_slots.iter().map(|slot| clean(slot).into_owned()).collect();
    through.extend(through_effects.iter().map(|call| format!("effect {call}")));
    if !through.is_empty() && layout.is_verbose {
        line += &paint(style::FAINT, &format!("  through {}", through.join(", ")));
    }
    vec![line]
}

/// Returns the run that showed an influence: `4 -> 5 makes it 43.5`.
fn changed(relation: Relation, by: &ChangedInput) -> String {
    if matches!((&by.from, &by.to), (ReportedValue::Secret, ReportedValue::Secret)) {
        return paint(style::FAINT, "a secret");
    }
    let input = format!("{} -> {}", shown(&by.from), shown(&by.to));
    let text = match relation {
        Relation::Asks => format!("{input} asks for something else"),
        _ => match &by.value {
            ReportedValue::Absent => format!("{input} leaves none"),
            value => format!("{input} makes it {}", shown(value)),
        },
    };
    paint(style::FAINT, &text)
}

fn shown(value: &ReportedValue) -> String {
    fit(&clean(&value.to_string()), MAX_VALUE)
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
    use zerver_replay::{EffectOnPath, RuledOut, SlotOnPath, SourceLocation, StepOnPath, Undecided};
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
