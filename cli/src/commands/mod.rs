//! One file per command, and what is common to their ends.

mod catalog;
mod completions;
mod config;
mod diff;
mod doctor;
mod export;
mod import;
mod ls;
pub(crate) mod replay;
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
use crate::error::{Done, Trouble};
use crate::output::Output;

/// Runs the command that the arguments ask for.
pub(crate) fn run() -> ExitCode {
    if let Some(child) = dev::Child::asked_for(std::env::args_os()) {
        return end(Err(child.run()), &mut Output::plain());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return told(&error),
    };
    let mut output = Output::new(&cli.global);
    let result = one(&cli, &mut output);
    end(result, &mut output)
}

/// Says what is wrong with the arguments. They are often pasted, and what clap says of them it says as they are.
fn told(error: &clap::Error) -> ExitCode {
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

fn one(cli: &Cli, output: &mut Output) -> Result<Done, Trouble> {
    let global = &cli.global;
    match &cli.command {
        Command::Dev(args) => dev::run(args, global, output),
        Command::Ls(args) => ls::run(args, global, output),
        Command::Trace(args) => trace::run(args, global, output),
        Command::Tui(args) => tui::run(args, global),
        Command::Replay(args) => replay::run(args, global, output),
        Command::Diff(args) => diff::run(args, global, output),
        Command::Why(args) => why::run(args, global, output),
        Command::Simulate(args) => simulate::run(args, global, output),
        Command::Top(args) => top::run(args, global, output),
        Command::Catalog(args) => catalog::run(args, global, output),
        Command::Config(args) => config::run(args, global, output),
        Command::Export(args) => export::run(args, global, output),
        Command::Import(args) => import::run(args, global, output),
        Command::Doctor(args) => doctor::run(args, global, output),
        Command::Completions(args) => completions::run(args, output),
    }
}

fn end(result: Result<Done, Trouble>, output: &mut Output) -> ExitCode {
    match result {
        Ok(Done::Fine) => ExitCode::SUCCESS,
        Ok(Done::Finding) => ExitCode::from(1),
        Ok(Done::Unknown) => ExitCode::from(2),
        Err(trouble) if trouble.is_broken_pipe => ExitCode::SUCCESS,
        Err(trouble) => {
            output.trouble(&trouble);
            ExitCode::from(2)
        }
    }
}
