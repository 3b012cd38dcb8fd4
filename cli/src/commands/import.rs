//! `zerver import`: portable files into the store.

use crate::args::{Global, Import};
use crate::error::{Done, Trouble};
use crate::locate;
use crate::output::Output;
use crate::view::count;

pub(super) fn run(args: &Import, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    // All are read before any is written: one bad file imports nothing.
    let traces = args.files.iter().map(|file| locate::portable_file(file)).collect::<Result<Vec<_>, _>>()?;
    let dir = match &global.store {
        Some(dir) => dir.clone(),
        None => locate::store(global)?,
    };
    let imported = zerver_recorder::import(&dir, traces).map_err(|error| {
        Trouble::new(format!("cannot import into the store in {}", dir.display())).because(&error)
    })?;
    if output.is_json {
        output.json(&serde_json::json!({ "imported": imported, "store": dir }))?;
    } else {
        output.note(&format!(
            "imported {} into {}",
            count(imported as u64, "request", "requests"),
            locate::shown(&dir)
        ));
    }
    Ok(Done::Fine)
}
