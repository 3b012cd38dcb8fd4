//! The timeline of one request, as text.

use anstream::adapter::strip_str;
use zerver_analysis::{CompletionDelay, Effect, Migration, Reclassification, SlotWrite, Timeline, Verdict};
use zerver_trace::text::clean;
use zerver_trace::{Kept, Thread, Trace};

use super::head::Part;
use super::rows::rows;
use super::{broken, count, exchange, filler, fit, paint, style, value, width};
use zerver_trace::duration;
use zerver_trace::duration::Unit;

/// How to draw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// In how many columns.
    pub(crate) columns: usize,
    /// Whether what is longer is folded, since it is for eyes.
    pub(crate) folds: bool,
    /// With how many digits of the id.
    pub(crate) digits: usize,
    /// With request, response and values in full.
    pub(crate) is_verbose: bool,
}

impl Look {
    /// How many columns a line of a field may take.
    fn room(self) -> usize {
        if self.folds { self.columns.saturating_sub(FIELD) } else { usize::MAX }
    }
}

/// How many late answers are shown.
const LATES: usize = 3;

/// Under the words of the rows, the labels of the fields stand in so many columns.
pub(super) const FIELD: usize = 9;

/// The whole of it.
pub(crate) fn timeline(trace: &Trace, timeline: &Timeline, verdict: Option<&Verdict>, look: Look) -> String {
    let unit = Unit::of(trace.duration_ns);
    let mut out = head(trace, look);
    out += &field("class", &moves(timeline, look));
    out += &field("carried", &carries(timeline));
    out += &field("read", &read_late(timeline, look));
    out += &rows(trace, timeline, unit, look);
    out += &field("late", &lates(timeline, look));
    out += &io(timeline, unit, look);
    out += &total(timeline, unit, look);
    // Where no step ran there is nothing to blame.
    if let Some(verdict) = verdict.filter(|_| !timeline.runs.is_empty()) {
        out += &field("verdict", &verdict_lines(verdict, look));
    }
    out += &slots(&timeline.slots, look);
    out += &failure(timeline, look);
    if trace.is_undelivered {
        out += &field("response", &["not delivered: the client had left".to_owned()]);
    }
    let gaps = timeline.gaps.iter().flat_map(|gap| broken(&clean(&gap.to_string()), look.room()));
    let gaps: Vec<String> = gaps.collect();
    out += &field("missing", &gaps);
    if look.is_verbose {
        out += &field("started", &[zerver_analysis::rfc3339(trace.started_unix_ns)]);
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
        Kept::Requested => "because the request asked for it",
        Kept::Sampled => "as one of the sampled share",
    }
}

fn head(trace: &Trace, look: Look) -> String {
    let mut parts =
        vec![status_part(trace.status), Part::kept(style::STRONG, duration::show(trace.duration_ns))];
    if trace.outcome.is_failure() {
        parts.push(Part::spare(style::BAD, trace.outcome.as_str(), 12));
    }
    if !trace.flow.name.is_empty() {
        parts.push(Part::spare(style::PLAIN, clean(&trace.flow.name), 20));
    }
    parts.push(Part::spare(style::FAINT, trace.class.as_str(), 40));
    if let Some(worker) = trace.worker {
        parts.push(Part::spare(style::FAINT, Thread::Worker(worker).to_string(), 40));
    }
    let asked = format!("{} {}", clean(&trace.method), clean(&trace.path));
    super::head::head(None, &trace.id.short(look.digits), &asked, parts, look)
}

/// A status with its reason, which gives way.
pub(super) fn status_part(code: u16) -> Part {
    let least = if code == 0 { status(code) } else { code.to_string() };
    Part::shortened(style::status(code), status(code), least, 32)
}

/// The classes it was given after that of its flow.
fn moves(timeline: &Timeline, look: Look) -> Vec<String> {
    let line = |m: &Reclassification| {
        let text = format!("{} to {} at {}: {}", m.from, m.to, duration::show(m.at_ns), clean(&m.reason));
        if look.is_verbose { text } else { fit(&text, look.columns.saturating_sub(FIELD)) }
    };
    timeline.reclassifications.iter().map(line).collect()
}

/// Where it went on elsewhere than on the worker of its connection.
fn carries(timeline: &Timeline) -> Vec<String> {
    let line = |carry: &Migration| format!("to {} at {}", carry.to, duration::show(carry.at_ns));
    timeline.migrations.iter().map(line).collect()
}

/// What of it was read right after a long step.
fn read_late(timeline: &Timeline, look: Look) -> Vec<String> {
    timeline.read_delays.iter().flat_map(|read| broken(&clean(&read.to_string()), look.room())).collect()
}

/// Where an answer lay ready while the thread of the request was busy, the longest first.
fn lates(timeline: &Timeline, look: Look) -> Vec<String> {
    let effects = timeline.runs.iter().flat_map(|run| &run.effects);
    let mut lates: Vec<_> =
        effects.flat_map(|effect| effect.completion_delays().map(move |late| (late, effect))).collect();
    lates.sort_by_key(|(late, _)| std::cmp::Reverse(late.delay_ns));
    let shown = if look.is_verbose { lates.len() } else { LATES };
    let line = |(late, effect): &(&CompletionDelay, &Effect)| {
        let text = format!(
            "{}: {} ({})",
            duration::show(late.delay_ns),
            clean(&late.reason()),
            clean(&effect.label())
        );
        if look.is_verbose { text } else { fit(&text, look.columns.saturating_sub(FIELD)) }
    };
    let mut lines: Vec<String> = lates.iter().take(shown).map(line).collect();
    if lates.len() > shown {
        lines.push(format!("and {} more", lates.len() - shown));
    }
    lines
}

fn io(timeline: &Timeline, unit: Unit, look: Look) -> String {
    let kinds: Vec<String> = timeline
        .totals
        .io
        .iter()
        .map(|(kind, io)| {
            let calls = paint(style::FAINT, &format!("({})", count(io.calls, "call", "calls")));
            format!("{} {} {calls}", clean(kind), unit.show(io.time_ns))
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
        ("late", t.completion_delay_ns),
        ("receiving", t.receive_ns),
        ("unexplained", t.unexplained_ns),
    ];
    let rounded = unit.round(&parts.map(|(_, ns)| ns));
    let shown: Vec<String> = parts
        .iter()
        .zip(&rounded)
        .filter(|(_, quanta)| **quanta > 0 && (t.queue_ns > 0 || !timeline.runs.is_empty()))
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
pub(super) fn wrap(parts: &[String], separator: &str, look: Look) -> Vec<String> {
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

fn verdict_lines(verdict: &Verdict, look: Look) -> Vec<String> {
    let largest = format!("{}% {}", verdict.largest.percent, clean(&verdict.largest.label));
    let against = verdict
        .median_ns
        .map(|median_ns| format!("; this flow's median is {}", duration::show(median_ns)))
        .unwrap_or_default();
    if width(&largest) + width(&against) <= look.room() {
        return vec![format!("{}{against}", paint(style::STRONG, &largest))];
    }
    let (largest, against) = (format!("{largest};"), against.trim_start_matches("; "));
    let strong = broken(&largest, look.room()).into_iter().map(|line| paint(style::STRONG, &line));
    strong.chain(broken(against, look.room())).collect()
}

/// On one line if there is room, or else one line each.
fn slots(slots: &[SlotWrite], look: Look) -> String {
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
            let (mut n, mut value) = (n.clone(), value.clone());
            if !look.is_verbose {
                // Of a long name and a long value, each keeps a half.
                n = fit(&n, room.saturating_sub(2 + width(&value)).max(column.max(room / 2)));
                value = fit(&value, room.saturating_sub(column.max(width(&n)) + 2));
            }
            format!("{}{}  {value}", name(&n), filler(&n, column))
        })
        .collect();
    field("slots", &lines)
}

fn failure(timeline: &Timeline, look: Look) -> String {
    let Some(failure) = &timeline.failure else { return String::new() };
    let clean = |text: &str| clean(text).into_owned();
    let folded = |text: &str| broken(&clean(text), look.room());
    let said = match failure.kind.as_str() {
        "timed_out" => "timed_out: its deadline was over".to_owned(),
        "gone" => "gone: the client went away".to_owned(),
        _ => failure.to_string(),
    };
    let said: Vec<String> = folded(&said).iter().map(|line| paint(style::BAD, line)).collect();
    let mut out = field("failed", &said);
    if let Some(step) = &failure.step {
        let source = failure.source();
        let source = source.map_or_else(String::new, |(file, line)| format!("  {}:{line}", clean(file)));
        let lines = match width(&clean(&step.name)) + width(&source) <= look.room() {
            true => vec![format!("{}{}", clean(&step.name), paint(style::FAINT, &source))],
            false => [folded(&step.name), folded(source.trim_start())].concat(),
        };
        out += &field("step", &lines);
    }
    let effects: Vec<String> =
        failure.effects.iter().flat_map(|(effect, end)| folded(&format!("{effect}: {end}"))).collect();
    out += &field("effect", &effects);
    out += &field("cause", &failure.causes.iter().flat_map(|cause| folded(cause)).collect::<Vec<_>>());
    out
}

#[cfg(test)]
mod tests;
