//! Comparison of two requests, as text: the verdict, each step and effect side by side, and the differences.

mod changes;
mod rows;
#[cfg(test)]
mod tests;

use zerver_analysis::{Diff, Difference, DifferenceKind, PlanChange, QueueHolders, display};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::layout::{Layout, field, wrap};
use super::timeline::queue_holders;
use super::title_line::{Part, title_line};
use super::{fit, paint, style, width};
use zerver_trace::duration;

/// Maximum number of changes in a block unless the output is verbose.
const MAX_SHOWN: usize = 20;

/// Returns the whole document.
pub(crate) fn diff(
    a: &Trace,
    b: &Trace,
    diff: &Diff,
    queues: &[Option<QueueHolders>; 2],
    layout: Layout,
) -> String {
    let mut out = title(Some("a"), a, layout) + &title(Some("b"), b, layout);
    if !diff.is_one_flow() {
        let flows = format!("a is of {}, b of {}", name(&diff.a.flow), name(&diff.b.flow));
        out += &field("flows", &[paint(style::WARN, &format!("different: {flows}"))]);
    }
    if diff.a.build != diff.b.build {
        let builds = [&diff.a.build, &diff.b.build].map(|build| name(build));
        out += &field("builds", &[paint(style::WARN, &format!("different: {}", builds.join(", then ")))]);
    }
    out += &field("verdict", &verdict(diff, layout));
    out += &rows::rows(diff, layout);
    out += &field("total", &total(diff, layout));
    for (name, queue) in ["queue a", "queue b"].into_iter().zip(queues) {
        out += &queue_holders(name, queue.as_ref(), layout);
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
    out += &block("request", &of(DifferenceKind::is_request), layout);
    out += &block("effects", &of(effects), layout);
    out += &plan_changes(diff, layout);
    out += &block("slots", &diff.slots.iter().collect::<Vec<_>>(), layout);
    out += &block("response", &of(DifferenceKind::is_response), layout);
    out += &notes(diff, layout.is_verbose);
    out
}

/// Returns the plans that changed: `sql todo_by_title  plan changed: Index Scan .. -> Seq Scan ..`.
fn plan_changes(diff: &Diff, layout: Layout) -> String {
    let change = |change: &PlanChange| {
        let effect = paint(style::NOTED, &clean(&change.effect));
        let mut lines = vec![format!("{effect}  plan changed: {}", clean(&change.sentence()))];
        if layout.is_verbose {
            lines.push(format!("  {} {}", paint(style::BAD, "-"), clean(&change.a)));
            lines.push(format!("  {} {}", paint(style::GOOD, "+"), clean(&change.b)));
        }
        lines
    };
    field("plans", &diff.plan_changes.iter().flat_map(change).collect::<Vec<_>>())
}

fn name(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { clean(text).into_owned() }
}

/// Returns `a  019aa4c2  GET /reports/todos?latency_ms=0  200 OK  0.43 ms  report`.
pub(super) fn title(label: Option<&str>, trace: &Trace, layout: Layout) -> String {
    let mut parts = vec![Part::status(trace), Part::kept(style::STRONG, duration::show(trace.duration_ns))];
    parts.push(Part::spare(style::PLAIN, clean(&trace.flow.name), 20));
    title_line(label, &trace.id.short(layout.digits), &display::request_line(trace), parts, layout)
}

/// Returns why `b` took longer or shorter, and what differs first.
fn verdict(diff: &Diff, layout: Layout) -> Vec<String> {
    let room = layout.line_width();
    fold_lines(&diff.verdict(), room).iter().map(|line| paint(style::STRONG, line)).collect()
}

/// Folds a text, and truncates longer words.
pub(super) fn fold_lines(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, room)),
        }
    }
    lines
}

/// Returns the difference and its parts, which add up as displayed.
fn total(diff: &Diff, layout: Layout) -> Vec<String> {
    let kinds = diff.by_kind();
    let parts = kinds.map(|(_, delta_ns)| delta_ns);
    let sizes = duration::show_signed_parts(&parts);
    let mut terms = vec![paint(style::STRONG, &duration::show_signed(parts.iter().sum()))];
    for ((name, delta_ns), size) in kinds.iter().zip(&sizes).filter(|((_, delta_ns), _)| *delta_ns != 0) {
        let sign = match (terms.len(), *delta_ns < 0) {
            (1, false) => "= ",
            (1, true) => "= -",
            (_, false) => "+ ",
            (_, true) => "- ",
        };
        let style = if *name == "unexplained" { style::WARN } else { style::FAINT };
        let size = size.trim_start_matches(['+', '-']);
        terms.push(format!("{sign}{size} {}", paint(style, name)));
    }
    wrap(&terms, " ", layout)
}

fn block(label: &str, differences: &[&Difference], layout: Layout) -> String {
    let limit = if layout.is_verbose { usize::MAX } else { MAX_SHOWN };
    let room = layout.line_width();
    let mut lines: Vec<String> = differences
        .iter()
        .take(limit)
        .flat_map(|difference| changes::lines(difference, room, layout.is_verbose))
        .collect();
    if differences.len() > limit {
        lines.push(paint(style::FAINT, &format!("and {} more; -v shows all", differences.len() - limit)));
    }
    field(label, &lines)
}

/// Returns what was not compared, and what is missing in the traces.
fn notes(diff: &Diff, is_verbose: bool) -> String {
    let mut out = String::new();
    if diff.unlisted > 0 {
        out += &field("more", &[format!("{} differences are not listed", diff.unlisted)]);
    }
    if !diff.ignored.is_empty() {
        let names = clean(&diff.ignored.join(", ")).into_owned();
        out += &field("ignored", &[format!("{names} {}", paint(style::FAINT, "(headers; --all-headers)"))]);
    }
    let gaps = [("a", &diff.a.timeline.gaps), ("b", &diff.b.timeline.gaps)];
    let gaps: Vec<String> = gaps
        .iter()
        .flat_map(|(side, gaps)| gaps.iter().map(move |gap| format!("{side}: {}", clean(&gap.to_string()))))
        .collect();
    out += &field("missing", &gaps);
    let limit = if is_verbose { usize::MAX } else { MAX_SHOWN };
    let not_compared: Vec<_> = diff.not_compared.iter().filter(|what| !what.is_gap()).collect();
    let mut skipped: Vec<String> =
        not_compared.iter().take(limit).map(|what| clean(&what.to_string()).into_owned()).collect();
    if not_compared.len() > limit {
        let more = not_compared.len() - limit;
        skipped.push(paint(style::FAINT, &format!("and {more} more; -v shows all")));
    }
    out + &field("not compared", &skipped)
}
