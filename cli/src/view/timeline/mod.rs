//! The timeline of one request, as text.

mod exchange;
mod results;
mod rows;

use zerver_analysis::{
    CompletionDelay, Effect, Migration, QueueHolders, Reclassification, RepeatedStatement, SlotWrite,
    Timeline, Verdict, display,
};
use zerver_trace::duration;
use zerver_trace::text::clean;
use zerver_trace::{Kept, Thread, Trace, implies_outcome};

use self::rows::rows;
use super::layout::{Layout, field, wrap};
use super::title_line::{Part, title_line};
use super::{count, fill, fit, fold_words, paint, style, value, width};

/// Maximum number of late completions to show.
const MAX_LATE: usize = 3;
/// Maximum number of steps to show that a queued request waited behind.
const MAX_HOLDERS: usize = 4;

/// Returns the whole document.
pub(crate) fn timeline(
    trace: &Trace,
    timeline: &Timeline,
    queue: Option<&QueueHolders>,
    verdict: Option<&Verdict>,
    layout: Layout,
) -> String {
    let mut out = title(trace, layout);
    out += &field("class", &reclassifications(timeline, layout));
    out += &field("migrated", &migrations(timeline));
    out += &field("read", &read_late(timeline, layout));
    out += &rows(trace, timeline, layout);
    out += &field("late", &late_completions(timeline, layout));
    out += &queue_holders("queue", queue, layout);
    out += &io(timeline, layout);
    out += &total(timeline, layout);
    // If no step ran, there is nothing to blame.
    if let Some(verdict) = verdict.filter(|_| !timeline.runs.is_empty()) {
        out += &field("verdict", &verdict_lines(verdict, layout));
    }
    out += &field("repeated", &repeated(timeline, layout));
    out += &slots(&timeline.slots, layout);
    out += &failure(trace, timeline, layout);
    if trace.is_undelivered {
        out += &field("response", &["not delivered: the client had left".to_owned()]);
    }
    let gaps = timeline.gaps.iter().flat_map(|gap| fold_words(&clean(&gap.to_string()), layout.fold_width()));
    let gaps: Vec<String> = gaps.collect();
    out += &field("missing", &gaps);
    if layout.is_verbose {
        out += &field("started", &[zerver_analysis::rfc3339(trace.started_unix_ns)]);
        out += &field("kept", &[kept(trace.kept).to_owned()]);
        if !trace.build.is_empty() {
            out += &field("build", &[clean(&trace.build).into_owned()]);
        }
        out += &results::results(timeline, layout);
        out += &exchange::exchange(trace);
    }
    out
}

/// Returns the reason why the request was recorded.
const fn kept(kept: Kept) -> &'static str {
    match kept {
        Kept::All => "recording everything",
        Kept::Failed => "it failed",
        Kept::Slow => "slow for its flow",
        Kept::Requested => "the request asked for it",
        Kept::Sampled => "sampled",
        Kept::Imported => "imported from another tracer",
    }
}

fn title(trace: &Trace, layout: Layout) -> String {
    let mut parts = vec![Part::status(trace), Part::kept(style::STRONG, duration::show(trace.duration_ns))];
    if !implies_outcome(trace.status, trace.outcome.as_str()) {
        parts.push(Part::spare(style::failure(trace.status), trace.outcome.as_str(), 12));
    }
    if !trace.flow.name.is_empty() {
        parts.push(Part::spare(style::PLAIN, clean(&trace.flow.name), 20));
    }
    parts.push(Part::spare(style::FAINT, trace.class.as_str(), 40));
    if let Some(worker) = trace.worker {
        parts.push(Part::spare(style::FAINT, Thread::Worker(worker).to_string(), 40));
    }
    title_line(None, &trace.id.short(layout.digits), &display::request_line(trace), parts, layout)
}

/// Returns the changes of the request's class.
fn reclassifications(timeline: &Timeline, layout: Layout) -> Vec<String> {
    let line = |m: &Reclassification| {
        let text = format!("{} to {} at {}: {}", m.from, m.to, duration::show(m.at_ns), clean(&m.reason));
        if layout.is_verbose { text } else { fit(&text, layout.line_width()) }
    };
    timeline.reclassifications.iter().map(line).collect()
}

/// Returns the migrations to other threads than the worker of the connection.
fn migrations(timeline: &Timeline) -> Vec<String> {
    let line = |carry: &Migration| format!("to {} at {}", carry.to, duration::show(carry.at_ns));
    timeline.migrations.iter().map(line).collect()
}

/// Returns the parts of the request that were read right after a long step.
fn read_late(timeline: &Timeline, layout: Layout) -> Vec<String> {
    timeline
        .read_delays
        .iter()
        .flat_map(|read| fold_words(&clean(&read.to_string()), layout.fold_width()))
        .collect()
}

/// Returns the completions that waited for the busy thread of the request, longest first.
fn late_completions(timeline: &Timeline, layout: Layout) -> Vec<String> {
    let effects = timeline.runs.iter().flat_map(|run| &run.effects);
    let mut lates: Vec<_> =
        effects.flat_map(|effect| effect.completion_delays().map(move |late| (late, effect))).collect();
    lates.sort_by_key(|(late, _)| std::cmp::Reverse(late.delay_ns));
    let shown = if layout.is_verbose { lates.len() } else { MAX_LATE };
    let line = |(late, effect): &(&CompletionDelay, &Effect)| {
        let text = format!(
            "{}: {} ({})",
            duration::show(late.delay_ns),
            clean(&late.reason()),
            clean(&effect.label())
        );
        if layout.is_verbose { text } else { fit(&text, layout.line_width()) }
    };
    let mut lines: Vec<String> = lates.iter().take(shown).map(line).collect();
    if lates.len() > shown {
        lines.push(format!("and {} more", lates.len() - shown));
    }
    lines
}

/// Returns what the request waited behind in run queues, longest first.
pub(super) fn queue_holders(name: &str, queue: Option<&QueueHolders>, layout: Layout) -> String {
    let Some(queue) = queue else { return String::new() };
    let lines = queue.lines(layout.digits);
    let shown = if layout.is_verbose { lines.len() } else { MAX_HOLDERS };
    let mut shown_lines: Vec<String> =
        lines.iter().take(shown).flat_map(|line| fold_words(&clean(line), layout.fold_width())).collect();
    if lines.len() > shown {
        shown_lines.push(format!("and {} more", lines.len() - shown));
    }
    field(name, &shown_lines)
}

fn io(timeline: &Timeline, layout: Layout) -> String {
    let kinds: Vec<String> = timeline
        .totals
        .io
        .iter()
        .map(|(kind, io)| {
            let calls = paint(style::FAINT, &format!("({})", count(io.calls, "call", "calls")));
            format!("{} {} {calls}", clean(kind), duration::show(io.time_ns))
        })
        .collect();
    field("I/O", &wrap(&kinds, "   ", layout))
}

/// Returns the total and its parts, which add up as displayed.
fn total(timeline: &Timeline, layout: Layout) -> String {
    let t = &timeline.totals;
    let parts = [
        ("effects", t.wait_ns),
        ("CPU", t.cpu_ns),
        ("queue", t.queue_ns),
        ("late", t.completion_delay_ns),
        ("receiving", t.receive_ns),
        (timeline.unexplained_label(), t.unexplained_ns),
    ];
    let shown: Vec<String> = parts
        .iter()
        .zip(duration::show_parts(&parts.map(|(_, ns)| ns)))
        .filter(|((_, ns), _)| *ns > 0 && (t.queue_ns > 0 || !timeline.runs.is_empty()))
        .map(|((name, _), time)| {
            let style = if *name == "unexplained" { style::WARN } else { style::FAINT };
            format!("{time} {}", paint(style, name))
        })
        .collect();
    let whole = duration::show(parts.iter().map(|(_, ns)| ns).sum());
    let mut terms = vec![paint(style::STRONG, &whole)];
    for (at, term) in shown.iter().enumerate() {
        terms.push(format!("{} {term}", if at == 0 { "=" } else { "+" }));
    }
    field("total", &wrap(&terms, " ", layout))
}

fn verdict_lines(verdict: &Verdict, layout: Layout) -> Vec<String> {
    let largest = format!("{}% {}", verdict.largest.percent, clean(&verdict.largest.label));
    let against = verdict
        .median_ns
        .map(|median_ns| format!("; this flow's median is {}", duration::show(median_ns)))
        .unwrap_or_default();
    if width(&largest) + width(&against) <= layout.fold_width() {
        return vec![format!("{}{against}", paint(style::STRONG, &largest))];
    }
    let (largest, against) = (format!("{largest};"), against.trim_start_matches("; "));
    let strong =
        fold_words(&largest, layout.fold_width()).into_iter().map(|line| paint(style::STRONG, &line));
    strong.chain(fold_words(against, layout.fold_width())).collect()
}

/// Returns the statements that a step repeated.
fn repeated(timeline: &Timeline, layout: Layout) -> Vec<String> {
    let total_ns = timeline.totals.total_ns;
    let line = |it: RepeatedStatement| {
        let RepeatedStatement { step, statement, runs, time_ns, saving_ns, .. } = it;
        let percent = u128::from(time_ns) * 100 / u128::from(total_ns.max(1));
        let text = format!(
            "{runs} times {statement} in {step}: {}, {percent}% of the request; a single statement could save about {}, \
             which `zerver replay --batched` tries",
            duration::show(time_ns),
            duration::show(saving_ns)
        );
        fold_words(&clean(&text), layout.fold_width())
    };
    timeline.repeated_statements().into_iter().flat_map(line).collect()
}

/// Shows the slots on one line if they fit, or one line each.
fn slots(slots: &[SlotWrite], layout: Layout) -> String {
    let shown: Vec<(String, String)> =
        slots.iter().map(|slot| (clean(&slot.name).into_owned(), value::slot(slot))).collect();
    let room = layout.line_width();
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
            if !layout.is_verbose {
                // A long name and a long value share the line equally.
                n = fit(&n, room.saturating_sub(2 + width(&value)).max(column.max(room / 2)));
                value = fit(&value, room.saturating_sub(column.max(width(&n)) + 2));
            }
            format!("{}{}  {value}", name(&n), fill(&n, column))
        })
        .collect();
    field("slots", &lines)
}

fn failure(trace: &Trace, timeline: &Timeline, layout: Layout) -> String {
    let Some(failure) = &timeline.failure else { return String::new() };
    let clean = |text: &str| clean(text).into_owned();
    let folded = |text: &str| fold_words(&clean(text), layout.fold_width());
    let description = match failure.kind.as_str() {
        "timed_out" => "timed_out: its deadline passed".to_owned(),
        "client_left" => "client_left: before there was a response".to_owned(),
        _ => failure.to_string(),
    };
    let style = style::failure(trace.status);
    let description: Vec<String> = folded(&description).iter().map(|line| paint(style, line)).collect();
    let mut out = field("failed", &description);
    if let Some(step) = &failure.step {
        let source = failure.source();
        let source = source.map_or_else(String::new, |(file, line)| format!("  {}:{line}", clean(file)));
        let lines = match width(&clean(&step.name)) + width(&source) <= layout.fold_width() {
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
