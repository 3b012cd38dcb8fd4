//! `zerver catalog`: the flows in the store, or of a program.

use std::path::Path;

use serde::Serialize;
use zerver_trace::FlowInfo;

use crate::args::{Catalog, Global};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::service::query::{self, query};
use crate::view;

pub(super) fn run(
    args: &Catalog,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let flows: Vec<FlowInfo> = match (&args.app, &args.program.exe) {
        (Some(app), _) => query(app, &args.program, global, query::FLOWS)?,
        (None, Some(_)) => query(Path::new("."), &args.program, global, query::FLOWS)?,
        (None, None) => {
            let dir = locate::store_dir(global)?;
            let reader = locate::open_reader(&dir)?;
            reader.flows().map_err(|error| locate::unreadable_store(&dir, &error))?
        }
    };
    if output.is_json {
        let document = |flow| FlowDocument { flow, recovery_step: flow.recovery_step() };
        output.json(&Document { flows: flows.iter().map(document).collect() })?;
    } else if flows.is_empty() {
        output.info("no flows");
    } else {
        output.print(&view::catalog::catalog(&flows, output.columns()))?;
    }
    Ok(CommandOutcome::Success)
}

/// `{"flows": [...]}`.
#[derive(Serialize)]
struct Document<'a> {
    flows: Vec<FlowDocument<'a>>,
}

/// A flow as [`FlowInfo`] serializes.
#[derive(Serialize)]
struct FlowDocument<'a> {
    #[serde(flatten)]
    flow: &'a FlowInfo,
    /// Position of the recovery step among the steps. Omitted if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_step: Option<usize>,
}
