//! Scheduler panel: what each worker runs, the queues, and shed requests; one line if nothing happens. Without a service,
//! how to connect to one.

use zerver_trace::duration;
use zerver_trace::text::clean;

use crate::draw::{StyledLine, Tone, sparkline, sparkline_to};
use crate::state::SharedState;
use crate::state::{BusyHistory, SchedulerStatus, WorkerStatus};

/// Width of the sparkline of the load.
const SPARK: usize = 30;
/// Width of the sparklines of classes and workers.
const SHORT: usize = 6;
const CLASSES: [&str; 3] = ["interactive", "default", "batch"];

/// Returns the title and the lines.
pub(super) fn lines(shared: &SharedState) -> (String, Vec<StyledLine>) {
    let scheduler = &shared.scheduler;
    let faint = |text: &str| StyledLine::new(text, Tone::Secondary);
    let Some(addr) = &scheduler.addr else {
        let line = faint("`zerver tui --addr HOST:PORT` connects to a running service");
        return ("scheduler".to_owned(), vec![line]);
    };
    let at = addr.strip_prefix("http://").unwrap_or(addr);
    match &scheduler.answer {
        None => (format!("scheduler: connecting to {}", clean(at)), Vec::new()),
        Some(Err(why)) => {
            let lines = vec![
                StyledLine::new(clean(why).into_owned(), Tone::Warn),
                faint("A service answers local clients only, and not if health checks are off."),
            ];
            (format!("scheduler of {}", clean(at)), lines)
        }
        Some(Ok(health)) => {
            (format!("scheduler of {}: {}", clean(at), clean(&health.status)), known(health, shared))
        }
    }
}

fn known(health: &SchedulerStatus, shared: &SharedState) -> Vec<StyledLine> {
    let glyphs = shared.theme.glyphs;
    let load = &shared.scheduler.load;
    let shed_count: u64 = health.shed.iter().sum();
    let is_idle = is_idle(health, load);
    let of_load =
        StyledLine::new("load     ", Tone::Secondary).with(format!("{}  ", percent(load)), Tone::Strong);
    let mut lines = vec![match (is_idle, health.workers.len()) {
        (false, _) => of_load.with(bars(load, SPARK, shared), Tone::Cpu),
        (true, 1) => of_load.with("the worker is idle", Tone::Secondary),
        (true, count) => of_load.with(format!("all {count} workers are idle"), Tone::Secondary),
    }];
    let mut waiting = StyledLine::new("queue    ", Tone::Secondary);
    for ((class, n), line) in CLASSES.iter().zip(health.queue_lengths).zip(&shared.scheduler.queue_lengths) {
        let Some(n) = n else { continue };
        let values: Vec<u64> = line.iter().copied().collect();
        let bars = sparkline(&values[values.len().saturating_sub(SPARK)..], SHORT, glyphs);
        waiting = waiting
            .with(format!("{class} "), Tone::Text)
            .with(format!("{n} "), if n > 0 { Tone::Strong } else { Tone::Text })
            .with(format!("{bars:<SHORT$}  "), Tone::Queue);
    }
    if !is_idle && health.queue_lengths.iter().any(Option::is_some) {
        lines.push(waiting);
    }
    let shed: Vec<String> =
        CLASSES.iter().zip(health.shed).map(|(class, n)| format!("{n} {class}")).collect();
    let tone = |n: u64| if n > 0 { Tone::Warn } else { Tone::Text };
    if !is_idle || shed_count > 0 {
        lines.push(StyledLine::new("shed     ", Tone::Secondary).with(shed.join(", "), tone(shed_count)));
    }
    if !is_idle || health.overruns > 0 || health.reclassified > 0 {
        lines.push(
            StyledLine::new("quantum  ", Tone::Secondary)
                .with(format!("exceeded {} times", health.overruns), tone(health.overruns))
                .with(format!(", {} reclassified", health.reclassified), tone(health.reclassified)),
        );
    }
    if !health.breakers.is_empty() {
        let breaker = |(target, state): &(String, String)| {
            let state = if state == "open" { "open" } else { "probing" };
            format!("{} {state}", clean(target))
        };
        let all: Vec<_> = health.breakers.iter().map(breaker).collect();
        lines.push(StyledLine::new("breakers ", Tone::Secondary).with(all.join(", "), Tone::Bad));
    }
    if !is_idle {
        lines.extend(health.workers.iter().map(|worker| of_worker(worker, shared)));
    }
    lines
}

/// Returns true if nothing runs or waits, and nothing did as far back as the load is shown, so that the panel does not
/// change its height from one request to the next.
fn is_idle(health: &SchedulerStatus, load: &BusyHistory) -> bool {
    !health.workers.is_empty()
        && health.workers.iter().all(|worker| worker.running.is_none())
        && health.queue_lengths.iter().flatten().all(|n| *n == 0)
        && load.samples.iter().rev().take(SPARK).all(|percent| *percent == 0)
}

/// Returns the latest load, or a dash if it is not known yet.
fn percent(load: &BusyHistory) -> String {
    load.latest().map_or_else(|| "-".to_owned(), |percent| format!("{percent}%"))
}

fn bars(load: &BusyHistory, columns: usize, shared: &SharedState) -> String {
    let values: Vec<u64> = load.samples.iter().copied().collect();
    sparkline_to(100, &values[values.len().saturating_sub(columns)..], columns, shared.theme.glyphs)
}

fn of_worker(worker: &WorkerStatus, shared: &SharedState) -> StyledLine {
    let mut line = StyledLine::new(format!("{}  ", clean(&worker.name)), Tone::Text);
    if let Some(load) = shared.scheduler.busy_of(&worker.name) {
        line = line
            .with(format!("{:>4}  ", percent(load)), Tone::Strong)
            .with(format!("{:<SHORT$}  ", bars(load, SHORT, shared)), Tone::Cpu);
    }
    let Some(running) = &worker.running else { return line.with("idle", Tone::Secondary) };
    let (word, tone) = if worker.is_stuck { ("stuck in", Tone::Bad) } else { ("runs", Tone::Good) };
    let id = match running.request.parse() {
        Ok(id) => shared.index.short_id(id),
        Err(_) => running.request.clone(),
    };
    line.with(format!("{word} "), tone)
        .with(clean(&format!("{} of {}", running.step, running.flow)).into_owned(), Tone::Strong)
        .with(format!("  {}", shared.drawable(&duration::show(running.running_ns))), Tone::Text)
        .with(format!("  {}", clean(&id)), Tone::Id)
}
