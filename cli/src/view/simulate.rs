//! A simulation, as text.

use anstyle::Style;
use zerver_analysis::{GroupResults, Reproduction, RequestStats, SimMachine, Simulation};
use zerver_trace::text::clean;

use super::table::{Column, Table};
use super::{count, fold, paint, style};
use zerver_trace::duration::show;

/// Returns the whole document, beginning with how well the simulation reproduces the recorded run.
pub(crate) fn simulate(
    simulation: &Simulation,
    on: &SimMachine,
    set: &[(String, String)],
    columns: Option<usize>,
) -> String {
    let mut out = format!(
        "{} in {}, on {}, {} and {}\n\n",
        paint(style::STRONG, &count(simulation.requests as u64, "request", "requests")),
        show(simulation.span_ns),
        count(on.cores as u64, "core", "cores"),
        count(on.workers as u64, "worker", "workers"),
        count(on.batch_workers as u64, "batch worker", "batch workers"),
    );
    let folded = |style: Style, text: &str| {
        let lines = fold(text, columns.unwrap_or(usize::MAX));
        lines.iter().map(|line| paint(style, line)).collect::<Vec<_>>().join("\n")
    };
    let (mark, verdict) = verdict(simulation);
    out += &format!("{}\n\nAs recorded (recorded → simulated)\n", folded(mark, &verdict));
    out += &table(simulation, columns, |group| Some((&group.recorded, &group.simulated)));
    if !set.is_empty() {
        let set: Vec<_> =
            set.iter().map(|(name, value)| clean(&format!("{name}={value}")).into_owned()).collect();
        let with = paint(style::STRONG, &format!("With {}", set.join(", ")));
        out += &format!("\n{with} (simulated without → with)\n");
        out += &table(simulation, columns, |group| Some((&group.simulated, group.changed.as_ref()?)));
    }
    for note in notes(simulation) {
        out += &format!("\n{}\n", folded(style::WARN, &note));
    }
    out
}

/// Returns how well the recorded run is reproduced, measured by its worst figure.
fn verdict(simulation: &Simulation) -> (Style, String) {
    let Some(worst) = simulation.worst() else { return (style::GOOD, "Nothing was recorded".to_owned()) };
    let shown = |value: u64| match worst.figure {
        "shed" => format!("{}.{}%", value / 10, value % 10),
        _ => show(value),
    };
    let (mark, how, then) = match worst.reproduction {
        Reproduction::Well => (style::GOOD, "well", ""),
        Reproduction::Roughly => (style::WARN, "roughly", "; the predictions below are rough"),
        Reproduction::Poorly => (style::BAD, "poorly", "; do not trust the predictions below"),
    };
    let most = if worst.reproduction == Reproduction::Well { "at worst " } else { "" };
    let (recorded, simulated) = (shown(worst.recorded), shown(worst.simulated));
    let figure = worst.figure.replace('_', " ");
    let mut deviation =
        format!("{most}{} {} {recorded} recorded, {simulated} simulated", worst.class, figure);
    // A deviation of the queue is judged relative to the whole duration.
    if let Some(class) = simulation.classes.iter().find(|class| class.name == worst.class)
        && worst.figure.starts_with("queue")
    {
        deviation += &format!(", of {} in total", show(class.recorded.duration.p99_ns));
    }
    (mark, format!("Reproduces the recorded run {how}: {deviation}{then}"))
}

fn notes(simulation: &Simulation) -> Vec<String> {
    let mut notes = Vec::new();
    if simulation.reproduced() != Reproduction::Well {
        notes.push(
            "If the requests were recorded on another machine or with other settings, add --recorded NAME=VALUE. The \
             simulation knows nothing about other load on that machine."
                .to_owned(),
        );
    }
    if simulation.is_sampled {
        notes.push(
            "Only a part of the traffic was recorded, so the real load was higher; ZERVER_RECORD=all records everything."
                .to_owned(),
        );
    }
    if simulation.estimated > 0 {
        let n = count(simulation.estimated as u64, "request was", "requests were");
        notes.push(format!("{n} shed: their steps are taken from other requests of their flow."));
    }
    if simulation.excluded > 0 {
        let n = count(simulation.excluded as u64, "request", "requests");
        notes.push(format!("{n} left out: no step ran, so the scheduler was not involved."));
    }
    notes
}

/// Returns a table with a row per class and per flow: the figures before and after.
fn table<'g>(
    simulation: &'g Simulation,
    columns: Option<usize>,
    of: impl Fn(&'g GroupResults) -> Option<(&'g RequestStats, &'g RequestStats)>,
) -> String {
    let mut table = Table::new(&[
        Column::Shrinks(""),
        Column::Right("requests"),
        Column::Right("p50"),
        Column::Right("p99"),
        Column::Right("queued"),
        Column::Right("queue p50"),
        Column::Right("queue p99"),
        Column::Right("shed"),
        Column::Right("to batch"),
    ]);
    table.optional("to batch", 12);
    table.optional("queue p50", 12);
    table.optional("requests", 12);
    let both = |before: u64, after: u64, text: fn(u64) -> String| match before == after {
        true => text(after),
        false => format!("{} → {}", text(before), text(after)),
    };
    let percent = |of: &RequestStats| (of.queued * 100 / (of.requests - of.shed).max(1)) as u64;
    let number = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    for (groups, mark) in [(&simulation.classes, style::STRONG), (&simulation.flows, style::PLAIN)] {
        for group in groups {
            let Some((before, after)) = of(group) else { continue };
            let plain = |text| (style::PLAIN, text);
            table.row(vec![
                (mark, clean(&group.name).into_owned()),
                plain(before.requests.to_string()),
                plain(both(before.duration.p50_ns, after.duration.p50_ns, show)),
                plain(both(before.duration.p99_ns, after.duration.p99_ns, show)),
                plain(both(percent(before), percent(after), |n| format!("{n}%"))),
                plain(both(before.queue.p50_ns, after.queue.p50_ns, show)),
                plain(both(before.queue.p99_ns, after.queue.p99_ns, show)),
                (style::BAD, both(before.shed as u64, after.shed as u64, number)),
                (style::WARN, both(before.reclassified as u64, after.reclassified as u64, number)),
            ]);
        }
    }
    table.draw(columns)
}
