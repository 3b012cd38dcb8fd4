//! Text graph of a flow: its steps from top to bottom, each with its reads, effects and writes.

use zerver_analysis::{Baseline, Distribution, TimePart, slo_text};
use zerver_trace::text::clean;
use zerver_trace::{FlowDeclaration, FlowInfo, StepInfo, duration};

use crate::draw::{StyledLine, Tone, width};

/// Maximum width of a name.
const MAX_NAME: usize = 44;
/// Minimum width of a name.
const MIN_NAME: usize = 34;

/// Returns a line with the owner and the objectives of a flow, if it has any.
pub(super) fn declared(declaration: &FlowDeclaration) -> Option<StyledLine> {
    let owner = declaration.owner.iter().map(|owner| format!("owner {}", clean(owner)));
    let parts: Vec<_> = owner.chain(declaration.slo.iter().map(slo_text)).collect();
    (!parts.is_empty()).then(|| StyledLine::new(parts.join("  "), Tone::Secondary))
}

/// Returns the lines of a flow, with times if they are known.
pub(super) fn lines(flow: &FlowInfo, times: Option<&Baseline>) -> Vec<StyledLine> {
    let mut rows: Vec<GraphRow> = Vec::new();
    let times = times.filter(|times| times.total.requests > 0);
    if let Some(times) = times {
        rows.push(GraphRow::new("", "total", Tone::Strong, Some(times.total)));
        for (place, name) in [(TimePart::Receive, "receiving"), (TimePart::Unexplained, "unexplained")] {
            let spread = times.parts.get(&place).copied();
            rows.extend(spread.map(|spread| GraphRow::new("", name, Tone::Secondary, Some(spread))));
        }
    }
    let recovery = flow.recovery_step();
    for (at, step) in flow.steps.iter().enumerate() {
        if recovery == Some(at) {
            rows.push(GraphRow::new("", "on failure", Tone::Secondary, None));
        }
        of_step(step, flow, times, &mut rows);
    }
    let columns = rows.iter().map(GraphRow::columns).max().unwrap_or(0).clamp(MIN_NAME, MAX_NAME);
    let mut lines = Vec::new();
    if times.is_some() {
        lines.push(StyledLine::new(
            format!("{:columns$}  {:>9}  {:>9}", "CPU time of the steps, and waits", "p50", "p99"),
            Tone::Secondary,
        ));
    }
    lines.extend(rows.into_iter().map(|row| row.line(columns)));
    lines
}

struct GraphRow {
    indent: &'static str,
    name: String,
    tone: Tone,
    spread: Option<Distribution>,
    /// Remark after the times.
    more: String,
}

impl GraphRow {
    fn new(indent: &'static str, name: &str, tone: Tone, spread: Option<Distribution>) -> Self {
        Self { indent, name: clean(name).into_owned(), tone, spread, more: String::new() }
    }

    fn columns(&self) -> usize {
        if self.spread.is_some() { width(self.indent) + width(&self.name) } else { 0 }
    }

    fn line(self, columns: usize) -> StyledLine {
        let room = columns.saturating_sub(width(self.indent));
        let Some(spread) = self.spread else {
            return StyledLine::new(self.indent, Tone::Secondary).with(self.name, self.tone).with(
                if self.more.is_empty() { String::new() } else { format!("  {}", self.more) },
                Tone::Secondary,
            );
        };
        let name = crate::draw::fit(&self.name, room, "…");
        let filler = " ".repeat(room.saturating_sub(width(&name)));
        let (p50, p99) = (duration::show(spread.p50_ns), duration::show(spread.p99_ns));
        let more = if self.more.is_empty() { String::new() } else { format!("  {}", self.more) };
        StyledLine::new(self.indent, Tone::Secondary)
            .with(format!("{name}{filler}"), self.tone)
            .with(format!("  {p50:>9}  {p99:>9}"), Tone::Text)
            .with(more, Tone::Secondary)
    }
}

fn of_step(step: &StepInfo, flow: &FlowInfo, times: Option<&Baseline>, rows: &mut Vec<GraphRow>) {
    let part = |place: TimePart| times.and_then(|times| times.parts.get(&place)).copied();
    let of = |kind: fn(String) -> TimePart| part(kind(step.name.clone()));
    let mut row = GraphRow::new("● ", &step.name, Tone::Strong, of(TimePart::Cpu));
    row.more = clean(&format!("{}:{}", step.file, step.line)).into_owned();
    rows.push(row);
    if let Some(doc) = step.doc.lines().next().filter(|line| !line.trim().is_empty()) {
        rows.push(GraphRow::new("│ ", doc.trim(), Tone::Secondary, None));
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
        rows.push(GraphRow::new("│ reads  ", &reads.join(", "), Tone::Info, None));
    }
    if let Some(spread) = of(TimePart::Queue) {
        rows.push(GraphRow::new("│ queue", "", Tone::Queue, Some(spread)));
    }
    if let Some(spread) = of(TimePart::CompletionDelay) {
        rows.push(GraphRow::new("│ late", "", Tone::Warn, Some(spread)));
    }
    for (place, spread) in times.iter().flat_map(|times| &times.parts) {
        if let TimePart::Effect { step: of, what } = place
            && *of == step.name
        {
            let mut row = GraphRow::new("│ waits  ", what, Tone::Effect, Some(*spread));
            let count = spread.requests;
            row.more = format!("{count} time{}", if count == 1 { "" } else { "s" });
            rows.push(row);
        }
    }
    if !writes.is_empty() {
        rows.push(GraphRow::new("│ writes ", &writes.join(", "), Tone::Good, None));
    }
}
