//! What is to be said of a diff, as lines: made once, drawn often.

use zerver_analysis::{Diff, DiffRow as Pair, Difference, DifferenceKind, TextLine, changed_lines, display};
use zerver_replay::Sameness;
use zerver_trace::duration::Unit;
use zerver_trace::text::clean;
use zerver_trace::{Trace, duration};

use super::view::name_width;
use crate::draw::{Line, Tone, side_by_side, width};

/// So many causes are listed; the rest is one line.
const MAX_CAUSES: usize = 12;
/// Of a text, so many lines are shown.
const MAX_LINES: usize = 200;
/// A change that is not longer is shown on one line.
const ON_ONE_LINE: usize = 60;
/// Around what changed in a line, so many characters are shown.
const AROUND: usize = 16;
/// A side of a longer change is cut to so many columns.
const BESIDE: usize = 120;

/// A diff in lines.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) heads: [Line; 2],
    pub(super) verdict: String,
    pub(super) is_slower: bool,
    pub(super) unit: Unit,
    /// The longer of the two, in nanoseconds: the scale.
    pub(super) scale_ns: u64,
    pub(super) lines: Vec<Pair>,
    /// How wide the names are with what is said of them.
    pub(super) names: usize,
    /// How wide the three columns of numbers are.
    pub(super) columns: [usize; 3],
    pub(super) details: Vec<Line>,
}

impl Account {
    pub(super) fn of(a: &Trace, b: &Trace, diff: Diff) -> Self {
        let scale_ns = a.duration_ns.max(b.duration_ns);
        let unit = Unit::of(scale_ns);
        let lines = diff.display_rows();
        let widest = |f: &dyn Fn(&Pair) -> String, title: usize| {
            lines.iter().map(|line| width(&f(line))).max().unwrap_or(0).max(title)
        };
        let title = 2 + width(unit.name);
        let columns = [
            widest(&|line| time(line.a_ns(), unit), title),
            widest(&|line| time(line.b_ns(), unit), title),
            widest(&|line| unit.signed(line.delta_ns()), 3),
        ];
        let said = |line: &Pair| if line.summary.is_empty() { 0 } else { width(&line.summary) + 2 };
        let names = lines.iter().map(|line| name_width(line) + said(line)).max().unwrap_or(0);
        Self {
            names,
            heads: [head("a", a), head("b", b)],
            verdict: diff.verdict(),
            is_slower: diff.delta_ns() > 0,
            unit,
            scale_ns,
            columns,
            details: details(&diff, unit),
            lines,
        }
    }
}

/// A time in the unit of the table; a dash where there is none.
pub(super) fn time(ns: Option<u64>, unit: Unit) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| unit.show(ns))
}

fn head(label: &str, trace: &Trace) -> Line {
    let status = if trace.status == 0 { "-".to_owned() } else { trace.status.to_string() };
    Line::of(format!(" {label} "), Tone::Noted)
        .with(trace.id.short(12), Tone::Id)
        .with(format!("  {status}  "), Tone::Status(trace.status))
        .with(format!("{:>9}  ", duration::show(trace.duration_ns)), Tone::Strong)
        .with(format!("{} {}", clean(&trace.method), display::wire(&trace.target).join("\\n")), Tone::Text)
        .with(format!("  {}", clean(&trace.flow.name)), Tone::Faint)
}

fn details(diff: &Diff, unit: Unit) -> Vec<Line> {
    let mut out = Vec::new();
    for (what, a, b) in [("flows", &diff.a.flow, &diff.b.flow), ("builds", &diff.a.build, &diff.b.build)] {
        if a != b {
            let said = format!("{what} differ: {}, then {}", clean(a), clean(b));
            out.push(Line::of(said, Tone::Warn));
        }
    }
    causes(diff, unit, &mut out);
    let of = |wanted: fn(DifferenceKind) -> bool| -> Vec<&Difference> {
        diff.differences.iter().filter(|difference| wanted(difference.kind)).collect()
    };
    let effects = |what| {
        matches!(
            what,
            DifferenceKind::EffectArgument | DifferenceKind::EffectAttempts | DifferenceKind::EffectResult
        )
    };
    block("request", &of(DifferenceKind::is_request), &mut out);
    block("effects", &of(effects), &mut out);
    block("slots", &diff.slots.iter().collect::<Vec<_>>(), &mut out);
    block("response", &of(DifferenceKind::is_response), &mut out);
    match diff.sameness() {
        Sameness::Same => {
            out.push(Line::of("the same request, decisions, values and response", Tone::Good));
        }
        Sameness::Incomplete => {
            out.push(Line::of("nothing differs of what could be compared, and not all could be", Tone::Warn));
        }
        Sameness::Different => {}
    }
    // Apart from what differs.
    if diff.unlisted > 0 || !diff.ignored.is_empty() {
        out.push(Line::default());
    }
    if diff.unlisted > 0 {
        out.push(Line::of(format!("{} more differences are not listed", diff.unlisted), Tone::Faint));
    }
    if !diff.ignored.is_empty() {
        out.push(Line::of(format!("not compared: {}", clean(&diff.ignored.join(", "))), Tone::Faint));
    }
    for what in diff.not_compared.iter().filter(|what| !what.is_gap()) {
        out.push(Line::of(format!("not compared: {}", clean(&what.to_string())), Tone::Warn));
    }
    for (side, timeline) in [("a", &diff.a.timeline), ("b", &diff.b.timeline)] {
        let gaps = timeline.gaps.iter();
        out.extend(
            gaps.map(|gap| Line::of(format!("missing in {side}: {}", clean(&gap.to_string())), Tone::Warn)),
        );
    }
    out
}

/// The difference in parts, which add up also as they are shown.
fn causes(diff: &Diff, unit: Unit, out: &mut Vec<Line>) {
    let causes = &diff.causes;
    let shown = if causes.len() <= MAX_CAUSES + 1 { causes.len() } else { MAX_CAUSES };
    let rest: i128 = causes[shown..].iter().map(zerver_analysis::Cause::delta_ns).sum();
    let mut parts: Vec<i128> = causes[..shown].iter().map(zerver_analysis::Cause::delta_ns).collect();
    parts.push(rest);
    let numbers: Vec<String> = unit
        .parts_signed(&parts)
        .into_iter()
        .map(|(unit, quanta)| format!("{} {}", unit.signed_quanta(quanta), unit.name))
        .collect();
    let whole = format!("{} {}", unit.signed(parts.iter().sum()), unit.name);
    let columns = numbers.iter().map(|number| width(number)).max().unwrap_or(0).max(width(&whole));
    out.push(Line::of("where the difference is", Tone::Strong));
    for (cause, number) in causes[..shown].iter().zip(&numbers) {
        let (from, to) = zerver_analysis::duration_pair(cause.a_ns, cause.b_ns);
        let tone = if cause.delta_ns() > 0 { Tone::Bad } else { Tone::Good };
        let line = Line::of(format!("  {number:>columns$}"), tone)
            .with(format!("  {:<11} ", cause.kind.label()), Tone::Faint)
            .with(clean(&cause.label).into_owned(), Tone::Text)
            .with(format!("  {from} -> {to}"), Tone::Faint);
        out.push(line);
    }
    if shown < causes.len() {
        let said = format!("  {:>columns$}  {} smaller ones", numbers[shown], causes.len() - shown);
        out.push(Line::of(said, Tone::Text));
    }
    out.push(Line::of(format!("  {whole:>columns$}"), Tone::Strong).with("  in all", Tone::Text));
}

fn block(title: &str, differences: &[&Difference], out: &mut Vec<Line>) {
    if differences.is_empty() {
        return;
    }
    out.push(Line::default());
    out.push(Line::of(title, Tone::Strong));
    differences.iter().for_each(|difference| change(difference, out));
}

/// One change: on a line where it is short, and otherwise one side above the other.
fn change(difference: &Difference, out: &mut Vec<Line>) {
    let (a, b) = difference.sides();
    let name = Line::of(format!("  {}", difference.label()), Tone::Noted);
    if width(&a) + width(&b) <= ON_ONE_LINE {
        let line =
            name.with("  ", Tone::Text).with(a, Tone::Bad).with(" -> ", Tone::Faint).with(b, Tone::Good);
        out.push(line);
        return;
    }
    out.push(name);
    match difference.texts() {
        Some((a, b)) => inline(a, b, out),
        None => above(&a, &b, out),
    }
}

/// One side above the other, from a little before where they differ.
fn above(a: &str, b: &str, out: &mut Vec<Line>) {
    let (a, b) = side_by_side(a, b, (BESIDE, BESIDE), "…");
    out.push(Line::of(format!("    - {a}"), Tone::Bad));
    out.push(Line::of(format!("    + {b}"), Tone::Good));
}

/// The lines of two texts that changed, with what changed in them told apart.
pub(in crate::screen) fn inline(a: &str, b: &str, out: &mut Vec<Line>) {
    let changed = changed_lines(a, b);
    let differing: Vec<_> = changed.iter().filter(|line| line.in_a != line.in_b).collect();
    let seen = |in_b: bool| -> Vec<String> {
        let lines = differing.iter().filter(|line| line.in_b == in_b);
        lines
            .map(|line| {
                drawn(line).map(|(_, text)| text).collect::<String>().chars().take(ON_ONE_LINE).collect()
            })
            .collect()
    };
    if seen(true) == seen(false) {
        // Long words, which differ further on.
        return above(&clean(a), &clean(b), out);
    }
    for line in differing.iter().take(MAX_LINES) {
        let (sign, tone) = if line.in_a { ("-", Tone::Bad) } else { ("+", Tone::Good) };
        let parts = drawn(line);
        out.push(parts.fold(Line::of(format!("    {sign} "), tone), |line, (is_changed, text)| {
            line.with(text, if is_changed { tone } else { Tone::Text })
        }));
    }
    if differing.len() > MAX_LINES {
        out.push(Line::of(format!("    and {} more lines", differing.len() - MAX_LINES), Tone::Faint));
    }
}

/// The parts of a line as they are shown, and for each whether it is what changed.
fn drawn(line: &TextLine) -> impl Iterator<Item = (bool, String)> {
    let last = line.parts.len().saturating_sub(1);
    line.parts.iter().enumerate().map(move |(at, (is_changed, part))| match *is_changed || last == 0 {
        true => (true, clean(part).into_owned()),
        false => (false, shortened(part, at > 0, at < last)),
    })
}

/// What did not change, next to what did: its beginning after a change, and its end before one.
fn shortened(part: &str, after: bool, before: bool) -> String {
    let len = part.chars().count();
    let (head, tail) = (if after { AROUND } else { 0 }, if before { AROUND } else { 0 });
    if len <= head + tail + 1 {
        return clean(part).into_owned();
    }
    let start: String = part.chars().take(head).collect();
    let end: String = part.chars().skip(len - tail).collect();
    format!("{}…{}", clean(&start), clean(&end))
}
