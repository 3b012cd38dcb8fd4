//! `zerver import`: imports portable files, and spans of OpenTelemetry, into the store.

use crate::args::{Global, Import};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::store_place::StorePlace;
use crate::view::count;
use crate::{locate, paths};

pub(super) fn run(
    args: &Import,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    // All files are read before any is imported: one bad file imports nothing.
    let read = args.files.iter().map(|file| locate::read_traces(file)).collect::<Result<Vec<_>, _>>()?;
    let traces = read.concat();
    let found = traces.len();
    let dir = match &global.store {
        // A new folder will do.
        Some(name) => match StorePlace::named(name)? {
            StorePlace::Folder(dir) => dir,
            StorePlace::Fleet(url) => return Err(locate::needs_folder(&url, "import into")),
        },
        None => locate::store_folder(global, "import into")?,
    };
    let imported = zerver_recorder::import(&dir, traces).map_err(|error| {
        CommandError::new(format!("cannot import into the store in {}", dir.display())).caused_by(&error)
    })?;
    if output.is_json {
        output.json(&serde_json::json!({ "imported": imported, "store": dir }))?;
    } else {
        output.info(&format!(
            "imported {} into {}",
            count(imported as u64, "request", "requests"),
            paths::display(&dir)
        ));
        if imported < found {
            let skipped = count((found - imported) as u64, "request", "requests");
            output.info(&format!("{skipped} left out: the store has them already, or they are too large"));
        }
    }
    Ok(CommandOutcome::Success)
}
