//! `zerver completions`: a completion script for a shell.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

pub(super) fn run(args: &Completions, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zerver", &mut script);
    output.bytes(&script)?;
    Ok(CommandOutcome::Success)
}
