//! `zerver mcp`: the recordings as tools for an assistant.

use zerver_mcp::McpOptions;

use crate::args::{Global, Mcp};
use crate::error::{CommandError, CommandOutcome};

pub(super) fn run(args: &Mcp, global: &Global) -> Result<CommandOutcome, CommandError> {
    let program = std::env::current_exe()
        .map_err(|error| CommandError::new("cannot find this program").caused_by(&error))?;
    let options = McpOptions { program, store: global.store.clone(), app: args.app.clone() };
    zerver_mcp::serve(options)
        .map_err(|error| CommandError::new("cannot serve the Model Context Protocol").caused_by(&*error))?;
    Ok(CommandOutcome::Success)
}
