//! One file per command, and what is common to their ends.

mod ask;
mod catalog;
mod completions;
mod config;
mod dev;
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

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::output::Output;
use crate::trouble::{Done, Trouble};

pub(crate) use self::dev::process::alone as process_alone;

/// Runs the command that the arguments ask for.
pub(crate) fn run() -> ExitCode {
    if let Some(child) = dev::Child::asked_for(std::env::args_os()) {
        return end(Err(child.run()), &mut Output::plain());
    }
    let cli = Cli::parse();
    let mut output = Output::new(&cli.global);
    let result = one(&cli, &mut output);
    end(result, &mut output)
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
        Err(trouble) if trouble.is_broken_pipe => ExitCode::SUCCESS,
        Err(trouble) => {
            output.trouble(&trouble);
            ExitCode::from(2)
        }
    }
}
