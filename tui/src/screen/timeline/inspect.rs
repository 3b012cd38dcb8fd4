//! What is told about a moment: what happened, the step or the effect, the failure, the slots as they were, the time,
//! and how it compares.

use std::collections::HashSet;

use zerver_analysis::{Correlation, Effect, StepRun, ValueGroup, Why};
use zerver_trace::duration::{self, Unit};
use zerver_trace::{Header, Kept, Recorded, RecordedBody, Trace};

use super::head;
use super::moments::{Held, Moment, Moments, slots, told};
use super::tree::{Entry, Tree};
use super::waterfall::{Row, Subject, failing};
use crate::draw::{Line, Tone};
use crate::shared::{Sources, Story};

/// So many lines of a step's source are shown.
const MAX_SOURCE: usize = 40;
/// So many parts and fields are told of how it compares.
const MAX_PARTS: usize = 6;

/// What the inspector is about.
pub(super) struct Inspected<'a> {
    pub(super) story: &'a Story,
    pub(super) rows: &'a [Row],
    pub(super) moments: &'a Moments,
    pub(super) moment: usize,
    pub(super) why: Option<&'a Result<std::sync::Arc<Why>, String>>,
    pub(super) sources: &'a Sources,
}

/// All lines of the inspector.
pub(super) fn entries(of: &Inspected<'_>, folds: &HashSet<String>, columns: usize) -> Vec<Entry> {
    let mut tree = Tree { entries: Vec::new(), folds, columns };
    let Some(moment) = of.moments.get(of.moment) else { return Vec::new() };
    let unit = Unit::of(of.story.trace.duration_ns);
    let held = slots(of.story, moment);
    happened(&mut tree, of, moment, unit);
    let subject = of.rows.get(moment.row).map(|row| row.subject);
    let runs = &of.story.timeline.runs;
    match subject {
        Some(Subject::Request) => request(&mut tree, of.story),
        Some(Subject::Response) => response(&mut tree, of.story),
        Some(Subject::Run(run)) => {
            if let Some(run) = runs.get(run) {
                step(&mut tree, of.story, run, &held, unit);
                source(&mut tree, run, of.sources);
            }
        }
        Some(Subject::Effect(run, n)) => {
            if let Some((run, effect)) = runs.get(run).and_then(|run| Some((run, run.effects.get(n)?))) {
                effect_of(&mut tree, run, effect, unit);
            }
        }
        None => {}
    }
    let at_failure = match subject {
        Some(Subject::Run(run) | Subject::Effect(run, _)) => failing(&of.story.timeline) == Some(run),
        _ => true,
    };
    if at_failure {
        failure(&mut tree, of.story);
    }
    slots_now(&mut tree, of.story, &held);
    time(&mut tree, of.story, unit);
    among(&mut tree, of.why);
    tree.entries
}

fn happened(tree: &mut Tree<'_>, of: &Inspected<'_>, moment: &Moment, unit: Unit) {
    let line = Line::of(format!("event {} of {}", of.moment, of.moments.len() - 1), Tone::Faint)
        .with(format!("  {} {}", unit.show(moment.at_ns), unit.name), Tone::Strong)
        .with(format!("  {}", told(of.story, moment)), Tone::Text);
    tree.entries.push(Entry { line, is_head: true, ..Entry::default() });
}

fn step(tree: &mut Tree<'_>, story: &Story, run: &StepRun, held: &[Held<'_>], unit: Unit) {
    tree.head(&format!("step {}", run.step.name));
    let info = story.trace.flow.steps.get(usize::from(run.step.index));
    if let Some(doc) = info.map(|info| info.doc.trim()).filter(|doc| !doc.is_empty()) {
        tree.field("", doc, Tone::Faint);
    }
    if run.step.line > 0 {
        tree.field("source", &format!("{}:{}", run.step.file, run.step.line), Tone::Noted);
    }
    let decision = run.decision.map_or("not told", zerver_trace::Decision::as_str);
    tree.field("decided", decision, Tone::Strong);
    let queue = if run.queue_ns > 0 {
        format!(", after a wait of {}", unit.show(run.queue_ns))
    } else {
        String::new()
    };
    let overran = run
        .exceeded_quantum_ns
        .map_or(String::new(), |_| format!(": {}", zerver_analysis::display::exceeded_quantum(run)));
    tree.field("ran", &format!("{} {}{overran}{queue}", unit.show(run.cpu_ns), unit.name), Tone::Text);
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
                let it = given(&story.trace, name).unwrap_or_else(|| "unwritten".to_owned());
                tree.line(Line::of(format!(" reads {name}: "), Tone::Text).with(it, Tone::Faint))
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
}

/// What a slot holds that every flow has from the start; none for any other.
fn given(trace: &Trace, name: &str) -> Option<String> {
    Some(match name {
        "Request" => format!("{} {}", trace.method, trace.path),
        "RequestId" => trace.id.to_string(),
        "Now" => format!("{} ns since 1970", trace.started_unix_ns),
        "Random" => format!("from {}", trace.seed),
        _ => return None,
    })
}

/// The function of the step, as it is in the file now.
fn source(tree: &mut Tree<'_>, run: &StepRun, sources: &Sources) {
    let Some(lines) = sources.get(&run.step.file) else { return };
    let from = (run.step.line as usize).saturating_sub(1);
    let Some(rest) = lines.get(from..).filter(|rest| !rest.is_empty()) else { return };
    // A function ends with the first brace that stands as far left as its beginning.
    let indent = rest[0].len() - rest[0].trim_start().len();
    let is_end = |line: &String| line.trim_end() == format!("{}}}", " ".repeat(indent));
    let len = rest.iter().position(is_end).map_or(MAX_SOURCE, |end| end + 1).min(MAX_SOURCE);
    tree.head("source, as it is now");
    for (at, line) in rest.iter().take(len).enumerate() {
        let number = Line::of(format!(" {:>4} ", from + at + 1), Tone::Faint);
        tree.line(number.with(line.get(indent..).unwrap_or(line.trim_start()), Tone::Text));
    }
}

fn effect_of(tree: &mut Tree<'_>, run: &StepRun, effect: &Effect, unit: Unit) {
    tree.head(&format!("effect {}", effect.label()));
    tree.field("asked by", &run.step.name, Tone::Text);
    tree.field("took", &format!("{} {}", unit.show(effect.duration_ns), unit.name), Tone::Text);
    let last = effect.attempts.len();
    for (at, attempt) in effect.attempts.iter().enumerate() {
        let timeout = attempt.timeout_ns.map_or(String::new(), |ns| format!(" of {}", duration::show(ns)));
        let held = attempt.queue_reason.map_or(String::new(), |by| {
            format!(", held {} by its {}", duration::show(attempt.queued_ns), by.as_str())
        });
        let is_plain = timeout.is_empty() && held.is_empty();
        if last > 1 || matches!(attempt.end, zerver_analysis::EffectEnd::Err(_)) || !is_plain {
            let text = format!(
                "{} at {} took {}{timeout}{held}: {}",
                attempt.number,
                unit.show(attempt.start_ns),
                unit.show(attempt.duration_ns),
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
    for late in effect.completion_delays() {
        tree.field("late", &format!("{}: {}", duration::show(late.delay_ns), late.reason()), Tone::Warn);
    }
    tree.value("args", "arguments", Tone::Faint, &effect.args, false);
    match &effect.end {
        zerver_analysis::EffectEnd::Ok { output, .. } => {
            tree.value("output", "result", Tone::Faint, output, false)
        }
        end => tree.field("result", &end.to_string(), Tone::Bad),
    }
    for write in &effect.writes {
        let name = format!("writes {}", write.name);
        tree.value(&format!("wrote.{}", write.name), &name, Tone::Good, &write.value, write.is_masked());
    }
}

fn failure(tree: &mut Tree<'_>, story: &Story) {
    let Some(failure) = &story.timeline.failure else { return };
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

fn slots_now(tree: &mut Tree<'_>, story: &Story, held: &[Held<'_>]) {
    tree.head("slots at this moment");
    for held in held {
        let tone = if held.is_new { Tone::Good } else { Tone::Text };
        tree.value(&format!("slot.{}", held.name), held.name, tone, held.value, held.is_masked);
    }
    let known: HashSet<&str> = held.iter().map(|held| held.name).collect();
    let slots = story.timeline.slots.iter().map(|write| write.name.as_str());
    let later: Vec<&str> = slots.filter(|name| !known.contains(name)).collect();
    if !later.is_empty() {
        tree.field("later", &later.join(", "), Tone::Faint);
    }
    if held.is_empty() && later.is_empty() {
        tree.field("", "none were written", Tone::Faint);
    }
}

fn time(tree: &mut Tree<'_>, story: &Story, unit: Unit) {
    let totals = &story.timeline.totals;
    tree.head("where the time went");
    let parts = [
        ("effects", totals.wait_ns, Tone::Effect),
        ("cpu", totals.cpu_ns, Tone::Cpu),
        ("queue", totals.queue_ns, Tone::Queue),
        ("late", totals.completion_delay_ns, Tone::Warn),
        ("body", totals.receive_ns, Tone::Faint),
        ("unknown", totals.unexplained_ns, Tone::Warn),
    ];
    let shown: Vec<u64> = parts.iter().map(|(_, ns, _)| *ns).collect();
    for ((name, ns, tone), quanta) in parts.into_iter().zip(unit.round(&shown)) {
        if ns > 0 {
            let percent = u128::from(ns) * 100 / u128::from(totals.total_ns.max(1));
            tree.field(name, &format!("{} {}  {percent}%", unit.quanta(quanta), unit.name), tone);
        }
    }
    for (kind, io) in &totals.io {
        let calls = if io.calls == 1 { "call" } else { "calls" };
        tree.field(
            kind,
            &format!("{} {} in {} {calls}", unit.show(io.time_ns), unit.name, io.calls),
            Tone::Text,
        );
    }
    for read in &story.timeline.read_delays {
        tree.field("read late", &read.to_string(), Tone::Warn);
    }
    for gap in &story.timeline.gaps {
        tree.field("missing", &gap.to_string(), Tone::Warn);
    }
}

fn among(tree: &mut Tree<'_>, why: Option<&Result<std::sync::Arc<Why>, String>>) {
    let why = match why {
        None => return,
        Some(Err(error)) => {
            tree.head("among others of its flow");
            return tree.field("", error, Tone::Bad);
        }
        Some(Ok(why)) => why,
    };
    if why.total.others == 0 {
        return;
    }
    let others = if why.total.others == 1 { "other" } else { "others" };
    tree.head(&format!("among {} {others} of its flow", why.total.others));
    let slower = |standing: &zerver_analysis::RankedTime| {
        format!("{}; median {}", head::slower(standing), duration::show(standing.median_ns))
    };
    tree.field("whole", &slower(&why.total), Tone::Strong);
    for part in why.parts.iter().filter(|part| part.time_ns > part.median_ns).take(MAX_PARTS) {
        let name = match &part.part {
            zerver_analysis::TimePart::Effect { step, what } => format!("{what} of {step}"),
            place => place.step().unwrap_or("the request").to_owned(),
        };
        tree.field(
            part.part.kind(),
            &format!("{name}: {}, {}", duration::show(part.time_ns), slower(part)),
            Tone::Text,
        );
    }
    if !why.is_enough() {
        tree.field("", "too few to tell what goes with slowness", Tone::Faint);
    }
    for finding in why.associations.iter().take(MAX_PARTS) {
        let here = finding.value.as_ref().map_or(String::new(), |here| format!(", here {here}"));
        let field = &finding.field;
        let how = match &finding.correlation {
            Correlation::Rank(correlation) if *correlation > 0.0 => {
                format!("the greater {field}, the slower")
            }
            Correlation::Rank(_) => format!("the smaller {field}, the slower"),
            Correlation::Groups(groups) => match groups.first() {
                Some(ValueGroup { value: Some(value), median_ns, .. }) => {
                    format!("slowest where {field} is {value}, median {}", duration::show(*median_ns))
                }
                _ => format!("slowest without {field}"),
            },
        };
        let text = format!("{how}{here}; {} requests", finding.requests);
        tree.field("field", &text, Tone::Text);
    }
}

fn request(tree: &mut Tree<'_>, story: &Story) {
    let trace = &story.trace;
    tree.head("request");
    tree.field("id", &trace.id.to_string(), Tone::Id);
    tree.field("began", &zerver_analysis::rfc3339(trace.started_unix_ns), Tone::Text);
    if !trace.build.is_empty() {
        tree.field("build", &trace.build, Tone::Text);
    }
    tree.field("kept", kept(trace.kept), Tone::Text);
    if !trace.peer.is_empty() {
        tree.field("from", &format!("{}, {}", trace.peer, trace.version), Tone::Text);
    }
    let target = crate::curl::text(&trace.target).unwrap_or_else(|| super::tree::SECRET.to_owned());
    tree.field("target", &target, Tone::Strong);
    message(tree, &trace.request_headers, &trace.request_body);
}

fn response(tree: &mut Tree<'_>, story: &Story) {
    let trace = &story.trace;
    tree.head("response");
    tree.field("status", &head::status(trace.status), Tone::Status(trace.status));
    message(tree, &trace.response_headers, &trace.response_body);
}

fn message(tree: &mut Tree<'_>, headers: &[Header<Recorded>], body: &RecordedBody) {
    for header in headers {
        let value = crate::curl::text(&header.value).unwrap_or_else(|| super::tree::SECRET.to_owned());
        let line = Line::of(format!(" {}: ", header.name), Tone::Faint).with(&*value, Tone::Text);
        tree.entries.push(Entry { line, copy: Some(value), ..Entry::default() });
    }
    if body.full_len > 0 {
        let cut = if body.kept_len < body.full_len {
            format!(", of which the first {} were kept", body.kept_len)
        } else {
            String::new()
        };
        tree.line(Line::of(format!(" body: {} bytes{cut}", body.full_len), Tone::Faint));
        tree.wire(&body.bytes);
    }
}

/// Why it was kept.
const fn kept(kept: Kept) -> &'static str {
    match kept {
        Kept::All => "because everything is",
        Kept::Failed => "because it failed",
        Kept::Slow => "because it was slow for its flow",
        Kept::Requested => "because the request asked for it",
        Kept::Sampled => "as one of the sampled share",
    }
}
