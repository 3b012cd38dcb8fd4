//! Summary of a request: what it was, how it ended, and what took most of the time.

use zerver_analysis::{MIN_POPULATION, QueueHolders, RankedTime, Why};
use zerver_trace::{Kept, Thread, Trace, duration};

use crate::draw::{StyledLine, Tone};
use crate::state::{LoadedTrace, SharedState};

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

/// Returns the number of [`lines`].
pub(super) fn count(loaded: &LoadedTrace) -> u16 {
    let more = [loaded.trace.is_undelivered, loaded.timeline.failure.is_some(), loaded.queue.is_some()];
    2 + more.into_iter().map(u16::from).sum::<u16>()
}

/// Returns two lines, plus one for a failure, one for an undelivered response, and one for time in run queues.
pub(crate) fn lines(loaded: &LoadedTrace, why: Option<&Why>, shared: &SharedState) -> Vec<StyledLine> {
    let (trace, timeline) = (&loaded.trace, &loaded.timeline);
    let mut head = StyledLine::new(format!(" {}", trace.method), Tone::Strong)
        .with(format!(" {}", trace.path), Tone::Strong)
        .with(format!("  {}", status(trace.status)), Tone::Status(trace.status))
        .with(format!("  {}", duration::show(trace.duration_ns)), Tone::Strong);
    let age = duration::age(shared.now_unix_ns, trace.started_unix_ns);
    let age = if age == "now" { age } else { format!("{age} ago") };
    head = head.with(format!("  {age}"), Tone::Secondary);
    if !trace.flow.name.is_empty() {
        head = head.with(format!("  {}", trace.flow.name), Tone::Info);
    }
    head = head.with(format!("  {}", trace.class.as_str()), Tone::Secondary);
    if let Some(worker) = trace.worker {
        head = head.with(format!("  {}", Thread::Worker(worker)), Tone::Secondary);
    }
    for carry in &timeline.migrations {
        head = head.with(format!(", migrated to {}", carry.to), Tone::Secondary);
    }
    let mut lines = vec![head];
    if trace.is_undelivered {
        lines.push(StyledLine::new(" response not delivered: the client disconnected", Tone::Warn));
    }
    if let Some(failure) = &timeline.failure {
        let mut line = StyledLine::new(format!(" {} {failure}", shared.theme.glyphs.bad), Tone::Bad);
        if let Some(step) = &failure.step {
            line = line.with(format!("  in {}", step.name), Tone::Text);
            if let Some((file, at)) = failure.source() {
                line = line.with(format!("  {file}:{at}"), Tone::Secondary);
            }
        }
        lines.push(line);
    }
    lines.push(verdict(loaded, why));
    lines.extend(loaded.queue.as_ref().map(queue_line));
    lines
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
fn verdict(loaded: &LoadedTrace, why: Option<&Why>) -> StyledLine {
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
    line.with(slower(total), tone)
        .with(format!("; median {}", duration::show(total.median_ns)), Tone::Secondary)
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
