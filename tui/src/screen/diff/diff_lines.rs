//! Text of a diff, generated once and drawn often.

use zerver_analysis::{
    Diff, DiffRow as Pair, Difference, DifferenceKind, QueueHolders, TextLine, changed_lines, display,
};
use zerver_replay::Sameness;
use zerver_trace::text::clean;
use zerver_trace::{RequestId, duration};

use crate::draw::{StyledLine, Tone, side_by_side, width};
use crate::state::{LoadedTrace, SharedState};

/// Maximum number of lines of the verdict.
const MAX_VERDICT: usize = 3;
/// Maximum number of causes listed; the rest is summed up.
const MAX_CAUSES: usize = 12;
/// Maximum number of steps listed that a queued request waited behind.
const MAX_HOLDERS: usize = 8;
/// Number of digits of the ids of other requests.
const ID_DIGITS: usize = 12;
/// Maximum number of lines per text.
const MAX_LINES: usize = 200;
/// Maximum width of a change shown on one line.
const MAX_INLINE: usize = 60;
/// Number of characters shown around a change within a line.
const CONTEXT: usize = 16;
/// Maximum width of each side of a longer change.
const MAX_SIDE: usize = 120;

/// Diff as lines.
#[derive(Debug)]
pub(super) struct DiffLines {
    /// Ids of both requests, each with the rest of its heading.
    pub(super) headings: [(RequestId, StyledLine); 2],
    pub(super) verdict: String,
    pub(super) is_slower: bool,
    /// Longer of the two durations, in nanoseconds: the scale of the bars.
    pub(super) scale_ns: u64,
    pub(super) lines: Vec<Pair>,
    /// Width of the names with their remarks.
    pub(super) names: usize,
    /// Widths of the three number columns.
    pub(super) columns: [usize; 3],
    pub(super) details: Vec<StyledLine>,
}

impl DiffLines {
    pub(super) fn new(loaded: [&LoadedTrace; 2], diff: Diff) -> Self {
        let [a, b] = loaded.map(|loaded| &loaded.trace);
        let scale_ns = a.duration_ns.max(b.duration_ns);
        let lines = diff.display_rows();
        let widest =
            |f: &dyn Fn(&Pair) -> String| lines.iter().map(|line| width(&f(line))).max().unwrap_or(0);
        let columns = [
            widest(&|line| time(line.a_ns())),
            widest(&|line| time(line.b_ns())),
            widest(&|line| duration::show_signed(line.delta_ns())),
        ];
        let remark = |line: &Pair| if line.summary.is_empty() { 0 } else { width(&line.summary) + 2 };
        let names = lines.iter().map(|line| name_width(line) + remark(line)).max().unwrap_or(0);
        Self {
            names,
            headings: loaded.map(|loaded| (loaded.trace.id, heading(loaded))),
            verdict: diff.verdict(),
            is_slower: diff.delta_ns() > 0,
            scale_ns,
            columns,
            details: details(&diff, loaded.map(|loaded| loaded.queue.as_ref())),
            lines,
        }
    }
}

/// Returns a time, or a dash.
pub(super) fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), duration::show)
}

fn heading(loaded: &LoadedTrace) -> StyledLine {
    let trace = &loaded.trace;
    let node = loaded.node.as_ref().map(|node| format!("  node {}", clean(node)));
    let status = if trace.status == 0 { "-".to_owned() } else { trace.status.to_string() };
    StyledLine::new(format!("  {status}  "), Tone::Status(trace.status))
        .with(format!("{:>9}  ", duration::show(trace.duration_ns)), Tone::Strong)
        .with(display::request_line(trace), Tone::Text)
        .with(format!("  {}{}", clean(&trace.flow.name), node.unwrap_or_default()), Tone::Secondary)
}

fn details(diff: &Diff, queues: [Option<&QueueHolders>; 2]) -> Vec<StyledLine> {
    let mut out = Vec::new();
    for (what, a, b) in [("flows", &diff.a.flow, &diff.b.flow), ("builds", &diff.a.build, &diff.b.build)] {
        if a != b {
            let remark = format!("{what} differ: {} and {}", clean(a), clean(b));
            out.push(StyledLine::new(remark, Tone::Warn));
        }
    }
    causes(diff, &mut out);
    for (name, queue) in ["queue of a", "queue of b"].into_iter().zip(queues) {
        queue_holders(name, queue, &mut out);
    }
    let of = |wanted: fn(DifferenceKind) -> bool| -> Vec<&Difference> {
        diff.differences.iter().filter(|difference| wanted(difference.kind)).collect()
    };
    let effects = |what| {
        matches!(
            what,
            DifferenceKind::EffectArgument
                | DifferenceKind::EffectAttempts
                | DifferenceKind::InjectedFault
                | DifferenceKind::EffectResult
        )
    };
    block("request", &of(DifferenceKind::is_request), &mut out);
    block("effects", &of(effects), &mut out);
    if !diff.plan_changes.is_empty() {
        out.push(StyledLine::default());
        out.push(StyledLine::new("plans", Tone::Strong));
    }
    for change in &diff.plan_changes {
        let text = format!("  {}  plan changed: {}", clean(&change.effect), clean(&change.sentence()));
        out.push(StyledLine::new(text, Tone::Warn));
    }
    block("slots", &diff.slots.iter().collect::<Vec<_>>(), &mut out);
    block("response", &of(DifferenceKind::is_response), &mut out);
    match diff.sameness() {
        Sameness::Same => {
            out.push(StyledLine::new("same request, decisions, values and response", Tone::Good));
        }
        Sameness::Incomplete => {
            out.push(StyledLine::new(
                "no differences found, but not everything could be compared",
                Tone::Warn,
            ));
        }
        Sameness::Different => {}
    }
    // Set apart from the differences.
    if diff.unlisted > 0 || !diff.ignored.is_empty() {
        out.push(StyledLine::default());
    }
    if diff.unlisted > 0 {
        out.push(StyledLine::new(format!("{} more differences not listed", diff.unlisted), Tone::Secondary));
    }
    if !diff.ignored.is_empty() {
        out.push(StyledLine::new(
            format!("not compared: {}", clean(&diff.ignored.join(", "))),
            Tone::Secondary,
        ));
    }
    for what in diff.not_compared.iter().filter(|what| !what.is_gap()) {
        out.push(StyledLine::new(format!("not compared: {}", clean(&what.to_string())), Tone::Warn));
    }
    for (side, timeline) in [("a", &diff.a.timeline), ("b", &diff.b.timeline)] {
        let gaps = timeline.gaps.iter();
        out.extend(gaps.map(|gap| {
            StyledLine::new(format!("missing in {side}: {}", clean(&gap.to_string())), Tone::Warn)
        }));
    }
    out
}

/// Adds the causes of the difference in time. The numbers shown add up exactly.
fn causes(diff: &Diff, out: &mut Vec<StyledLine>) {
    let causes = &diff.causes;
    let shown = if causes.len() <= MAX_CAUSES + 1 { causes.len() } else { MAX_CAUSES };
    let rest: i128 = causes[shown..].iter().map(zerver_analysis::Cause::delta_ns).sum();
    let mut parts: Vec<i128> = causes[..shown].iter().map(zerver_analysis::Cause::delta_ns).collect();
    parts.push(rest);
    let numbers = duration::show_signed_parts(&parts);
    let whole = duration::show_signed(parts.iter().sum());
    let columns = numbers.iter().map(|number| width(number)).max().unwrap_or(0).max(width(&whole));
    out.push(StyledLine::new("causes of the time difference", Tone::Strong));
    for (cause, number) in causes[..shown].iter().zip(&numbers) {
        let (from, to) = zerver_analysis::duration_pair(cause.a_ns, cause.b_ns);
        let tone = if cause.delta_ns() > 0 { Tone::Bad } else { Tone::Good };
        let line = StyledLine::new(format!("  {number:>columns$}"), tone)
            .with(format!("  {:<11} ", cause.kind.label()), Tone::Secondary)
            .with(clean(&cause.label).into_owned(), Tone::Text)
            .with(format!("  {from} -> {to}"), Tone::Secondary);
        out.push(line);
    }
    if shown < causes.len() {
        let remark = format!("  {:>columns$}  {} smaller causes", numbers[shown], causes.len() - shown);
        out.push(StyledLine::new(remark, Tone::Text));
    }
    out.push(StyledLine::new(format!("  {whole:>columns$}"), Tone::Strong).with("  total", Tone::Text));
}

/// Adds what a request waited behind in run queues, the longest first.
fn queue_holders(title: &str, queue: Option<&QueueHolders>, out: &mut Vec<StyledLine>) {
    let Some(queue) = queue else { return };
    out.push(StyledLine::default());
    out.push(StyledLine::new(title, Tone::Strong));
    let lines = queue.lines(ID_DIGITS);
    out.extend(lines.iter().take(MAX_HOLDERS).map(|line| StyledLine::new(format!("  {line}"), Tone::Text)));
    if lines.len() > MAX_HOLDERS {
        let more = format!("  and {} more", lines.len() - MAX_HOLDERS);
        out.push(StyledLine::new(more, Tone::Secondary));
    }
}

fn block(title: &str, differences: &[&Difference], out: &mut Vec<StyledLine>) {
    if differences.is_empty() {
        return;
    }
    out.push(StyledLine::default());
    out.push(StyledLine::new(title, Tone::Strong));
    differences.iter().for_each(|difference| change(difference, out));
}

/// Adds a change: on one line if it is short, else both sides on lines of their own.
fn change(difference: &Difference, out: &mut Vec<StyledLine>) {
    let (a, b) = difference.sides();
    let name = StyledLine::new(format!("  {}", difference.label()), Tone::Info);
    if width(&a) + width(&b) <= MAX_INLINE {
        let line =
            name.with("  ", Tone::Text).with(a, Tone::Bad).with(" -> ", Tone::Secondary).with(b, Tone::Good);
        out.push(line);
        return;
    }
    out.push(name);
    match difference.texts() {
        Some((a, b)) => push_changed_lines(a, b, out),
        None => push_both(&a, &b, out),
    }
}

/// Adds both sides on separate lines, starting shortly before the difference.
fn push_both(a: &str, b: &str, out: &mut Vec<StyledLine>) {
    let (a, b) = side_by_side(a, b, (MAX_SIDE, MAX_SIDE), "…");
    out.push(StyledLine::new(format!("    - {a}"), Tone::Bad));
    out.push(StyledLine::new(format!("    + {b}"), Tone::Good));
}

/// Adds the changed lines of two texts, with the changes highlighted.
fn push_changed_lines(a: &str, b: &str, out: &mut Vec<StyledLine>) {
    let changed = changed_lines(a, b);
    let differing: Vec<_> = changed.iter().filter(|line| line.in_a != line.in_b).collect();
    let seen = |in_b: bool| -> Vec<String> {
        let lines = differing.iter().filter(|line| line.in_b == in_b);
        lines
            .map(|line| {
                drawn(line).map(|(_, text)| text).collect::<String>().chars().take(MAX_INLINE).collect()
            })
            .collect()
    };
    if seen(true) == seen(false) {
        // The difference lies beyond the visible part of a long word.
        return push_both(&clean(a), &clean(b), out);
    }
    for line in differing.iter().take(MAX_LINES) {
        let (sign, tone) = if line.in_a { ("-", Tone::Bad) } else { ("+", Tone::Good) };
        let parts = drawn(line);
        out.push(parts.fold(StyledLine::new(format!("    {sign} "), tone), |line, (is_changed, text)| {
            line.with(text, if is_changed { tone } else { Tone::Text })
        }));
    }
    if differing.len() > MAX_LINES {
        out.push(StyledLine::new(
            format!("    and {} more lines", differing.len() - MAX_LINES),
            Tone::Secondary,
        ));
    }
}

/// Returns the parts of a line as drawn, each with whether it changed.
fn drawn(line: &TextLine) -> impl Iterator<Item = (bool, String)> {
    let last = line.parts.len().saturating_sub(1);
    line.parts.iter().enumerate().map(move |(at, (is_changed, part))| match *is_changed || last == 0 {
        true => (true, clean(part).into_owned()),
        false => (false, shortened(part, at > 0, at < last)),
    })
}

/// Shortens an unchanged part: keeps its start after a change and its end before one.
fn shortened(part: &str, after: bool, before: bool) -> String {
    let len = part.chars().count();
    let (head, tail) = (if after { CONTEXT } else { 0 }, if before { CONTEXT } else { 0 });
    if len <= head + tail + 1 {
        return clean(part).into_owned();
    }
    let start: String = part.chars().take(head).collect();
    let end: String = part.chars().skip(len - tail).collect();
    format!("{}…{}", clean(&start), clean(&end))
}

/// Returns the verdict, wrapped.
pub(super) fn verdict(diff_lines: &DiffLines, shared: &SharedState, columns: u16) -> Vec<String> {
    let text = shared.drawable(&diff_lines.verdict);
    let room = usize::from(columns).saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_full = lines.len() >= MAX_VERDICT;
        match lines.last_mut() {
            // The last line takes the rest and is truncated.
            Some(line) if is_full || width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Returns the width of a name with the marker of an effect.
pub(super) fn name_width(line: &Pair) -> usize {
    width(&line.name) + if line.is_effect { 4 } else { 0 }
}
