//! Summary of a request: what it was, how it ended, and what took most of the time.

use zerver_analysis::{MIN_POPULATION, QueryClock, QueueHolders, RankedTime, Why, display};
use zerver_trace::text::clean;
use zerver_trace::{Kept, Thread, Trace, duration};

use crate::draw::{StyledLine, Tone, sparkline_to, width};
use crate::state::{LoadedTrace, SharedState};
use crate::theme::Glyphs;

/// Returns the status with its reason phrase, such as `200 OK` or `no response`.
fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}

/// Returns the status of a request. That an imported trace has none does not mean that there was no response.
pub(crate) fn status_of(trace: &Trace) -> String {
    match trace.kept {
        Kept::Imported if trace.status == 0 => "status unknown".to_owned(),
        _ => status(trace.status),
    }
}

/// Number of digits of the id of another request.
const ID_DIGITS: usize = 12;
/// Number of digits of a build.
const BUILD_DIGITS: usize = 8;

/// Returns the number of [`lines`].
pub(super) fn count(loaded: &LoadedTrace) -> u16 {
    let more = [loaded.trace.is_undelivered, loaded.timeline.failure.is_some(), loaded.queue.is_some()];
    3 + more.into_iter().map(u16::from).sum::<u16>()
}

/// Returns three lines, plus one for a failure, one for an undelivered response, and one for time in run queues. What does
/// not fit into `columns` and would say nothing if it were cut is left out.
pub(crate) fn lines(
    loaded: &LoadedTrace,
    why: Option<&Why>,
    columns: u16,
    shared: &SharedState,
) -> Vec<StyledLine> {
    let (trace, timeline) = (&loaded.trace, &loaded.timeline);
    let request = StyledLine::new(format!(" {}", display::request_line(trace)), Tone::Strong);
    let mut lines = vec![request, description(loaded, shared)];
    if trace.is_undelivered {
        lines.push(StyledLine::new(" response not delivered: the client disconnected", Tone::Warn));
    }
    if let Some(failure) = &timeline.failure {
        let mut line =
            StyledLine::new(format!(" {} {failure}", shared.theme.glyphs.bad), Tone::Failure(trace.status));
        if let Some(step) = &failure.step {
            line = line.with(format!("  in {}", step.name), Tone::Text);
            if let Some((file, at)) = failure.source() {
                line = line.with(format!("  {file}:{at}"), Tone::Secondary);
            }
        }
        lines.push(line);
    }
    lines.push(verdict(loaded, why, columns.into(), shared.theme.glyphs));
    lines.extend(loaded.queue.as_ref().map(queue_line));
    lines
}

/// Returns `report, 503 Service Unavailable after 404 ms, 10:32:05 (1m ago), build 3a44, worker 2`.
fn description(loaded: &LoadedTrace, shared: &SharedState) -> StyledLine {
    let trace = &loaded.trace;
    let flow = if trace.flow.name.is_empty() { "no flow" } else { &trace.flow.name };
    let clock = QueryClock { now_unix_ns: shared.now_unix_ns, zone: shared.time_zone.clone() };
    let age = duration::age(shared.now_unix_ns, trace.started_unix_ns);
    let age = if age == "now" { age } else { format!("{age} ago") };
    let mut line = StyledLine::new(format!(" {flow}"), Tone::Info)
        .with(", ", Tone::Secondary)
        .with(status_of(trace), Tone::Status(trace.status))
        .with(" after ", Tone::Secondary)
        .with(duration::show(trace.duration_ns), Tone::Strong)
        .with(format!(", {} ({age})", clock.show(trace.started_unix_ns)), Tone::Secondary);
    let mut facts: Vec<String> = loaded.node.iter().map(|node| format!("node {}", clean(node))).collect();
    if !trace.build.is_empty() {
        // The hash of a program is shortened, and any other name kept.
        let is_hash = trace.build.chars().all(|c| c.is_ascii_hexdigit());
        let shown = trace.build.get(..BUILD_DIGITS).filter(|_| is_hash).unwrap_or(&trace.build);
        facts.push(format!("build {shown}"));
    }
    facts.extend(trace.worker.map(|worker| Thread::Worker(worker).to_string()));
    facts.extend(loaded.timeline.migrations.iter().map(|carry| format!("migrated to {}", carry.to)));
    facts.push(trace.class.as_str().to_owned());
    for fact in facts {
        line = line.with(format!(", {fact}"), Tone::Secondary);
    }
    line
}

/// Returns what the request waited behind for the longest time.
fn queue_line(queue: &QueueHolders) -> StyledLine {
    let held = queue.lines(ID_DIGITS);
    let line = StyledLine::new(" queued ", Tone::Secondary)
        .with(held.first().cloned().unwrap_or_default(), Tone::Text);
    match held.len() {
        0 | 1 => line,
        more => line.with(format!(", and {} more", more - 1), Tone::Secondary),
    }
}

/// Returns what took most of the time, and how the total compares with other requests.
fn verdict(loaded: &LoadedTrace, why: Option<&Why>, columns: usize, glyphs: &Glyphs) -> StyledLine {
    let mut line = StyledLine::new(" ", Tone::Text);
    let Some(largest) = &loaded.largest else { return line.with("no step ran", Tone::Secondary) };
    line = line.with(largest.clone(), Tone::Text);
    let Some(why) = why else { return line };
    let total = &why.total;
    line = line.with("  ", Tone::Text);
    if total.others == 0 {
        return line.with("the only request of its flow", Tone::Secondary);
    }
    let tone = if total.percentile() >= Some(95) { Tone::Warn } else { Tone::Secondary };
    let line = line
        .with(slower(total), tone)
        .with(format!("; median {}", duration::show(total.median_ns)), Tone::Secondary);
    if !why.is_enough() {
        return line;
    }
    let whole = distribution(line.clone(), why, loaded.trace.duration_ns, glyphs);
    if width(&whole.text()) <= columns { whole } else { line }
}

/// Adds the distribution of the durations of the flow, with the interval of this request in brackets.
fn distribution(mut line: StyledLine, why: &Why, duration_ns: u64, glyphs: &Glyphs) -> StyledLine {
    let (Some(first), Some(last)) = (why.durations.first(), why.durations.last()) else { return line };
    let most = why.durations.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    line = line.with(format!("  {} ", duration::show(first.from_ns)), Tone::Secondary);
    for bucket in &why.durations {
        let level = match bucket.count {
            0 => glyphs.dot.to_owned(),
            count => sparkline_to(most, &[count], 1, glyphs),
        };
        line = match bucket.contains(duration_ns) {
            true => line.with(format!("[{level}]"), Tone::Warn),
            false => line.with(level, Tone::Effect),
        };
    }
    line.with(format!(" {}", duration::show(last.to_ns)), Tone::Secondary)
}

/// Returns the share of slower requests: `slower than 97%`, or `slower than 3 of 4 others` if there are too few for a
/// percentage.
pub(super) fn slower(standing: &RankedTime) -> String {
    match standing.percentile().filter(|_| standing.others + 1 >= MIN_POPULATION) {
        Some(percentile) => format!("slower than {percentile}%"),
        None if standing.others == 1 => {
            let not = if standing.slower_than == 0 { "not " } else { "" };
            format!("{not}slower than the other one")
        }
        None => format!("slower than {} of {} others", standing.slower_than, standing.others),
    }
}
