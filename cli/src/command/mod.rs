//! One file per command, and what is common to their ends.

mod catalog;
mod completions;
mod dev;
mod doctor;
mod export;
mod import;
mod ls;
mod trace;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::output::Output;
use crate::trouble::Done;

/// Runs the command that the arguments ask for.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new(&cli.global);
    let (global, output_ref) = (&cli.global, &mut output);
    let result = match &cli.command {
        Command::Dev(args) => dev::run(args, global, output_ref),
        Command::Ls(args) => ls::run(args, global, output_ref),
        Command::Trace(args) => trace::run(args, global, output_ref),
        Command::Catalog(args) => catalog::run(args, global, output_ref),
        Command::Export(args) => export::run(args, global, output_ref),
        Command::Import(args) => import::run(args, global, output_ref),
        Command::Doctor(args) => doctor::run(args, global, output_ref),
        Command::Completions(args) => completions::run(args, output_ref),
        Command::Child(args) => Err(dev::become_child(args)),
    };
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
