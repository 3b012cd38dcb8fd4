//! Compares zerver with hyper and axum, which do the same work in the same run.
//!
//! Each server is a process on one core, and the load comes from another core. The servers take turns, and the tables
//! contain medians and ratios: ratios carry over to other machines, absolute times do not.
//! `docs/explanation/benchmarks.md` describes each table.

mod load;
mod plan;
mod report;
/// Invented requests, as the benchmarks of the recorder have them.
#[path = "../../recorder/benches/sample/mod.rs"]
mod sample;
mod servers;
/// The names under which files of the runtime that are measured by themselves import the standard library.
mod sync;
mod tables;
#[path = "../../recorder/benches/traffic/mod.rs"]
mod traffic;

use std::process::ExitCode;

use plan::{Plan, QUICK};
use report::print_line;
use tables::TABLES;

/// Attempts to make a table in a quick run, which only shows that the table can be made. On a busy machine an attempt may
/// fail, for example because not all of the load could be recorded.
const QUICK_ATTEMPTS: usize = 4;

/// Removes `--scale N` from the arguments, and returns the number.
fn take_scale(arguments: &mut Vec<String>) -> Result<Option<u32>, String> {
    let Some(at) = arguments.iter().position(|argument| argument == "--scale") else { return Ok(None) };
    let wanted =
        "--scale needs a number from 1 on: --scale 100 is a hundredth of a week of 139 million requests";
    let scale = arguments.get(at + 1).and_then(|scale| scale.parse().ok()).filter(|scale| *scale > 0);
    arguments.drain(at..(at + 2).min(arguments.len()));
    scale.map(Some).ok_or_else(|| wanted.to_owned())
}

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [serve, server] = arguments.as_slice()
        && serve == "serve"
    {
        return servers::serve(server);
    }
    let named = arguments.len();
    arguments.retain(|argument| argument != "--quick");
    let is_quick = arguments.len() < named;
    let scale = match take_scale(&mut arguments) {
        Ok(scale) => scale,
        Err(error) => {
            print_line(&error);
            return ExitCode::from(2);
        }
    };
    let (wanted, only) = match arguments.as_slice() {
        [] => ("light", None),
        [name] => (name.as_str(), None),
        // The program ends with the tables.
        [name, only] => (name.as_str(), Some(&*only.clone().leak())),
        _ => ("", None),
    };
    // `all` is every table that needs nothing but this program.
    let is_wanted = |name| name == wanted || (wanted == "all" && name != tables::INSTRUCTIONS);
    let tables: Vec<_> = TABLES.iter().filter(|(name, ..)| is_wanted(*name)).collect();
    if tables.is_empty() {
        let names: Vec<_> = TABLES.iter().map(|(name, ..)| *name).collect();
        print_line(&format!(
            "usage: zerver-benches [all|{}] [ROW|ROW..] [--quick] [--scale N]",
            names.join("|")
        ));
        return ExitCode::from(2);
    }
    for (at, (name, compare, plan)) in tables.into_iter().enumerate() {
        if at > 0 {
            print_line("");
        }
        let mut attempts = if is_quick { QUICK_ATTEMPTS } else { 1 };
        let plan = if is_quick { QUICK } else { *plan };
        while let Err(error) = compare(&Plan { only, scale: scale.unwrap_or(plan.scale), ..plan }) {
            print_line(&format!("error: {name}: {error}"));
            attempts -= 1;
            if attempts == 0 {
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
