//! `zerver`: run a service, and see, compare and rerun what its requests did.
//!
//! Only this crate prints, reads the environment and picks exit codes. One file per command.

mod args;
mod clock;
mod commands;
mod dev;
mod editor;
mod error;
#[cfg(test)]
#[path = "../../replay/src/timeline/hostile.rs"]
mod hostile;
mod locale;
mod locate;
mod output;
mod request_json;
mod safe_json;
#[cfg(test)]
#[path = "../../replay/src/timeline/sample.rs"]
mod sample;
mod service;
mod terminal_ui;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
