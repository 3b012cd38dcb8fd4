//! `zerver completions`: for shells.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::error::{Done, Trouble};
use crate::output::Output;

pub(super) fn run(args: &Completions, output: &mut Output) -> Result<Done, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zerver", &mut script);
    output.bytes(&script)?;
    Ok(Done::Fine)
}
