//! The first lines about a request: what it was, how it ended, and the verdict.

use zerver_analysis::{MIN_POPULATION, RankedTime, Why};
use zerver_trace::{Thread, duration};

use crate::draw::{Line, Tone};
use crate::shared::{Shared, Story};

/// `200 OK`, `no response`.
pub(crate) fn status(status: u16) -> String {
    let reason = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    match (status, reason) {
        (0, _) => "no response".to_owned(),
        (_, Some(reason)) => format!("{status} {reason}"),
        (_, None) => status.to_string(),
    }
}

/// Two lines, a third where it failed, and one where its response was not delivered.
pub(crate) fn lines(story: &Story, why: Option<&Why>, shared: &Shared) -> Vec<Line> {
    let (trace, timeline) = (&story.trace, &story.timeline);
    let mut head = Line::of(format!(" {}", trace.method), Tone::Strong)
        .with(format!(" {}", trace.path), Tone::Strong)
        .with(format!("  {}", status(trace.status)), Tone::Status(trace.status))
        .with(format!("  {}", duration::show(trace.duration_ns)), Tone::Strong);
    if !trace.flow.name.is_empty() {
        head = head.with(format!("  {}", trace.flow.name), Tone::Noted);
    }
    head = head.with(format!("  {}", trace.class.as_str()), Tone::Faint);
    if let Some(worker) = trace.worker {
        head = head.with(format!("  {}", Thread::Worker(worker)), Tone::Faint);
    }
    for carry in &timeline.migrations {
        head = head.with(format!(" to {}", carry.to), Tone::Faint);
    }
    let age = duration::age(shared.now_unix_ns, trace.started_unix_ns);
    let age = if age == "now" { age } else { format!("{age} ago") };
    head = head.with(format!("  {age}"), Tone::Faint);
    let mut lines = vec![head];
    if trace.is_undelivered {
        lines.push(Line::of(" response not delivered: the client had left", Tone::Warn));
    }
    if let Some(failure) = &timeline.failure {
        let mut line = Line::of(format!(" {} {failure}", shared.theme.glyphs.bad), Tone::Bad);
        if let Some(step) = &failure.step {
            line = line.with(format!("  in {}", step.name), Tone::Text);
            if let Some((file, at)) = failure.source() {
                line = line.with(format!("  {file}:{at}"), Tone::Faint);
            }
        }
        lines.push(line);
    }
    lines.push(verdict(story, why));
    lines
}

/// What took the most, and how the whole compares.
fn verdict(story: &Story, why: Option<&Why>) -> Line {
    let mut line = Line::of(" ", Tone::Text);
    let Some(largest) = &story.largest else { return line.with("no step ran", Tone::Faint) };
    line = line.with(largest.clone(), Tone::Text);
    let Some(why) = why else { return line };
    let total = &why.total;
    line = line.with("  ", Tone::Text);
    if total.others == 0 {
        return line.with("the only one of its flow", Tone::Faint);
    }
    let tone = if total.percentile() >= Some(95) { Tone::Warn } else { Tone::Faint };
    line.with(slower(total), tone).with(format!("; median {}", duration::show(total.median_ns)), Tone::Faint)
}

/// How many of the others took less: `slower than 97%`, or `slower than 3 of 4` where a percentage would say too much.
pub(super) fn slower(standing: &RankedTime) -> String {
    match standing.percentile().filter(|_| standing.others + 1 >= MIN_POPULATION) {
        Some(percentile) => format!("slower than {percentile}%"),
        None => format!("slower than {} of {}", standing.slower_than, standing.others),
    }
}
