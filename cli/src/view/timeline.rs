//! The timeline of one request, as text.

use std::fmt::Write as _;

use anstream::adapter::strip_str;
use anstyle::Style;
use zerver_replay::{Effect, End, Run, Timeline, Verdict, Write};
use zerver_trace::text::clean;
use zerver_trace::{Decision, Kept, Trace};

use super::bar::bar;
use super::{count, exchange, filler, fit, paint, style, value, width};
use crate::duration;

/// How to draw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// In how many columns.
    pub(crate) columns: usize,
    /// With how many digits of the id.
    pub(crate) digits: usize,
    /// With request, response and values in full.
    pub(crate) is_verbose: bool,
}

/// The widest that a waterfall gets.
const MAX_BAR: usize = 60;
/// So many kinds of effects are named in one row.
const MAX_KINDS: usize = 8;
/// Under the words of the rows, the labels of the fields stand in so many columns.
const FIELD: usize = 9;

/// The whole of it.
pub(crate) fn timeline(trace: &Trace, timeline: &Timeline, verdict: Option<&Verdict>, look: Look) -> String {
    let unit = Unit::of(trace.duration_ns);
    let mut out = head(trace, look);
    out += &rows(trace, timeline, unit, look);
    out += &io(timeline, unit, look);
    out += &total(timeline, unit, look);
    if let Some(verdict) = verdict {
        out += &field("verdict", &[verdict_line(verdict)]);
    }
    out += &slots(&timeline.slots, look);
    out += &failure(timeline);
    let gaps: Vec<String> = timeline.gaps.iter().map(|gap| clean(&gap.to_string()).into_owned()).collect();
    out += &field("missing", &gaps);
    if look.is_verbose {
        out += &field("started", &[zerver_replay::rfc3339(trace.started_unix_ns)]);
        out += &field("kept", &[kept(trace.kept).to_owned()]);
        if !trace.build.is_empty() {
            out += &field("build", &[clean(&trace.build).into_owned()]);
        }
        out += &exchange::exchange(trace);
    }
    out
}

/// A labelled block: the label once, and each line under the one before.
pub(crate) fn field(label: &str, lines: &[String]) -> String {
    let mut out = String::new();
    for (at, line) in lines.iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let line = format!("{}{} {line}", paint(style::FAINT, label), filler(label, FIELD - 1));
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// `200 OK`, `no response`.
pub(crate) fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}

/// Why it was kept.
const fn kept(kept: Kept) -> &'static str {
    match kept {
        Kept::All => "because everything is",
        Kept::Failed => "because it failed",
        Kept::Slow => "because it was slow for its flow",
        Kept::Asked => "because the request asked for it",
        Kept::Sampled => "as one of the sampled share",
    }
}

fn head(trace: &Trace, look: Look) -> String {
    let id = trace.id.short(look.digits);
    let mut rest = vec![
        (style::status(trace.status), status(trace.status)),
        (style::STRONG, duration::show(trace.duration_ns)),
    ];
    if trace.outcome.is_failure() {
        rest.push((style::BAD, trace.outcome.as_str().to_owned()));
    }
    if !trace.flow.name.is_empty() {
        rest.push((style::PLAIN, clean(&trace.flow.name).into_owned()));
    }
    rest.push((style::FAINT, trace.class.as_str().to_owned()));
    let mut after = 0;
    let mut words = String::new();
    for (style, text) in rest {
        after += width(&text) + 2;
        let _ = write!(words, "  {}", paint(style, &text));
    }
    let asked = format!("{} {}", clean(&trace.method), clean(&trace.path));
    let room = look.columns.saturating_sub(width(&id) + 2 + after).max(20);
    let asked = if look.is_verbose { asked } else { fit(&asked, room) };
    format!("{}  {}{words}\n", paint(style::ID, &id), paint(style::STRONG, &asked))
}

/// The unit of a whole timeline, so that its numbers compare at a glance.
#[derive(Debug, Clone, Copy)]
struct Unit {
    name: &'static str,
    /// The last digit that is shown, in nanoseconds.
    quantum_ns: u64,
    decimals: usize,
}

impl Unit {
    const fn of(total_ns: u64) -> Self {
        match total_ns {
            0..1_000_000 => Self { name: "µs", quantum_ns: 100, decimals: 1 },
            1_000_000..10_000_000_000 => Self { name: "ms", quantum_ns: 10_000, decimals: 2 },
            _ => Self { name: "s", quantum_ns: 1_000_000, decimals: 3 },
        }
    }

    fn show(self, ns: u64) -> String {
        self.quanta(ns.saturating_add(self.quantum_ns / 2) / self.quantum_ns)
    }

    fn quanta(self, quanta: u64) -> String {
        let scale = 10u64.pow(self.decimals as u32);
        format!("{}.{:0>decimals$}", quanta / scale, quanta % scale, decimals = self.decimals)
    }

    /// Each part in quanta, rounded so that they add up to the rounded sum: the parts that lose most are rounded up.
    fn round(self, parts: &[u64]) -> Vec<u64> {
        let sum: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(*part));
        let mut quanta: Vec<u64> = parts.iter().map(|part| part / self.quantum_ns).collect();
        let wanted = sum.saturating_add(self.quantum_ns / 2) / self.quantum_ns;
        let lack = wanted.saturating_sub(quanta.iter().sum()) as usize;
        let mut order: Vec<usize> = (0..parts.len()).collect();
        order.sort_by_key(|&at| std::cmp::Reverse(parts[at] % self.quantum_ns));
        order.into_iter().take(lack).for_each(|at| quanta[at] += 1);
        quanta
    }
}

/// A row before it is laid out.
struct Row {
    at_ns: u64,
    took_ns: u64,
    mark: (Style, &'static str),
    /// In how many columns the name stands, so that what follows lines up; 0 if it need not.
    name_columns: usize,
    name: (Style, String),
    outcome: (Style, String),
    bar: Style,
}

fn rows(trace: &Trace, timeline: &Timeline, unit: Unit, look: Look) -> String {
    let total_ns = timeline.totals.total_ns;
    let rows = collect(trace, timeline);
    let (at, took) = (format!("at {}", unit.name), "took");
    let at_columns = rows.iter().map(|row| unit.show(row.at_ns).len()).max().unwrap_or(0).max(width(&at));
    let took_columns = rows.iter().map(|row| unit.show(row.took_ns).len()).max().unwrap_or(0).max(took.len());

    let words = |row: &Row| {
        let name = width(row.mark.1) + 1 + width(&row.name.1).max(row.name_columns);
        name + if row.outcome.1.is_empty() { 0 } else { 3 + width(&row.outcome.1) }
    };
    let room = look.columns.saturating_sub(2 + at_columns + 2 + took_columns + 3);
    let least_bar = (look.columns / 6).clamp(8, 24);
    let widest = rows.iter().map(words).max().unwrap_or(0);
    let text_columns = widest.min(room.saturating_sub(least_bar + 2));
    let bar_columns = room.saturating_sub(text_columns + 2).min(MAX_BAR);

    let mut out = format!(
        "{}\n",
        paint(style::FAINT, &format!("  {at:>at_columns$}  {took:>took_columns$}")).trim_end()
    );
    for row in &rows {
        let (text, columns) = row_text(row, text_columns);
        let (start, took_ns) = (row.at_ns, row.took_ns);
        let mut line =
            format!("  {:>at_columns$}  {:>took_columns$}   {text}", unit.show(start), unit.show(took_ns));
        let bar = bar((start, took_ns), total_ns, bar_columns);
        if !bar.is_empty() {
            let blanks = bar.len() - bar.trim_start_matches(' ').len();
            line += &" ".repeat(text_columns.saturating_sub(columns) + 2 + blanks);
            line += &paint(row.bar, bar.trim_start_matches(' '));
        }
        out += line.trim_end_matches(' ');
        out.push('\n');
    }
    out
}

/// Mark, name and outcome in at most so many columns, and how many they take.
fn row_text(row: &Row, columns: usize) -> (String, usize) {
    let (mark_style, mark) = row.mark;
    let room = columns.saturating_sub(width(mark) + 1);
    let wanted = if row.outcome.1.is_empty() { 0 } else { width(&row.outcome.1) + 3 };
    let full_name = width(&row.name.1);
    // The outcome gives way first, down to half of the room.
    let for_name = full_name.min(room.saturating_sub(wanted.min(room / 2)));
    let name = fit(&row.name.1, for_name);
    let name_columns = width(&name).max(row.name_columns.min(room.saturating_sub(wanted)));
    let outcome = fit(&row.outcome.1, room.saturating_sub(name_columns + 3));
    let mut text = format!("{} {}", paint(mark_style, mark), paint(row.name.0, &name));
    let mut taken = width(mark) + 1 + width(&name);
    if !outcome.is_empty() {
        text += &filler(&name, name_columns);
        text += &format!("   {}", paint(row.outcome.0, &outcome));
        taken = width(mark) + 1 + name_columns + 3 + width(&outcome);
    }
    (text, taken)
}

fn collect(trace: &Trace, timeline: &Timeline) -> Vec<Row> {
    let mut rows = Vec::new();
    let totals = &timeline.totals;
    // A body that took its time is part of the picture.
    if totals.receive_ns > 0 && totals.receive_ns >= totals.total_ns / 100 && trace.request_body.full_len > 0
    {
        rows.push(Row {
            at_ns: 0,
            took_ns: totals.receive_ns,
            mark: (style::FAINT, "·"),
            name_columns: 0,
            name: (style::PLAIN, "request body".to_owned()),
            outcome: (style::FAINT, count(trace.request_body.full_len, "byte", "bytes")),
            bar: style::FAINT,
        });
    }
    let name_columns =
        timeline.runs.iter().map(|run| width(&clean(&run.step.name))).max().unwrap_or(0).min(24);
    for run in &timeline.runs {
        rows.push(step_row(trace, timeline, run, name_columns));
        rows.extend(run.effects.iter().map(effect_row));
    }
    rows
}

fn step_row(trace: &Trace, timeline: &Timeline, run: &Run, name_columns: usize) -> Row {
    let is_bad = matches!(run.decision, Some(Decision::Fail | Decision::Panic));
    let said = match run.decision {
        Some(Decision::Need) => needs(&run.effects),
        Some(Decision::Done) => format!("done {}", trace.status),
        Some(Decision::Yield) => "yields".to_owned(),
        Some(Decision::Fail) => match &timeline.failure {
            Some(failure) => format!("failed: {failure}"),
            None => "failed".to_owned(),
        },
        Some(Decision::Panic) => "panicked".to_owned(),
        Some(Decision::Continue) => String::new(),
        None => "its run is not in the trace".to_owned(),
    };
    let outcome = [said, wrote(&run.wrote)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    let mark = match run.decision {
        _ if is_bad => (style::BAD, "✗"),
        Some(_) => (style::GOOD, "✓"),
        None => (style::WARN, "?"),
    };
    Row {
        at_ns: run.start_ns,
        took_ns: run.cpu_ns,
        mark,
        name_columns,
        name: (style::STRONG, clean(&run.step.name).into_owned()),
        outcome: (if is_bad { style::BAD } else { style::FAINT }, clean(&outcome.join(", ")).into_owned()),
        bar: if is_bad { style::BAD } else { style::CPU },
    }
}

fn effect_row(effect: &Effect) -> Row {
    let is_bad = matches!(effect.end, End::Err(_));
    let mut outcome = vec![effect.end.to_string()];
    if effect.attempts.len() > 1 {
        outcome.push(format!("{} attempts", effect.attempts.len()));
    }
    outcome.extend(Some(wrote(&effect.wrote)).filter(|wrote| !wrote.is_empty()));
    Row {
        at_ns: effect.start_ns,
        took_ns: effect.duration_ns,
        mark: (style::FAINT, "  ↳"),
        name_columns: 0,
        name: (style::PLAIN, clean(&effect.label()).into_owned()),
        outcome: (if is_bad { style::BAD } else { style::FAINT }, clean(&outcome.join(", ")).into_owned()),
        bar: if is_bad { style::BAD } else { style::WAIT },
    }
}

/// `needs http, 3 kv`.
fn needs(effects: &[Effect]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for effect in effects {
        match kinds.iter().position(|(kind, _)| *kind == effect.kind) {
            Some(at) => kinds[at].1 += 1,
            None if kinds.len() < MAX_KINDS => kinds.push((&effect.kind, 1)),
            None => {}
        }
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, n)| if n == 1 { kind.to_owned() } else { format!("{n} {kind}") })
        .collect();
    format!("needs {}", if kinds.is_empty() { "nothing".to_owned() } else { kinds.join(", ") })
}

fn wrote(writes: &[Write]) -> String {
    let names: Vec<&str> = writes.iter().map(|write| write.name.as_str()).collect();
    if names.is_empty() { String::new() } else { format!("wrote {}", names.join(", ")) }
}

fn io(timeline: &Timeline, unit: Unit, look: Look) -> String {
    let kinds: Vec<String> = timeline
        .totals
        .io
        .iter()
        .map(|(kind, io)| {
            let calls = paint(style::FAINT, &format!("({})", count(io.calls, "call", "calls")));
            format!("{} {} {calls}", clean(kind), unit.show(io.ns))
        })
        .collect();
    field("I/O", &wrap(&kinds, "   ", look))
}

/// The whole and its parts, which add up also as they are shown.
fn total(timeline: &Timeline, unit: Unit, look: Look) -> String {
    let t = &timeline.totals;
    let parts = [
        ("effects", t.wait_ns),
        ("CPU", t.cpu_ns),
        ("queue", t.queue_ns),
        ("body", t.receive_ns),
        ("unexplained", t.unexplained_ns),
    ];
    let rounded = unit.round(&parts.map(|(_, ns)| ns));
    let shown: Vec<String> = parts
        .iter()
        .zip(&rounded)
        .filter(|(_, quanta)| **quanta > 0)
        .map(|((name, _), quanta)| {
            let style = if *name == "unexplained" { style::WARN } else { style::FAINT };
            format!("{} {}", unit.quanta(*quanta), paint(style, name))
        })
        .collect();
    let whole = unit.quanta(rounded.iter().sum());
    let mut terms = vec![format!("{} {}", paint(style::STRONG, &whole), unit.name)];
    for (at, term) in shown.iter().enumerate() {
        terms.push(format!("{} {term}", if at == 0 { "=" } else { "+" }));
    }
    field("total", &wrap(&terms, " ", look))
}

/// Parts after one another, on as many lines as they need.
fn wrap(parts: &[String], separator: &str, look: Look) -> Vec<String> {
    let room = look.columns.saturating_sub(FIELD);
    let mut lines: Vec<(usize, String)> = Vec::new();
    for part in parts {
        // Styles take no columns.
        let columns = width(&strip_str(part).to_string());
        match lines.last_mut() {
            Some((taken, line)) if *taken + separator.len() + columns <= room => {
                *taken += separator.len() + columns;
                line.push_str(separator);
                line.push_str(part);
            }
            _ => lines.push((columns, part.clone())),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn verdict_line(verdict: &Verdict) -> String {
    let largest = format!("{}% {}", verdict.largest.percent, clean(&verdict.largest.label));
    let against = verdict
        .median_ns
        .map(|median_ns| format!("; this flow's median is {}", duration::show(median_ns)))
        .unwrap_or_default();
    format!("{}{against}", paint(style::STRONG, &largest))
}

/// On one line if there is room, or else one line each.
fn slots(slots: &[Write], look: Look) -> String {
    let shown: Vec<(String, String)> =
        slots.iter().map(|slot| (clean(&slot.name).into_owned(), value::slot(slot))).collect();
    let room = look.columns.saturating_sub(FIELD);
    let one_line: usize = shown.iter().map(|(name, value)| width(name) + 1 + width(value) + 3).sum();
    let name = |name: &str| paint(style::NOTED, name);
    if one_line <= room + 3 {
        let line: Vec<String> = shown.iter().map(|(n, value)| format!("{} {value}", name(n))).collect();
        return if line.is_empty() { String::new() } else { field("slots", &[line.join("   ")]) };
    }
    let column = shown.iter().map(|(n, _)| width(n)).max().unwrap_or(0).min(24);
    let lines: Vec<String> = shown
        .iter()
        .map(|(n, value)| {
            let room = room.saturating_sub(column.max(width(n)) + 2);
            let value = if look.is_verbose { value.clone() } else { fit(value, room) };
            format!("{}{}  {value}", name(n), filler(n, column))
        })
        .collect();
    field("slots", &lines)
}

fn failure(timeline: &Timeline) -> String {
    let Some(failure) = &timeline.failure else { return String::new() };
    let clean = |text: &str| clean(text).into_owned();
    let mut out = field("failed", &[paint(style::BAD, &clean(&failure.to_string()))]);
    if let Some(step) = &failure.step {
        let source =
            if step.line > 0 { format!("  {}:{}", clean(&step.file), step.line) } else { String::new() };
        out += &field("step", &[format!("{}{}", clean(&step.name), paint(style::FAINT, &source))]);
    }
    let effects: Vec<String> =
        failure.effects.iter().map(|(effect, end)| clean(&format!("{effect}: {end}"))).collect();
    out += &field("effect", &effects);
    out += &field("cause", &failure.causes.iter().map(|cause| clean(cause)).collect::<Vec<_>>());
    out
}

#[cfg(test)]
mod tests;
