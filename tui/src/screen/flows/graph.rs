//! A flow as a graph in text: its steps from top to bottom, each with what comes in and what goes out.

use zerver_analysis::{Baseline, Distribution, TimePart};
use zerver_trace::text::clean;
use zerver_trace::{FlowInfo, StepInfo, duration};

use crate::draw::{Line, Tone, width};

/// A name is given so many columns at most.
const MAX_NAME: usize = 44;
/// And so many at least.
const MIN_NAME: usize = 34;

/// The lines of a flow; with times, where they are known.
pub(super) fn lines(flow: &FlowInfo, usual: Option<&Baseline>) -> Vec<Line> {
    let mut rows: Vec<Row> = Vec::new();
    let usual = usual.filter(|usual| usual.total.requests > 0);
    if let Some(usual) = usual {
        rows.push(Row::new("", "whole request", Tone::Strong, Some(usual.total)));
        for (place, name) in [(TimePart::Receive, "reading the body"), (TimePart::Unexplained, "unexplained")]
        {
            let spread = usual.parts.get(&place).copied();
            rows.extend(spread.map(|spread| Row::new("", name, Tone::Faint, Some(spread))));
        }
    }
    for step in &flow.steps {
        of_step(step, flow, usual, &mut rows);
    }
    let columns = rows.iter().map(Row::columns).max().unwrap_or(0).clamp(MIN_NAME, MAX_NAME);
    let mut lines = Vec::new();
    if usual.is_some() {
        lines.push(Line::of(
            format!("{:columns$}  {:>9}  {:>9}", "steps on the CPU, and their waits", "p50", "p99"),
            Tone::Faint,
        ));
    }
    lines.extend(rows.into_iter().map(|row| row.line(columns)));
    lines
}

struct Row {
    indent: &'static str,
    name: String,
    tone: Tone,
    spread: Option<Distribution>,
    /// What else is to be said, after the times.
    more: String,
}

impl Row {
    fn new(indent: &'static str, name: &str, tone: Tone, spread: Option<Distribution>) -> Self {
        Self { indent, name: clean(name).into_owned(), tone, spread, more: String::new() }
    }

    fn columns(&self) -> usize {
        if self.spread.is_some() { width(self.indent) + width(&self.name) } else { 0 }
    }

    fn line(self, columns: usize) -> Line {
        let room = columns.saturating_sub(width(self.indent));
        let Some(spread) = self.spread else {
            return Line::of(self.indent, Tone::Faint).with(self.name, self.tone).with(
                if self.more.is_empty() { String::new() } else { format!("  {}", self.more) },
                Tone::Faint,
            );
        };
        let name = crate::draw::fit(&self.name, room, "…");
        let filler = " ".repeat(room.saturating_sub(width(&name)));
        let (p50, p99) = (duration::show(spread.p50_ns), duration::show(spread.p99_ns));
        let more = if self.more.is_empty() { String::new() } else { format!("  {}", self.more) };
        Line::of(self.indent, Tone::Faint)
            .with(format!("{name}{filler}"), self.tone)
            .with(format!("  {p50:>9}  {p99:>9}"), Tone::Text)
            .with(more, Tone::Faint)
    }
}

fn of_step(step: &StepInfo, flow: &FlowInfo, usual: Option<&Baseline>, rows: &mut Vec<Row>) {
    let part = |place: TimePart| usual.and_then(|usual| usual.parts.get(&place)).copied();
    let of = |kind: fn(String) -> TimePart| part(kind(step.name.clone()));
    let mut row = Row::new("● ", &step.name, Tone::Strong, of(TimePart::Cpu));
    row.more = clean(&format!("{}:{}", step.file, step.line)).into_owned();
    rows.push(row);
    if let Some(doc) = step.doc.lines().next().filter(|line| !line.trim().is_empty()) {
        rows.push(Row::new("│ ", doc.trim(), Tone::Faint, None));
    }
    let slot = |at: u16, optional: bool| {
        let slot = flow.slots.get(usize::from(at));
        let name = slot.map_or("?", |slot| slot.name.as_str());
        let secret = if slot.is_some_and(|slot| slot.is_secret) { " (secret)" } else { "" };
        format!("{name}{}{secret}", if optional { "?" } else { "" })
    };
    let reads: Vec<String> = step.reads.iter().map(|read| slot(read.slot, read.is_optional)).collect();
    let writes: Vec<String> = step.writes.iter().map(|write| slot(write.slot, write.is_optional)).collect();
    if !reads.is_empty() {
        rows.push(Row::new("│ reads  ", &reads.join(", "), Tone::Noted, None));
    }
    if let Some(spread) = of(TimePart::Queue) {
        rows.push(Row::new("│ queue", "", Tone::Queue, Some(spread)));
    }
    if let Some(spread) = of(TimePart::CompletionDelay) {
        rows.push(Row::new("│ late", "", Tone::Warn, Some(spread)));
    }
    for (place, spread) in usual.iter().flat_map(|usual| &usual.parts) {
        if let TimePart::Effect { step: of, what } = place
            && *of == step.name
        {
            let mut row = Row::new("│ waits  ", what, Tone::Effect, Some(*spread));
            let count = spread.requests;
            row.more = format!("{count} time{}", if count == 1 { "" } else { "s" });
            rows.push(row);
        }
    }
    if !writes.is_empty() {
        rows.push(Row::new("│ writes ", &writes.join(", "), Tone::Good, None));
    }
}
