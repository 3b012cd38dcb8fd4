//! `zerver completions`: for shells.

use clap::CommandFactory;

use crate::args::{Cli, Completions};
use crate::output::Output;
use crate::trouble::{Done, Trouble};

pub(super) fn run(args: &Completions, output: &mut Output) -> Result<Done, Trouble> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zerver", &mut script);
    output.bytes(&script)?;
    Ok(Done::Fine)
}
