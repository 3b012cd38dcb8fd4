//! Contents of the inspector: the current event, its step or effect, the failure, the slots at this moment, times, and
//! a comparison with other requests.

use std::collections::HashSet;

use zerver_analysis::{
    Effect, LogLine, Moment, Moments, ResultTable, RowSubject, SlotSnapshot, SlotWrite, StepRun,
    WaterfallRow, Why, describe_moment, failing_run, slots_at,
};
use zerver_replay::{ValuePath, ValueRoot};
use zerver_trace::{Header, Kept, LogLevel, QueueReason, Recorded, RecordedBody, Trace, duration};

use super::inspector_lines::{InspectorLine, InspectorLines, ValueLabel};
use super::inspector_times;
use super::result_rows;
use super::summary_lines as head;
use crate::draw::{StyledLine, Tone};
use crate::state::{LoadedTrace, SourceFiles};
use crate::theme::Glyphs;

/// Maximum number of source lines.
const MAX_SOURCE: usize = 40;

/// Input of the inspector.
pub(super) struct InspectorInput<'a> {
    pub(super) loaded: &'a LoadedTrace,
    pub(super) rows: &'a [WaterfallRow],
    pub(super) moments: &'a Moments,
    pub(super) moment: usize,
    pub(super) why: Option<&'a Result<std::sync::Arc<Why>, String>>,
    pub(super) sources: &'a SourceFiles,
    pub(super) glyphs: &'static Glyphs,
}

/// Returns all lines of the inspector.
pub(super) fn entries(
    of: &InspectorInput<'_>,
    folds: &HashSet<String>,
    columns: usize,
) -> Vec<InspectorLine> {
    let (bar, arrow) = (of.glyphs.effect, of.glyphs.here);
    let mut tree = InspectorLines { entries: Vec::new(), folds, columns, bar, arrow };
    let Some(moment) = of.moments.get(of.moment) else { return Vec::new() };
    let held = slots_at(&of.loaded.trace, &of.loaded.timeline, moment);
    happened(&mut tree, of, moment);
    let subject = of.rows.get(moment.row).map(|row| row.subject);
    let runs = &of.loaded.timeline.runs;
    match subject {
        Some(RowSubject::Request) => request(&mut tree, of.loaded),
        Some(RowSubject::Response) => response(&mut tree, of.loaded),
        Some(RowSubject::Run(run)) => {
            if let Some(run) = runs.get(run) {
                step(&mut tree, of.loaded, run, &held);
                source(&mut tree, run, of.sources);
            }
        }
        Some(RowSubject::Effect(run, n)) => {
            if let Some((run, effect)) = runs.get(run).and_then(|run| Some((run, run.effects.get(n)?))) {
                effect_of(&mut tree, run, effect);
            }
        }
        None => {}
    }
    let at_failure = match subject {
        Some(RowSubject::Run(run) | RowSubject::Effect(run, _)) => {
            failing_run(&of.loaded.timeline) == Some(run)
        }
        _ => true,
    };
    if at_failure {
        failure(&mut tree, of.loaded);
    }
    slots_now(&mut tree, of.loaded, &held);
    inspector_times::time(&mut tree, of.loaded);
    inspector_times::comparison(&mut tree, of.why, of.loaded.trace.duration_ns);
    tree.entries
}

fn happened(tree: &mut InspectorLines<'_>, of: &InspectorInput<'_>, moment: &Moment) {
    let line = StyledLine::new(format!("event {} of {}", of.moment, of.moments.len() - 1), Tone::Secondary)
        .with(format!("  {}", duration::show(moment.at_ns)), Tone::Strong)
        .with(format!("  {}", describe_moment(&of.loaded.trace, &of.loaded.timeline, moment)), Tone::Text);
    tree.entries.push(InspectorLine { line, is_head: true, ..InspectorLine::default() });
}

fn step(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace, run: &StepRun, held: &[SlotSnapshot<'_>]) {
    tree.head(&format!("step {}", run.step.name));
    let info = loaded.trace.flow.steps.get(usize::from(run.step.index));
    if let Some(doc) = info.map(|info| info.doc.trim()).filter(|doc| !doc.is_empty()) {
        tree.field("", doc, Tone::Secondary);
    }
    if run.step.line > 0 {
        tree.field("source", &format!("{}:{}", run.step.file, run.step.line), Tone::Info);
    }
    if loaded.trace.has_steps() || run.decision.is_some() {
        let decision = run.decision.map_or("not recorded", zerver_trace::Decision::as_str);
        tree.field("decided", decision, Tone::Strong);
    } else {
        tree.field("ran", "unknown: zerver did not run it", Tone::Secondary);
    }
    let queue = if run.queue_ns > 0 {
        format!(", after {} in the run queue", duration::show(run.queue_ns))
    } else {
        String::new()
    };
    let overran = run
        .exceeded_quantum_ns
        .map_or(String::new(), |_| format!(": {}", zerver_analysis::display::exceeded_quantum(run)));
    if run.decision.is_some() {
        tree.field("ran", &format!("{}{overran}{queue}", duration::show(run.cpu_ns)), Tone::Text);
    }
    for name in &run.step.reads {
        match held.iter().find(|held| held.name == name) {
            Some(held) => {
                let label = ValueLabel::new(format!("read.{name}"), format!("reads {name}"), Tone::Text)
                    .of(ValueRoot::Slot(name.clone()));
                tree.value(label, held.value, held.is_masked);
            }
            None => {
                let it = builtin_slot(&loaded.trace, name).unwrap_or_else(|| "not written".to_owned());
                tree.line(StyledLine::new(format!(" reads {name}: "), Tone::Text).with(it, Tone::Secondary))
            }
        }
    }
    for write in &run.writes {
        written(tree, write);
    }
    for effect in &run.effects {
        tree.field("needs", &effect.label(), Tone::Effect);
    }
    run.log_lines.iter().for_each(|line| log_line(tree, line));
}

/// Adds a line that was logged.
fn log_line(tree: &mut InspectorLines<'_>, line: &LogLine) {
    let tone = match line.level {
        LogLevel::Error => Tone::Bad,
        LogLevel::Warn => Tone::Warn,
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => Tone::Secondary,
    };
    tree.field(line.level.as_str(), &line.text(), tone);
}

fn written(tree: &mut InspectorLines<'_>, write: &SlotWrite) {
    let label =
        ValueLabel::new(format!("wrote.{}", write.name), format!("writes {}", write.name), Tone::Good)
            .of(ValueRoot::Slot(write.name.clone()));
    tree.value(label, &write.value, write.is_masked());
}

/// Returns the value of a built-in slot, or `None` for other slots.
fn builtin_slot(trace: &Trace, name: &str) -> Option<String> {
    Some(match name {
        "Request" => format!("{} {}", trace.method, trace.path),
        "RequestId" => trace.id.to_string(),
        "ArrivalTime" => format!("{} ns since the Unix epoch", trace.started_unix_ns),
        "Random" => format!("seed {}", trace.seed),
        _ => return None,
    })
}

/// Adds the function of the step, as it is in the file now.
fn source(tree: &mut InspectorLines<'_>, run: &StepRun, sources: &SourceFiles) {
    let Some(lines) = sources.get(&run.step.file) else { return };
    let step = &run.step;
    let from = (sources.line_of(&step.file, &step.name, step.line) as usize).saturating_sub(1);
    let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) else { return };
    // The function ends with the first brace that is indented like its first line.
    let indent = rest[0].len() - rest[0].trim_start().len();
    let is_end = |line: &String| line.trim_end() == format!("{}}}", " ".repeat(indent));
    let len = rest.iter().position(is_end).map_or(MAX_SOURCE, |end| end + 1).min(MAX_SOURCE);
    tree.head("source, current version");
    for (at, line) in rest.iter().take(len).enumerate() {
        let number = StyledLine::new(format!(" {:>4} ", from + at + 1), Tone::Secondary);
        tree.line(number.with(line.get(indent..).unwrap_or(line.trim_start()), Tone::Text));
    }
}

fn effect_of(tree: &mut InspectorLines<'_>, run: &StepRun, effect: &Effect) {
    tree.head(&format!("effect {}", effect.label()));
    tree.field("step", &run.step.name, Tone::Text);
    tree.field("took", &duration::show(effect.duration_ns), Tone::Text);
    let last = effect.attempts.len();
    for (at, attempt) in effect.attempts.iter().enumerate() {
        let timeout =
            attempt.timeout_ns.map_or(String::new(), |ns| format!(", limit {}", duration::show(ns)));
        let held = attempt.queue_reason.map_or(String::new(), |by| {
            let ns = duration::show(attempt.queued_ns);
            match by {
                QueueReason::RetryDelay => format!(", delayed {ns} before it"),
                by => format!(", queued {ns} ({} limit)", by.as_str()),
            }
        });
        let is_plain = timeout.is_empty() && held.is_empty();
        if last > 1 || matches!(attempt.end, zerver_analysis::EffectEnd::Err(_)) || !is_plain {
            let text = format!(
                "{} at {}, took {}{timeout}{held}: {}",
                attempt.number,
                duration::show(attempt.start_ns),
                duration::show(attempt.duration_ns),
                attempt.end
            );
            let is_bad = matches!(attempt.end, zerver_analysis::EffectEnd::Err(_));
            let tone = if !is_bad {
                Tone::Text
            } else if at + 1 < last {
                Tone::Retry
            } else {
                Tone::Bad
            };
            tree.field("attempt", &text, tone);
        }
    }
    for point in effect.points() {
        let took = format!("{} {}", point.point, duration::show(point.took_ns));
        tree.field("until", &took, Tone::Secondary);
    }
    effect.log_lines.iter().for_each(|line| log_line(tree, line));
    for fault in effect.injected_faults_in_words() {
        tree.field("chaos", &fault, Tone::Warn);
    }
    for late in effect.completion_delays() {
        tree.field("late", &format!("{}: {}", duration::show(late.delay_ns), late.reason()), Tone::Warn);
    }
    let call = effect.attempts.first().map(|attempt| attempt.call);
    let mut arguments = ValueLabel::new("args", "arguments", Tone::Secondary);
    if let Some(call) = call {
        arguments = arguments.of(ValueRoot::Arguments(call));
    }
    tree.value(arguments, &effect.args, false);
    match &effect.end {
        zerver_analysis::EffectEnd::Ok { output, .. } => {
            tree.value(ValueLabel::new("output", "result", Tone::Secondary), output, false);
            for table in ResultTable::of(effect) {
                result_rows::rows(tree, &table);
            }
        }
        end => tree.field("result", &end.to_string(), Tone::Bad),
    }
    for write in &effect.writes {
        written(tree, write);
    }
}

fn failure(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let Some(failure) = &loaded.timeline.failure else { return };
    tree.head("failure");
    tree.field("what", &failure.to_string(), Tone::Failure(loaded.trace.status));
    if let Some(step) = &failure.step {
        let place = match failure.source() {
            Some((file, line)) => format!("{}  {file}:{line}", step.name),
            None => step.name.clone(),
        };
        tree.field("step", &place, Tone::Text);
    }
    for (label, end) in &failure.effects {
        tree.field("effect", &format!("{label}: {end}"), Tone::Text);
    }
    for cause in &failure.causes {
        tree.field("because", cause, Tone::Text);
    }
}

fn slots_now(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace, held: &[SlotSnapshot<'_>]) {
    tree.head("slots at this moment");
    for held in held {
        let tone = if held.is_new { Tone::Good } else { Tone::Text };
        let label = ValueLabel::new(format!("slot.{}", held.name), held.name, tone)
            .of(ValueRoot::Slot(held.name.to_owned()));
        tree.value(label, held.value, held.is_masked);
    }
    let known: HashSet<&str> = held.iter().map(|held| held.name).collect();
    let slots = loaded.timeline.slots.iter().map(|write| write.name.as_str());
    let later: Vec<&str> = slots.filter(|name| !known.contains(name)).collect();
    if !later.is_empty() {
        tree.field("later", &later.join(", "), Tone::Secondary);
    }
    if held.is_empty() && later.is_empty() {
        tree.field("", "none written", Tone::Secondary);
    }
}

fn request(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let trace = &loaded.trace;
    tree.head("request");
    tree.field("id", &trace.id.to_string(), Tone::Id);
    tree.field("started", &zerver_analysis::rfc3339(trace.started_unix_ns), Tone::Text);
    if !trace.build.is_empty() {
        tree.field("build", &trace.build, Tone::Text);
    }
    tree.field("kept", kept(trace.kept), Tone::Text);
    if !trace.peer.is_empty() {
        tree.field("from", &format!("{}, {}", trace.peer, trace.version), Tone::Text);
    }
    let target = zerver_analysis::recorded_text(&trace.target)
        .unwrap_or_else(|| super::inspector_lines::SECRET.to_owned());
    tree.field("target", &target, Tone::Strong);
    message(tree, &trace.request_headers, &trace.request_body, None);
}

fn response(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let trace = &loaded.trace;
    tree.head("response");
    tree.field("status", &head::status_of(trace), Tone::Status(trace.status));
    if let Some(line) = tree.entries.last_mut() {
        line.value = Some(ValuePath { root: ValueRoot::Status, path: Vec::new() });
    }
    let header = |name: &str| ValueRoot::Header(name.to_ascii_lowercase());
    message(tree, &trace.response_headers, &trace.response_body, Some(&header));
}

/// Adds headers and a body. `header` names the value of a header of the response.
fn message(
    tree: &mut InspectorLines<'_>,
    headers: &[Header<Recorded>],
    body: &RecordedBody,
    header: Option<&dyn Fn(&str) -> ValueRoot>,
) {
    let value = |root: ValueRoot| ValuePath { root, path: Vec::new() };
    let headers = headers.iter().map(|of| (of, header.map(|name| value(name(&of.name)))));
    for (header, of) in headers {
        let value = zerver_analysis::recorded_text(&header.value)
            .unwrap_or_else(|| super::inspector_lines::SECRET.to_owned());
        let line = StyledLine::new(format!(" {}: ", header.name), Tone::Secondary).with(&*value, Tone::Text);
        tree.entries.push(InspectorLine { line, copy: Some(value), value: of, ..InspectorLine::default() });
    }
    if body.full_len > 0 {
        let cut = if body.kept_len < body.full_len {
            format!(", first {} recorded", body.kept_len)
        } else {
            String::new()
        };
        let (place, of) = match header {
            Some(_) => ("response", Some(value(ValueRoot::Body))),
            None => ("request", None),
        };
        let line = StyledLine::new(format!(" body: {} bytes{cut}", body.full_len), Tone::Secondary);
        tree.entries.push(InspectorLine { line, value: of.clone(), ..InspectorLine::default() });
        tree.wire(place, of.as_ref(), &body.bytes);
    }
}

/// Returns the reason why the trace was kept.
const fn kept(kept: Kept) -> &'static str {
    match kept {
        Kept::All => "recording everything",
        Kept::Failed => "failed",
        Kept::Slow => "slow for its flow",
        Kept::Requested => "requested by the client",
        Kept::Sampled => "sampled",
        Kept::Imported => "imported from another tracer",
    }
}
