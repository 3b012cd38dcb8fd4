//! `zerver`: run a service, and see, compare and rerun what its requests did.
//!
//! Only this crate prints, reads the environment and picks exit codes. One file per command.

mod args;
mod command;
mod editor;
#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/hostile.rs"]
mod hostile;
mod json;
mod locale;
mod output;
mod place;
#[cfg(test)]
#[path = "../../replay/analysis/src/timeline/sample.rs"]
mod sample;
mod trouble;
mod view;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}
