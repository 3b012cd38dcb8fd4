//! The `zerver` command: runs a service, and inspects, compares and replays its recorded requests.
//!
//! Only this crate prints, reads the environment and picks exit codes. Commands are one file each, in `commands`; they
//! depend on the other folders and never on each other.

mod args;
mod clock;
mod commands;
mod dev;
mod editor;
mod error;
#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/hostile.rs"]
mod hostile;
mod locale;
mod locate;
mod output;
mod paths;
mod platform;
mod request_json;
mod safe_json;
#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/sample.rs"]
mod sample;
mod service;
mod terminal_ui;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
