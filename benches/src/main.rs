//! zerver beside hyper and axum, doing the same work in one run.
//!
//! Each server is a process of its own on one core, and the load comes from another core. The servers take turns, and
//! what is printed are medians and ratios: ratios travel between machines, absolute times do not. `docs/benchmarks.md`
//! says what each table measures.

mod axum_otlp;
mod axum_twin;
mod busy;
mod busy_axum;
mod client;
mod collector;
mod hyper_twin;
mod idle;
mod instructions;
mod light;
mod load;
mod memory;
mod mixed;
mod one_thread;
mod open_loop;
mod overload;
mod plan;
mod process;
mod replays;
mod report;
mod steals;
mod steps;
/// What the runtime's files name which are measured here by themselves.
mod sync;
mod taking;
mod todos;
mod variant;
mod work;

use std::process::ExitCode;
use std::time::Duration;

use crate::plan::Plan;
use crate::report::say;

const FULL: Plan = Plan { rounds: 7, time: Duration::from_millis(1500), connections: 64, many: 10_000 };
const LONG: Plan = Plan { rounds: 3, time: Duration::from_secs(5), ..FULL };
const QUICK: Plan = Plan { rounds: 1, time: Duration::from_millis(200), connections: 8, many: 50 };

/// A quick run shows that a table can be made. What a busy machine stands in the way of, such as to record all of a load
/// that it does not leave time for, is tried again.
const QUICK_ATTEMPTS: usize = 4;

/// Prints a table.
type Table = fn(&Plan) -> Result<(), String>;

const TABLES: [(&str, Table, Plan); 8] = [
    ("light", light::compare, FULL),
    ("mixed", mixed::compare, LONG),
    ("overload", overload::compare, Plan { rounds: 1, ..LONG }),
    ("idle", idle::compare, FULL),
    ("steps", steps::compare, FULL),
    ("steals", steals::compare, Plan { many: 1_000, ..FULL }),
    ("replays", replays::compare, Plan { rounds: 5, ..FULL }),
    (instructions::NAME, instructions::compare, Plan { many: 5_000, ..FULL }),
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
    // All that need nothing but this program.
    let is_wanted = |name| name == wanted || (wanted == "all" && name != instructions::NAME);
    let tables: Vec<_> = TABLES.iter().filter(|(name, ..)| is_wanted(*name)).collect();
    if tables.is_empty() {
        let names: Vec<_> = TABLES.iter().map(|(name, ..)| *name).collect();
        say(&format!("usage: zerver-benches [all|{}] [--quick]", names.join("|")));
        return ExitCode::from(2);
    }
    for (at, (name, compare, plan)) in tables.into_iter().enumerate() {
        if at > 0 {
            say("");
        }
        let mut attempts = if quick { QUICK_ATTEMPTS } else { 1 };
        while let Err(error) = compare(if quick { &QUICK } else { plan }) {
            say(&format!("error: {name}: {error}"));
            attempts -= 1;
            if attempts == 0 {
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
