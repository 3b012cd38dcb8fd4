//! commands: what commands of the release build and pages of the web UI take on a store of many requests, from the start of a
//! process to its end, beside `git log -1`.

mod measured_process;
mod store;
mod web_pages;

use std::time::Duration;

use self::measured_process::{Git, Zerver};
use self::store::Store;
use self::web_pages::WebServer;
use crate::plan::Plan;
use crate::report::{print_line, quantile};
use crate::servers::process;

/// Minimum number of requests: with fewer, some commands have nothing to show.
const MIN_REQUESTS: usize = 2_000;

/// The aim of a row.
#[derive(Clone, Copy)]
enum Aim {
    None,
    /// Times that of `git log -1`, and milliseconds.
    OfGit(f64, f64),
    Milliseconds(f64),
}

/// Measured row, with its times in milliseconds.
struct Row {
    name: String,
    aim: Aim,
    times: Vec<f64>,
}

/// A command, with its arguments, and its aim.
type Measured<'m> = (&'m str, &'m [&'m str], Aim);

/// A page, with its path, and its aim.
type Page<'p> = (&'p str, &'p str, Aim);

pub(crate) fn compare(plan: &Plan) -> Result<(), String> {
    process::unpin();
    let (zerver, git) = (Zerver::find()?, Git::new()?);
    // A number in the place of names of rows is that of the requests.
    let number = plan.only.and_then(|only| only.parse::<usize>().ok());
    let count = number.unwrap_or(plan.count).max(MIN_REQUESTS);
    let plan = Plan { only: plan.only.filter(|_| number.is_none()), ..*plan };
    let store = Store::record(count)?;
    let mut rows = vec![row("git log -1", Aim::None, plan.rounds, || git.log())?];
    let (middle, slow) = (store.middle.to_string(), store.slow.to_string());
    let commands: [Measured<'_>; 13] = [
        ("trace ID", &["trace", &middle], Aim::OfGit(3.0, 3.0)),
        ("trace @slowest", &["trace", "@slowest"], Aim::None),
        ("why ID", &["why", &slow], Aim::OfGit(10.0, 100.0)),
        ("ls", &["ls"], Aim::None),
        ("ls flow=todos-3 status:5xx", &["ls", "flow=todos-3", "status:5xx"], Aim::None),
        ("ls 'took>49ms' --sort took", &["ls", "took>49ms", "--sort", "took"], Aim::None),
        ("ls --count", &["ls", "--count"], Aim::None),
        ("ls slot.TodoId=77, indexed", &["ls", "slot.TodoId=77", "-n", "all"], Aim::Milliseconds(3_000.0)),
        ("ls slot.TodoId=none, indexed", &["ls", "slot.TodoId=none"], Aim::Milliseconds(3_000.0)),
        (
            "ls slot.Claims.sub=user-77, not indexed",
            &["ls", "slot.Claims.sub=user-77", "-n", "all"],
            Aim::Milliseconds(3_000.0),
        ),
        ("flows", &["flows"], Aim::None),
        ("flows since:1m", &["flows", "since:1m"], Aim::None),
        ("simulate", &["simulate"], Aim::Milliseconds(3_000.0)),
    ];
    for (name, arguments, aim) in commands.into_iter().filter(|(name, ..)| plan.includes(name)) {
        rows.push(row(name, aim, plan.rounds, || zerver.run(&store.dir, arguments))?);
    }
    let long = format!("/requests/{}", store.long);
    let pages: [Page<'_>; 6] = [
        ("web, newest 100 of 100,000", "/", Aim::Milliseconds(100.0)),
        ("web, flow=todos-2", "/?q=flow%3Dtodos-2", Aim::Milliseconds(100.0)),
        ("web, by duration", "/?sort=took", Aim::Milliseconds(100.0)),
        ("web, flows", "/flows", Aim::Milliseconds(100.0)),
        ("web, heat map", "/heat", Aim::Milliseconds(100.0)),
        ("web, request with 10,000 events", &long, Aim::Milliseconds(100.0)),
    ];
    if pages.iter().any(|(name, ..)| plan.includes(name)) {
        let server = WebServer::start(&zerver, &store.dir)?;
        for (name, path, aim) in pages.into_iter().filter(|(name, ..)| plan.includes(name)) {
            rows.push(row(name, aim, plan.rounds, || server.get(path))?);
        }
    }
    print(&store, &plan, &rows);
    Ok(())
}

/// Measures a row. The first time, what it reads comes into memory, and is not counted.
fn row(
    name: &str,
    aim: Aim,
    rounds: usize,
    measure: impl Fn() -> Result<Duration, String>,
) -> Result<Row, String> {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let took = measure().map_err(|error| format!("{name}: {error}"))?;
        if round > 0 {
            times.push(took.as_secs_f64() * 1e3);
        }
    }
    Ok(Row { name: name.to_owned(), aim, times })
}

fn print(store: &Store, plan: &Plan, rows: &[Row]) {
    print_line(&format!(
        "A store of {} requests, {} MB; {} rounds after one that is not counted",
        store.count,
        store.bytes / 1_000_000,
        plan.rounds
    ));
    print_line("| what | ms, median | min to max | of git log -1 | aim |");
    print_line("|---|---|---|---|---|");
    let git = rows.first().map_or(f64::NAN, |row| quantile(&row.times, 0.5));
    for Row { name, aim, times } in rows {
        let median = quantile(times, 0.5);
        let aim = match aim {
            Aim::None => String::new(),
            Aim::OfGit(times, ms) => format!("{times:.0} times, {ms:.0} ms"),
            Aim::Milliseconds(ms) => format!("{ms:.0} ms"),
        };
        print_line(&format!(
            "| {name} | {median:.2} | {:.2} to {:.2} | {:.1} | {aim} |",
            quantile(times, 0.0),
            quantile(times, 1.0),
            median / git,
        ));
    }
}
