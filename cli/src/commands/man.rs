//! `zerver man`: manual pages.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::Man;

use crate::args::{Cli, ManPages};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::paths;

pub(super) fn run(args: &ManPages, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        let page = match &args.command {
            None => command,
            Some(name) => subcommand(&command, name)?,
        };
        output.bytes(&rendered(page)?)?;
        return Ok(CommandOutcome::Success);
    };
    fs::create_dir_all(dir).map_err(|error| cannot_write(dir, &error))?;
    let pages: Vec<_> = command.get_subcommands().cloned().collect();
    let count = pages.len() + 1;
    for page in std::iter::once(command).chain(pages) {
        // The names of subcommands begin with that of the program: `zerver-ls`.
        let name = page.get_display_name().unwrap_or_else(|| page.get_name()).to_owned();
        let path = dir.join(format!("{name}.1"));
        fs::write(&path, rendered(page)?).map_err(|error| cannot_write(&path, &error))?;
    }
    output.info(&format!("wrote {count} pages to {}", paths::display(dir)));
    Ok(CommandOutcome::Success)
}

fn subcommand(command: &clap::Command, name: &str) -> Result<clap::Command, CommandError> {
    command.find_subcommand(name).cloned().ok_or_else(|| {
        CommandError::new(format!("there is no command {name}"))
            .with_hint("`zerver --help` lists the commands")
    })
}

fn rendered(page: clap::Command) -> Result<Vec<u8>, CommandError> {
    let mut text = Vec::new();
    Man::new(page).render(&mut text)?;
    Ok(text)
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::new(format!("cannot write {}", paths::display(path))).caused_by(error)
}
