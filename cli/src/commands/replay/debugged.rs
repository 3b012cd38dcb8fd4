//! `zerver replay --debugger`: the replay of one request in a native debugger.

use std::path::Path;

use zerver_replay::{Edits, Recording};

use super::replayable::check_possible;
use crate::args::Debugger;
use crate::error::{CommandError, CommandOutcome};
use crate::locate::LoadedTrace;
use crate::output::Output;
use crate::view::replay::replay;

pub(super) fn run(
    exe: &Path,
    debugger: &Debugger,
    opened: Recording,
    edits: Edits,
    loaded: &LoadedTrace,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if output.is_json {
        return Err(CommandError::new("--debugger is for people, and --json for programs")
            .with_hint("leave one of them out"));
    }
    let Some(report) = debugger.replay(exe, opened, edits, output)? else {
        output.info("the debugger ended before the replay did, so there is no report");
        return Ok(CommandOutcome::Success);
    };
    let report = check_possible(report, loaded)?;
    output.print(&replay(&report, output.width(), output.is_verbose))?;
    Ok(report.sameness().into())
}
