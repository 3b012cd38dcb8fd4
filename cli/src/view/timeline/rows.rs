//! Rows of a timeline: each step, its effects below it, and a waterfall to the right.

use anstyle::Style;
use zerver_analysis::{Effect, Failure, LogLine, Point, RowState, StepRun, Timeline, display, failing_run};
use zerver_trace::duration;
use zerver_trace::text::clean;
use zerver_trace::{Decision, LogLevel, Trace};

use crate::view::bar::bar;
use crate::view::layout::Layout;
use crate::view::{count, fill, fit, paint, style, width};

/// Maximum width of the waterfall, in columns.
const MAX_BAR: usize = 60;

/// A row before layout.
struct Row {
    at_ns: u64,
    /// `None` if it is unknown.
    took_ns: Option<u64>,
    mark: (Style, &'static str),
    /// Width of the name, in columns, so that what follows is aligned; 0 for any.
    name_columns: usize,
    name: (Style, String),
    outcome: (Style, String),
    bar: Style,
}

pub(super) fn rows(trace: &Trace, timeline: &Timeline, layout: Layout) -> String {
    let total_ns = timeline.totals.total_ns;
    let rows = collect(trace, timeline);
    if rows.is_empty() {
        return String::new();
    }
    let (at, took) = ("at", "took");
    let columns_of = |times: &mut dyn Iterator<Item = u64>, title: &str| {
        times.map(|ns| width(&duration::show(ns))).max().unwrap_or(0).max(title.len())
    };
    let at_columns = columns_of(&mut rows.iter().map(|row| row.at_ns), at);
    let took_columns = columns_of(&mut rows.iter().filter_map(|row| row.took_ns), took);

    let words = |row: &Row| {
        let name = width(row.mark.1) + 1 + width(&row.name.1).max(row.name_columns);
        name + if row.outcome.1.is_empty() { 0 } else { 3 + width(&row.outcome.1) }
    };
    let room = layout.columns.saturating_sub(2 + at_columns + 2 + took_columns + 3);
    let least_bar = (layout.columns / 6).clamp(8, 24);
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
        let mut line = format!(
            "  {:>at_columns$}  {:>took_columns$}   {text}",
            duration::show(start),
            took_ns.map(duration::show).unwrap_or_default()
        );
        let bar = bar((start, took_ns.unwrap_or_default()), total_ns, bar_columns);
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

/// Returns mark, name and outcome in at most this many columns, and the number of columns they take.
fn row_text(row: &Row, columns: usize) -> (String, usize) {
    let (mark_style, mark) = row.mark;
    let room = columns.saturating_sub(width(mark) + 1);
    let wanted = if row.outcome.1.is_empty() { 0 } else { width(&row.outcome.1) + 3 };
    let full_name = width(&row.name.1);
    // The outcome is truncated first, down to half of the columns.
    let for_name = full_name.min(room.saturating_sub(wanted.min(room / 2)));
    let name = fit(&row.name.1, for_name);
    let name_columns = width(&name).max(row.name_columns.min(room.saturating_sub(wanted)));
    let outcome = fit(&row.outcome.1, room.saturating_sub(name_columns + 3));
    let mut text = format!("{} {}", paint(mark_style, mark), paint(row.name.0, &name));
    let mut taken = width(mark) + 1 + width(&name);
    if !outcome.is_empty() {
        text += &fill(&name, name_columns);
        text += &format!("   {}", paint(row.outcome.0, &outcome));
        taken = width(mark) + 1 + name_columns + 3 + width(&outcome);
    }
    (text, taken)
}

fn collect(trace: &Trace, timeline: &Timeline) -> Vec<Row> {
    let mut rows = Vec::new();
    let totals = &timeline.totals;
    // The body gets a row if it took a significant part of the time.
    if totals.receive_ns > 0 && totals.receive_ns >= totals.total_ns / 100 && trace.request_body.full_len > 0
    {
        rows.push(Row {
            at_ns: 0,
            took_ns: Some(totals.receive_ns),
            mark: (style::FAINT, "·"),
            name_columns: 0,
            name: (style::PLAIN, "request body".to_owned()),
            outcome: (style::FAINT, count(trace.request_body.full_len, "byte", "bytes")),
            bar: style::FAINT,
        });
    }
    let name_columns =
        timeline.runs.iter().map(|run| width(&clean(&run.step.name))).max().unwrap_or(0).min(24);
    let failing = failing_run(timeline);
    for (at, run) in timeline.runs.iter().enumerate() {
        let failure = timeline.failure.as_ref().filter(|_| failing == Some(at));
        rows.push(step_row(trace, run, failure, name_columns));
        let mut lines = run.log_lines.iter().peekable();
        for effect in &run.effects {
            while let Some(line) = lines.next_if(|line| line.at_ns <= effect.start_ns) {
                rows.push(line_row(line));
            }
            rows.push(effect_row(trace, effect));
            rows.extend(effect.points().map(point_row));
            rows.extend(effect.log_lines.iter().map(line_row));
        }
        rows.extend(lines.map(line_row));
    }
    rows
}

fn step_row(trace: &Trace, run: &StepRun, failure: Option<&Failure>, name_columns: usize) -> Row {
    let bad = bad_style(RowState::of_run(trace, run, failure));
    let decision = match run.decision {
        Some(Decision::Need) => display::needs(&run.effects),
        Some(Decision::Done) => format!("done {}", trace.status),
        Some(Decision::Yield) => "yields".to_owned(),
        Some(Decision::Fail | Decision::Panic) if failure.is_some() => String::new(),
        Some(Decision::Fail) => "failed".to_owned(),
        Some(Decision::Panic) => "panicked".to_owned(),
        Some(Decision::Continue) => String::new(),
        None if !trace.has_steps() => String::new(),
        None => "its run was not recorded".to_owned(),
    };
    let failed = failure.map(ToString::to_string).unwrap_or_default();
    let outcome = [decision, display::wrote(&run.writes), display::exceeded_quantum(run), failed]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>();
    let mark = match (bad, run.decision) {
        (Some(bad), _) => (bad, "✗"),
        (None, Some(_)) => (style::GOOD, "✓"),
        (None, None) if !trace.has_steps() => (style::FAINT, "·"),
        (None, None) => (style::WARN, "?"),
    };
    Row {
        at_ns: run.start_ns,
        took_ns: run.decision.map(|_| run.cpu_ns),
        mark,
        name_columns,
        name: (style::STRONG, clean(&run.step.name).into_owned()),
        outcome: (bad.unwrap_or(style::FAINT), clean(&outcome.join(", ")).into_owned()),
        bar: bad.unwrap_or(style::CPU),
    }
}

/// Returns the row of a point: the time that it took to reach it.
fn point_row(point: &Point) -> Row {
    Row {
        at_ns: point.at_ns.saturating_sub(point.took_ns),
        took_ns: Some(point.took_ns),
        mark: (style::FAINT, "     "),
        name_columns: 0,
        name: (style::FAINT, format!("until {}", clean(&point.point))),
        outcome: (style::FAINT, String::new()),
        bar: style::FAINT,
    }
}

/// Returns the row of a line that was logged.
fn line_row(line: &LogLine) -> Row {
    let tone = match line.level {
        LogLevel::Error => style::BAD,
        LogLevel::Warn => style::WARN,
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => style::FAINT,
    };
    Row {
        at_ns: line.at_ns,
        took_ns: None,
        mark: (style::FAINT, "     "),
        name_columns: 0,
        name: (tone, format!("{}: {}", line.level, clean(&line.text()))),
        outcome: (style::FAINT, String::new()),
        bar: style::FAINT,
    }
}

fn effect_row(trace: &Trace, effect: &Effect) -> Row {
    let bad = bad_style(RowState::of_effect(trace, effect));
    let mut outcome = vec![effect.end.to_string()];
    outcome.extend(effect.notes());
    outcome.extend(Some(display::wrote(&effect.writes)).filter(|wrote| !wrote.is_empty()));
    Row {
        at_ns: effect.start_ns,
        took_ns: Some(effect.duration_ns),
        mark: (style::FAINT, "  ↳"),
        name_columns: 0,
        name: (style::PLAIN, clean(&effect.label()).into_owned()),
        outcome: (bad.unwrap_or(style::FAINT), clean(&outcome.join(", ")).into_owned()),
        bar: bad.unwrap_or(style::WAIT),
    }
}

/// Returns the style of what ended the request without success; `None` for anything else.
const fn bad_style(state: RowState) -> Option<Style> {
    match state {
        RowState::Failed => Some(style::BAD),
        RowState::ClientError => Some(style::CLIENT_ERROR),
        RowState::Good | RowState::Unknown => None,
    }
}
