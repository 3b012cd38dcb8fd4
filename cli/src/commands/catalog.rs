//! `zerver catalog`: the flows, from the store or from the program itself.

use std::path::Path;

use serde::Serialize;
use zerver_trace::FlowInfo;

use crate::args::{Catalog, Global};
use crate::error::{Done, Trouble};
use crate::locate;
use crate::output::Output;
use crate::service::query;
use crate::view::catalog;

pub(super) fn run(args: &Catalog, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let found: Vec<FlowInfo> = match (&args.app, &args.program.exe) {
        (Some(app), _) => query::program(app, &args.program, global, query::CATALOG)?,
        (None, Some(_)) => query::program(Path::new("."), &args.program, global, query::CATALOG)?,
        (None, None) => {
            let dir = locate::store(global)?;
            locate::reader(&dir)?.catalog().map_err(|error| locate::unreadable(&dir, &error))?
        }
    };
    if output.is_json {
        output.json(&Document { flows: &found })?;
    } else if found.is_empty() {
        output.note("no flows");
    } else {
        output.print(&flows::catalog(&found, output.columns()))?;
    }
    Ok(Done::Fine)
}

/// `{"flows": [..]}`, each as [`FlowInfo`] serialises.
#[derive(Serialize)]
struct Document<'a> {
    flows: &'a [FlowInfo],
}
