//! Commands, one file each. This file parses the arguments, runs the command, and picks the exit code.

mod catalog;
mod completions;
mod config;
mod demo;
mod diff;
mod doctor;
mod export;
mod import;
mod ls;
mod replay;
mod simulate;
mod top;
mod trace;
mod tui;
mod why;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::dev;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    if let Some(child) = dev::ExecChild::from_args(std::env::args_os()) {
        return exit_code(Err(child.exec()), &mut Output::plain());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return print_usage_error(&error),
    };
    let mut output = Output::new(&cli.global);
    let result = run_command(&cli, &mut output);
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

fn run_command(cli: &Cli, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let global = &cli.global;
    match &cli.command {
        Command::Dev(args) => dev::run(args, global, output),
        Command::Demo(args) => demo::run(args, global, output),
        Command::Ls(args) => ls::run(args, global, output),
        Command::Trace(args) => trace::run(args, global, output),
        Command::Tui(args) => tui::run(args, global),
        Command::Replay(args) => replay::run(args, global, output),
        Command::Diff(args) => diff::run(args, global, output),
        Command::Why(args) => why::run(args, global, output),
        Command::Simulate(args) => simulate::run(args, global, output),
        Command::Top(args) => top::run(args, output),
        Command::Catalog(args) => catalog::run(args, global, output),
        Command::Config(args) => config::run(args, global, output),
        Command::Export(args) => export::run(args, global, output),
        Command::Import(args) => import::run(args, global, output),
        Command::Doctor(args) => doctor::run(args, global, output),
        Command::Completions(args) => completions::run(args, output),
    }
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
