//! `zerver completions`: a completion script for a shell.

use crate::args::Completions;
use crate::completion;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;

pub(super) fn run(args: &Completions, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    output.bytes(&completion::script(&args.shell.to_string())?)?;
    Ok(CommandOutcome::Success)
}
