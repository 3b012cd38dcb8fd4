//! The `zerver` command: runs a service, and inspects, compares and replays its recorded requests.
//!
//! This file parses the arguments, runs the command and picks the exit code. Only this crate prints, reads the environment
//! and picks exit codes. Commands are one file each, in `commands`; they
//! depend on the other folders and never on each other.

mod args;
mod candidates;
mod clock;
mod commands;
mod dev;
mod editor;
mod error;
mod fleet_failure;
mod html_file;
mod locale;
mod locate;
mod openapi_diff;
mod output;
mod paths;
mod platform;
mod recording;
mod requests;
mod safe_json;
mod service;
mod shell_completion;
mod source_code;
mod store_place;
mod store_source;
mod stored_replay;
mod terminal_ui;
mod view;
mod web_ui;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

fn main() -> ExitCode {
    if let Some(child) = dev::ExecChild::from_args(std::env::args_os()) {
        return exit_code(Err(child.exec()), &mut Output::plain());
    }
    if shell_completion::answer_shell() {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error),
    };
    let mut output = Output::new(&cli.global);
    let result = commands::run(&cli, &mut output);
    exit_code(result, &mut output)
}

/// Prints an error of clap, or help. Arguments are often pasted, and clap quotes them unchanged.
fn print_usage_error(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let is_dangerous = |c: char| zerver_trace::text::is_dangerous(c) && c != '\n';
    if !text.contains(is_dangerous) {
        error.exit();
    }
    let mut err = std::io::stderr().lock();
    for line in text.lines() {
        let _ = writeln!(err, "{}", zerver_trace::text::clean(line));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn exit_code(result: Result<CommandOutcome, CommandError>, output: &mut Output) -> ExitCode {
    match result {
        Ok(CommandOutcome::Success) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Finding) => ExitCode::from(1),
        Ok(CommandOutcome::Incomplete) => ExitCode::from(2),
        Err(error) if error.is_broken_pipe => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::from(2)
        }
    }
}
