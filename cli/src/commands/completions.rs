//! `zerver completions`: a completion script for a shell.

use crate::args::Completions;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::shell_completion;

pub(super) fn run(args: &Completions, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    output.bytes(&shell_completion::script(&args.shell.to_string())?)?;
    Ok(CommandOutcome::Success)
}
