//! `zerver catalog`: the flows, from the store or from the program itself.

use std::path::Path;

use serde::Serialize;
use zerver_trace::FlowInfo;

use super::ask;
use crate::args::{Catalog, Global};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view::flows;

/// The variable at which a program prints its flows, and the word for them.
pub(super) const ASKED: (&str, &str) = ("ZERVER_CATALOG", "flows");

pub(super) fn run(args: &Catalog, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let found: Vec<FlowInfo> = match (&args.app, &args.program.exe) {
        (Some(app), _) => ask::program(app, &args.program, global, ASKED)?,
        (None, Some(_)) => ask::program(Path::new("."), &args.program, global, ASKED)?,
        (None, None) => {
            let dir = place::store(global)?;
            place::reader(&dir)?.flows().map_err(|error| place::unreadable(&dir, &error))?
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
