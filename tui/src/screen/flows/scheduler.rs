//! The scheduler beside the flows: what each worker runs, what waits, what was sent away; or how to get to know it.

use zerver_trace::duration;
use zerver_trace::text::clean;

use crate::draw::{Line, Tone, spark};
use crate::scheduler::{Health, Worker};
use crate::shared::Shared;

/// Lines of bars have so many columns.
const SPARK: usize = 30;
const CLASSES: [&str; 3] = ["interactive", "default", "batch"];

/// The title, and the lines.
pub(super) fn lines(shared: &Shared) -> (String, Vec<Line>) {
    let scheduler = &shared.scheduler;
    let faint = |text: &str| Line::of(text, Tone::Faint);
    let Some(addr) = &scheduler.addr else {
        let line = faint("`zerver tui --addr HOST:PORT` asks a service that runs");
        return ("scheduler".to_owned(), vec![line]);
    };
    let at = addr.strip_prefix("http://").unwrap_or(addr);
    match &scheduler.answer {
        None => (format!("scheduler: asking {}", clean(at)), Vec::new()),
        Some(Err(why)) => {
            let lines = vec![
                Line::of(clean(why).into_owned(), Tone::Warn),
                faint("It tells only this machine, at /healthz."),
            ];
            (format!("scheduler of {}", clean(at)), lines)
        }
        Some(Ok(health)) => {
            (format!("scheduler of {}: {}", clean(at), clean(&health.status)), known(health, shared))
        }
    }
}

fn known(health: &Health, shared: &Shared) -> Vec<Line> {
    let glyphs = shared.theme.glyphs;
    let bars = |line: &std::collections::VecDeque<u64>| {
        let values: Vec<u64> = line.iter().copied().collect();
        spark(&values[values.len().saturating_sub(SPARK)..], SPARK, glyphs)
    };
    let waiting: Vec<String> =
        CLASSES.iter().zip(health.waiting).filter_map(|(class, n)| Some(format!("{} {class}", n?))).collect();
    let shed: Vec<String> =
        CLASSES.iter().zip(health.shed).map(|(class, n)| format!("{n} {class}")).collect();
    let mut lines = vec![
        Line::of("busy     ", Tone::Faint)
            .with(format!("{} of {}  ", health.busy(), health.workers.len()), Tone::Strong)
            .with(bars(&shared.scheduler.load), Tone::Cpu),
    ];
    if !waiting.is_empty() {
        let line = Line::of("waiting  ", Tone::Faint).with(format!("{}  ", waiting.join(", ")), Tone::Strong);
        lines.push(line.with(bars(&shared.scheduler.waiting), Tone::Queue));
    }
    let tone = |n: u64| if n > 0 { Tone::Warn } else { Tone::Text };
    lines.push(Line::of("shed     ", Tone::Faint).with(shed.join(", "), tone(health.shed.iter().sum())));
    lines.push(
        Line::of("moved    ", Tone::Faint)
            .with(format!("{} to low priority", health.moved), tone(health.moved))
            .with("; overruns ", Tone::Faint)
            .with(health.overruns.to_string(), tone(health.overruns)),
    );
    lines.extend(health.workers.iter().map(|worker| of_worker(worker, shared)));
    lines
}

fn of_worker(worker: &Worker, shared: &Shared) -> Line {
    let name = clean(&worker.name).into_owned();
    let Some(running) = &worker.running else {
        return Line::of(format!("{name}  "), Tone::Text).with("idle", Tone::Faint);
    };
    let (word, tone) = if worker.is_stuck { ("hangs in", Tone::Bad) } else { ("runs", Tone::Good) };
    // The first part of an id names the request in the list.
    let id: String = running.request.chars().take(13).collect();
    Line::of(format!("{name}  "), Tone::Text)
        .with(format!("{word} "), tone)
        .with(clean(&format!("{} of {}", running.step, running.flow)).into_owned(), Tone::Strong)
        .with(format!("  {}", shared.say(&duration::show(running.for_ns))), Tone::Text)
        .with(format!("  {}", clean(&id)), Tone::Id)
}
