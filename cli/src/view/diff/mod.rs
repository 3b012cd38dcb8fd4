//! Two requests compared, as text: the answer first, then each step and effect side by side, then what differs.

mod changes;
mod rows;
#[cfg(test)]
mod tests;

use zerver_analysis::{Diff, Difference, DifferenceKind};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::head::Part;
use super::timeline::{FIELD, Look, field, status_part, wrap};
use super::{fit, paint, style, value, width};
use zerver_trace::duration;
use zerver_trace::duration::Unit;

/// In one block, so many changes are shown unless all are asked for.
const MAX_SHOWN: usize = 20;

/// The whole of it.
pub(crate) fn diff(a: &Trace, b: &Trace, diff: &Diff, look: Look) -> String {
    let unit = Unit::of(a.duration_ns.max(b.duration_ns));
    let mut out = head(Some("a"), a, look) + &head(Some("b"), b, look);
    if !diff.is_one_flow() {
        let flows = format!("a is of {}, b of {}", name(&diff.a.flow), name(&diff.b.flow));
        out += &field("flows", &[paint(style::WARN, &format!("different: {flows}"))]);
    }
    if diff.a.build != diff.b.build {
        let builds = [&diff.a.build, &diff.b.build].map(|build| name(build));
        out += &field("builds", &[paint(style::WARN, &format!("different: {}", builds.join(", then ")))]);
    }
    out += &field("verdict", &verdict(diff, look));
    out += &rows::rows(diff, unit, look);
    out += &field("total", &total(diff, unit, look));
    let of = |wanted: fn(DifferenceKind) -> bool| -> Vec<&Difference> {
        diff.differences.iter().filter(|difference| wanted(difference.kind)).collect()
    };
    let effects = |what| {
        matches!(
            what,
            DifferenceKind::EffectArgument | DifferenceKind::EffectAttempts | DifferenceKind::EffectResult
        )
    };
    out += &block("request", &of(DifferenceKind::is_request), look);
    out += &block("effects", &of(effects), look);
    out += &block("slots", &diff.slots.iter().collect::<Vec<_>>(), look);
    out += &block("response", &of(DifferenceKind::is_response), look);
    out += &notes(diff, look.is_verbose);
    out
}

fn name(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { clean(text).into_owned() }
}

/// `a  019aa4c2  GET /reports/todos?latency_ms=0  200 OK  0.43 ms  report`.
pub(super) fn head(label: Option<&str>, trace: &Trace, look: Look) -> String {
    let mut parts =
        vec![status_part(trace.status), Part::kept(style::STRONG, duration::show(trace.duration_ns))];
    parts.push(Part::spare(style::PLAIN, clean(&trace.flow.name), 20));
    let asked = format!("{} {}", clean(&trace.method), value::wire(&trace.target).join("\\n"));
    super::head::head(label, &trace.id.short(look.digits), &asked, parts, look)
}

/// Why `b` took longer, or less; and what differs first.
fn verdict(diff: &Diff, look: Look) -> Vec<String> {
    let room = look.columns.saturating_sub(FIELD);
    words(&diff.verdict(), room).iter().map(|line| paint(style::STRONG, line)).collect()
}

/// A text on as many lines as it needs.
pub(super) fn words(text: &str, room: usize) -> Vec<String> {
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

/// The difference and its parts, which add up also as they are shown.
fn total(diff: &Diff, unit: Unit, look: Look) -> Vec<String> {
    let kinds = diff.by_kind();
    let parts = kinds.map(|(_, delta_ns)| delta_ns);
    let rounded = unit.parts_signed(&parts);
    let whole = unit.signed(parts.iter().sum());
    let mut terms = vec![format!("{} {}", paint(style::STRONG, &whole), unit.name)];
    for ((name, _), (part, quanta)) in kinds.iter().zip(&rounded).filter(|(_, (_, quanta))| *quanta != 0) {
        let sign = match (terms.len(), *quanta < 0) {
            (1, false) => "= ",
            (1, true) => "= -",
            (_, false) => "+ ",
            (_, true) => "- ",
        };
        let style = if *name == "unexplained" { style::WARN } else { style::FAINT };
        let mut size = part.quanta(quanta.unsigned_abs().try_into().unwrap_or(u64::MAX));
        if part.name != unit.name {
            size += &format!(" {}", part.name);
        }
        terms.push(format!("{sign}{size} {}", paint(style, name)));
    }
    wrap(&terms, " ", look)
}

fn block(label: &str, differences: &[&Difference], look: Look) -> String {
    let limit = if look.is_verbose { usize::MAX } else { MAX_SHOWN };
    let room = look.columns.saturating_sub(FIELD);
    let mut lines: Vec<String> = differences
        .iter()
        .take(limit)
        .flat_map(|difference| changes::lines(difference, room, look.is_verbose))
        .collect();
    if differences.len() > limit {
        lines.push(paint(style::FAINT, &format!("and {} more; -v shows all", differences.len() - limit)));
    }
    field(label, &lines)
}

/// What was not compared, and what the traces do not tell.
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
