//! fleet: a week of fifty nodes that ship to one PostgreSQL and one bucket, with faults, and what shipping and reading cost.

use std::time::Duration;

use zerver_fleet_week::{Counts, Measurements, PlaceOutcome, Questions, WeekOptions, measure, run};

use crate::plan::Plan;
use crate::report::{print_line, quantile};

/// Nodes of a quick run.
const QUICK_NODES: usize = 10;

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    let text = |error: Box<dyn std::error::Error + Send + Sync>| error.to_string();
    let mut options = WeekOptions::new(plan.scale);
    if plan.is_quick() {
        options.nodes = QUICK_NODES;
    }
    let week = run(&options).map_err(text)?;
    if !week.findings.is_empty() {
        return Err(format!("the fleet is not as the model says:\n{}", week.findings.join("\n")));
    }
    print_line(&format!(
        "A week of {} nodes at 1/{}, seed {}, in {:.0} s, with {} faults of {} kinds; nothing contradicts the model",
        options.nodes,
        options.scale,
        options.seed,
        week.time.as_secs_f64(),
        week.faults.values().sum::<u64>(),
        week.faults.len(),
    ));
    print_line(
        "| place | recorded | shipped | unshipped | missing | lost with disks | answers lost | follow p50 s | p99 s |",
    );
    print_line("|---|---|---|---|---|---|---|---|---|");
    week.places.iter().for_each(print_place);
    let measured = measure(plan.scale, options.nodes).map_err(text)?;
    print_line("");
    print_measurements(&measured);
    Ok(())
}

fn print_place(outcome: &PlaceOutcome) {
    let Counts { recorded, shipped, unshipped, missing, lost_at_end } = outcome.counts;
    let lag = |part| seconds(&outcome.lags, part);
    print_line(&format!(
        "| {} | {recorded} | {shipped} | {unshipped} | {missing} | {lost_at_end} | {} | {:.2} | {:.2} |",
        outcome.place,
        outcome.cut,
        lag(0.5),
        lag(0.99),
    ));
}

fn print_measurements(measured: &Measurements) {
    let Measurements {
        traces,
        ingested_per_second,
        shipper_us,
        bytes,
        select_ns,
        database,
        bucket,
        requests_by_id,
    } = measured;
    print_line(&format!("Of {traces} requests in each place:"));
    print_line("| what | measured | target |");
    print_line("|---|---|---|");
    let row = |what: &str, measured: String, target: &str| {
        print_line(&format!("| {what} | {measured} | {target} |"))
    };
    let (without, with) = select_ns;
    row(
        "in the thread of a request, `tail`, without and with a shipper",
        format!("{without:.0} ns, {with:.0} ns"),
        "at most 300 ns more",
    );
    let share = shipper_us * 5.0 / 1e6 * 100.0;
    row("the shipper, for each request", format!("{shipper_us:.1} us"), "");
    row("the shipper at 5 requests/s, of a core", format!("{share:.3} %"), "0.5 %");
    row("one PostgreSQL takes", format!("{ingested_per_second:.0} requests/s"), "150,000");
    let (local, shipped) = bytes;
    let limit = local * 1.15 + 35.0;
    row(
        "size of a request in stores, in the database",
        format!("{local:.0} B, {shipped:.0} B"),
        &format!("{limit:.0} B"),
    );
    print_questions("the database", database, ["10 ms", "20 ms", "5 ms"]);
    print_questions("the bucket", bucket, ["", "", ""]);
    let (gets, lists) = requests_by_id;
    row("requests to the bucket by id, for objects and lists", format!("{gets:.2}, {lists:.2}"), "2");
}

fn print_questions(place: &str, questions: &Questions, targets: [&str; 3]) {
    let kinds = [
        ("a request by its id", &questions.by_id),
        ("the newest 50 failures of a flow", &questions.failures),
        ("the slowest request of a flow", &questions.slowest),
    ];
    for ((what, times), target) in kinds.into_iter().zip(targets) {
        let ms = |part| seconds(times, part) * 1e3;
        print_line(&format!(
            "| {place}: {what}, p50 and p99 | {:.2} ms, {:.2} ms | {target} |",
            ms(0.5),
            ms(0.99)
        ));
    }
}

fn seconds(times: &[Duration], part: f64) -> f64 {
    quantile(&times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(), part)
}
