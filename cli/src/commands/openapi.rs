//! `zerver openapi`: the OpenAPI document of a service.

use serde_json::Value as Json;

use crate::args::{Global, OpenApi};
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::service::query::{self, query};

pub(super) fn run(
    args: &OpenApi,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let document: Json = query(&args.app, &args.program, global, query::OPENAPI)?;
    output.json(&document)?;
    Ok(CommandOutcome::Success)
}
