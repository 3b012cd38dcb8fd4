//! zerver beside axum, doing the same work in one run.
//!
//! Each server is a process of its own on one core, and the load comes from another core. The servers take turns, and
//! what is printed are medians and ratios: ratios travel between machines, absolute times do not. `docs/benchmarks.md`
//! says what each table measures.

mod axum_twin;
mod busy;
mod busy_axum;
mod client;
mod idle;
mod light;
mod load;
mod mixed;
mod open_loop;
mod overload;
mod process;
mod replays;
mod steps;
mod todos;
mod work;

use std::process::ExitCode;
use std::time::Duration;

/// How the benchmark is run.
struct Plan {
    rounds: usize,
    time: Duration,
    connections: usize,
    /// Of what there is to be many of.
    many: usize,
}

const FULL: Plan = Plan { rounds: 7, time: Duration::from_millis(1500), connections: 64, many: 10_000 };
const LONG: Plan = Plan { rounds: 3, time: Duration::from_secs(5), ..FULL };
const QUICK: Plan = Plan { rounds: 1, time: Duration::from_millis(200), connections: 8, many: 50 };

/// Prints a table.
type Table = fn(&Plan) -> Result<(), String>;

const TABLES: [(&str, Table, Plan); 6] = [
    ("light", light::compare, FULL),
    ("mixed", mixed::compare, LONG),
    ("overload", overload::compare, Plan { rounds: 1, ..LONG }),
    ("idle", idle::compare, FULL),
    ("steps", steps::compare, FULL),
    ("replays", replays::compare, Plan { rounds: 5, ..FULL }),
];

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, variant] = arguments.as_slice()
        && serve == "serve"
    {
        return process::serve(variant);
    }
    let named = arguments.len();
    arguments.retain(|argument| argument != "--quick");
    let quick = arguments.len() < named;
    let wanted = match arguments.as_slice() {
        [] => "light",
        [name] => name,
        _ => "",
    };
    let tables: Vec<_> = TABLES.iter().filter(|(name, ..)| *name == wanted || wanted == "all").collect();
    if tables.is_empty() {
        let names: Vec<_> = TABLES.iter().map(|(name, ..)| *name).collect();
        say(&format!("usage: zerver-benches [all|{}] [--quick]", names.join("|")));
        return ExitCode::from(2);
    }
    for (at, (name, compare, plan)) in tables.into_iter().enumerate() {
        if at > 0 {
            say("");
        }
        if let Err(error) = compare(if quick { &QUICK } else { plan }) {
            say(&format!("error: {name}: {error}"));
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}
