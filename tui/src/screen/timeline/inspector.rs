//! Contents of the inspector: the current event, its step or effect, the failure, the slots at this moment, times, and
//! a comparison with other requests.

use std::collections::HashSet;

use zerver_analysis::{
    Correlation, Effect, LogLine, Moment, Moments, ResultTable, RowSubject, SlotSnapshot, StepRun,
    ValueGroup, WaterfallRow, Why, describe_moment, failing_run, slots_at,
};
use zerver_trace::duration::{self, Unit};
use zerver_trace::{Header, Kept, LogLevel, QueueReason, Recorded, RecordedBody, Trace};

use super::inspector_lines::{InspectorLine, InspectorLines};
use super::result_rows;
use super::summary_lines as head;
use crate::draw::{StyledLine, Tone};
use crate::state::{LoadedTrace, SourceFiles};

/// Maximum number of source lines.
const MAX_SOURCE: usize = 40;
/// Maximum number of parts and fields in the comparison.
const MAX_PARTS: usize = 6;

/// Input of the inspector.
pub(super) struct InspectorInput<'a> {
    pub(super) loaded: &'a LoadedTrace,
    pub(super) rows: &'a [WaterfallRow],
    pub(super) moments: &'a Moments,
    pub(super) moment: usize,
    pub(super) why: Option<&'a Result<std::sync::Arc<Why>, String>>,
    pub(super) sources: &'a SourceFiles,
}

/// Returns all lines of the inspector.
pub(super) fn entries(
    of: &InspectorInput<'_>,
    folds: &HashSet<String>,
    columns: usize,
) -> Vec<InspectorLine> {
    let mut tree = InspectorLines { entries: Vec::new(), folds, columns };
    let Some(moment) = of.moments.get(of.moment) else { return Vec::new() };
    let unit = Unit::for_total(of.loaded.trace.duration_ns);
    let held = slots_at(&of.loaded.trace, &of.loaded.timeline, moment);
    happened(&mut tree, of, moment, unit);
    let subject = of.rows.get(moment.row).map(|row| row.subject);
    let runs = &of.loaded.timeline.runs;
    match subject {
        Some(RowSubject::Request) => request(&mut tree, of.loaded),
        Some(RowSubject::Response) => response(&mut tree, of.loaded),
        Some(RowSubject::Run(run)) => {
            if let Some(run) = runs.get(run) {
                step(&mut tree, of.loaded, run, &held, unit);
                source(&mut tree, run, of.sources);
            }
        }
        Some(RowSubject::Effect(run, n)) => {
            if let Some((run, effect)) = runs.get(run).and_then(|run| Some((run, run.effects.get(n)?))) {
                effect_of(&mut tree, run, effect, unit);
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
    time(&mut tree, of.loaded, unit);
    comparison(&mut tree, of.why);
    tree.entries
}

fn happened(tree: &mut InspectorLines<'_>, of: &InspectorInput<'_>, moment: &Moment, unit: Unit) {
    let line = StyledLine::new(format!("event {} of {}", of.moment, of.moments.len() - 1), Tone::Secondary)
        .with(format!("  {} {}", unit.format(moment.at_ns), unit.name), Tone::Strong)
        .with(format!("  {}", describe_moment(&of.loaded.trace, &of.loaded.timeline, moment)), Tone::Text);
    tree.entries.push(InspectorLine { line, is_head: true, ..InspectorLine::default() });
}

fn step(
    tree: &mut InspectorLines<'_>,
    loaded: &LoadedTrace,
    run: &StepRun,
    held: &[SlotSnapshot<'_>],
    unit: Unit,
) {
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
        format!(", after {} {} in the run queue", unit.format(run.queue_ns), unit.name)
    } else {
        String::new()
    };
    let overran = run
        .exceeded_quantum_ns
        .map_or(String::new(), |_| format!(": {}", zerver_analysis::display::exceeded_quantum(run)));
    if run.decision.is_some() {
        tree.field("ran", &format!("{} {}{overran}{queue}", unit.format(run.cpu_ns), unit.name), Tone::Text);
    }
    for name in &run.step.reads {
        match held.iter().find(|held| held.name == name) {
            Some(held) => tree.value(
                &format!("read.{name}"),
                &format!("reads {name}"),
                Tone::Text,
                held.value,
                held.is_masked,
            ),
            None => {
                let it = builtin_slot(&loaded.trace, name).unwrap_or_else(|| "not written".to_owned());
                tree.line(StyledLine::new(format!(" reads {name}: "), Tone::Text).with(it, Tone::Secondary))
            }
        }
    }
    for write in &run.writes {
        let name = format!("writes {}", write.name);
        tree.value(&format!("wrote.{}", write.name), &name, Tone::Good, &write.value, write.is_masked());
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

fn effect_of(tree: &mut InspectorLines<'_>, run: &StepRun, effect: &Effect, unit: Unit) {
    tree.head(&format!("effect {}", effect.label()));
    tree.field("step", &run.step.name, Tone::Text);
    tree.field("took", &format!("{} {}", unit.format(effect.duration_ns), unit.name), Tone::Text);
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
                "{} at {} {name}, took {} {name}{timeout}{held}: {}",
                attempt.number,
                unit.format(attempt.start_ns),
                unit.format(attempt.duration_ns),
                attempt.end,
                name = unit.name
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
        let took = format!("{} {} {}", point.point, unit.format(point.took_ns), unit.name);
        tree.field("until", &took, Tone::Secondary);
    }
    effect.log_lines.iter().for_each(|line| log_line(tree, line));
    for fault in effect.injected_faults_in_words() {
        tree.field("chaos", &fault, Tone::Warn);
    }
    for late in effect.completion_delays() {
        tree.field("late", &format!("{}: {}", duration::show(late.delay_ns), late.reason()), Tone::Warn);
    }
    tree.value("args", "arguments", Tone::Secondary, &effect.args, false);
    match &effect.end {
        zerver_analysis::EffectEnd::Ok { output, .. } => {
            tree.value("output", "result", Tone::Secondary, output, false);
            for table in ResultTable::of(effect) {
                result_rows::rows(tree, &table);
            }
        }
        end => tree.field("result", &end.to_string(), Tone::Bad),
    }
    for write in &effect.writes {
        let name = format!("writes {}", write.name);
        tree.value(&format!("wrote.{}", write.name), &name, Tone::Good, &write.value, write.is_masked());
    }
}

fn failure(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let Some(failure) = &loaded.timeline.failure else { return };
    tree.head("failure");
    tree.field("what", &failure.to_string(), Tone::Bad);
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
        tree.value(&format!("slot.{}", held.name), held.name, tone, held.value, held.is_masked);
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

fn time(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace, unit: Unit) {
    let totals = &loaded.timeline.totals;
    tree.head("where the time went");
    let parts = [
        ("effects", totals.wait_ns, Tone::Effect),
        ("cpu", totals.cpu_ns, Tone::Cpu),
        ("queue", totals.queue_ns, Tone::Queue),
        ("late", totals.completion_delay_ns, Tone::Warn),
        ("body", totals.receive_ns, Tone::Secondary),
        ("unknown", totals.unexplained_ns, Tone::Warn),
    ];
    let shown: Vec<u64> = parts.iter().map(|(_, ns, _)| *ns).collect();
    for ((name, ns, tone), quanta) in parts.into_iter().zip(unit.round(&shown)) {
        if ns > 0 {
            let whole = u128::from(totals.total_ns.max(1));
            let percent = match (u128::from(ns) * 100 + whole / 2) / whole {
                0 => "<1%".to_owned(),
                percent => format!("{percent}%"),
            };
            tree.field(name, &format!("{} {}  {percent}", unit.format_quanta(quanta), unit.name), tone);
        }
    }
    for (kind, io) in &totals.io {
        let calls = if io.calls == 1 { "call" } else { "calls" };
        tree.field(
            kind,
            &format!("{} {} in {} {calls}", unit.format(io.time_ns), unit.name, io.calls),
            Tone::Text,
        );
    }
    for read in &loaded.timeline.read_delays {
        tree.field("read late", &read.to_string(), Tone::Warn);
    }
    for gap in &loaded.timeline.gaps {
        tree.field("missing", &gap.to_string(), Tone::Warn);
    }
}

fn comparison(tree: &mut InspectorLines<'_>, why: Option<&Result<std::sync::Arc<Why>, String>>) {
    let why = match why {
        None => return,
        Some(Err(error)) => {
            tree.head("compared with others of its flow");
            return tree.field("", error, Tone::Bad);
        }
        Some(Ok(why)) => why,
    };
    if why.total.others == 0 {
        return;
    }
    let others = if why.total.others == 1 { "other" } else { "others" };
    tree.head(&format!("compared with {} {others} of its flow", why.total.others));
    let slower = |standing: &zerver_analysis::RankedTime| {
        format!("{}; median {}", head::slower(standing), duration::show(standing.median_ns))
    };
    tree.field("total", &slower(&why.total), Tone::Strong);
    for part in why.parts.iter().filter(|part| part.time_ns > part.median_ns).take(MAX_PARTS) {
        let name = match &part.part {
            zerver_analysis::TimePart::Effect { step, what } => format!("{what} in {step}"),
            zerver_analysis::TimePart::Phase { step, what, phase } => format!("{phase}: {what} in {step}"),
            zerver_analysis::TimePart::PolicyWait { step, what } => format!("{what} in {step}"),
            place => place.step().unwrap_or("the request").to_owned(),
        };
        tree.field(
            part.part.kind(),
            &format!("{name}: {}, {}", duration::show(part.time_ns), slower(part)),
            Tone::Text,
        );
    }
    if !why.is_enough() {
        tree.field("", "too few requests to find what correlates with latency", Tone::Secondary);
    }
    for finding in why.associations.iter().take(MAX_PARTS) {
        let here = finding.value.as_ref().map_or(String::new(), |here| format!(", here {here}"));
        let field = &finding.field;
        let how = match &finding.correlation {
            Correlation::Rank(correlation) if *correlation > 0.0 => format!("the higher {field}, the slower"),
            Correlation::Rank(_) => format!("the lower {field}, the slower"),
            Correlation::Groups(groups) => match groups.first() {
                Some(ValueGroup { value: Some(value), median_ns, .. }) => {
                    format!("slowest with {field} {value}, median {}", duration::show(*median_ns))
                }
                _ => format!("slowest without {field}"),
            },
        };
        let text = format!("{how}{here} ({} requests)", finding.requests);
        tree.field("field", &text, Tone::Text);
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
    let target =
        crate::curl_command::text(&trace.target).unwrap_or_else(|| super::inspector_lines::SECRET.to_owned());
    tree.field("target", &target, Tone::Strong);
    message(tree, &trace.request_headers, &trace.request_body);
}

fn response(tree: &mut InspectorLines<'_>, loaded: &LoadedTrace) {
    let trace = &loaded.trace;
    tree.head("response");
    tree.field("status", &head::status_of(trace), Tone::Status(trace.status));
    message(tree, &trace.response_headers, &trace.response_body);
}

fn message(tree: &mut InspectorLines<'_>, headers: &[Header<Recorded>], body: &RecordedBody) {
    for header in headers {
        let value = crate::curl_command::text(&header.value)
            .unwrap_or_else(|| super::inspector_lines::SECRET.to_owned());
        let line = StyledLine::new(format!(" {}: ", header.name), Tone::Secondary).with(&*value, Tone::Text);
        tree.entries.push(InspectorLine { line, copy: Some(value), ..InspectorLine::default() });
    }
    if body.full_len > 0 {
        let cut = if body.kept_len < body.full_len {
            format!(", first {} recorded", body.kept_len)
        } else {
            String::new()
        };
        tree.line(StyledLine::new(format!(" body: {} bytes{cut}", body.full_len), Tone::Secondary));
        tree.wire(&body.bytes);
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
