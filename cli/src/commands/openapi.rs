//! `zerver openapi`: the OpenAPI document of a service, and how two documents differ.

use std::path::Path;

use serde::Serialize;
use serde_json::Value as Json;
use zerver_analysis::Breaking;
use zerver_recorder::regular_file;

use super::catalog::is_program;
use crate::args::{ComparedDocuments, Global, OpenApi, OpenApiDiff, Program};
use crate::error::{CommandError, CommandOutcome};
use crate::openapi_diff::{OpenApiChange, compare};
use crate::output::Output;
use crate::service::query::{self, query};
use crate::view;

/// Maximum size of a file with a document, in bytes.
const MAX_FILE_LEN: u64 = 64 << 20;

pub(super) fn run(
    args: &OpenApi,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let Some(OpenApiDiff::Diff(documents)) = &args.diff {
        return diff(documents, global, output);
    }
    let document: Json = query(&args.app, &args.program, global, query::OPENAPI)?;
    output.json(&document)?;
    Ok(CommandOutcome::Success)
}

fn diff(
    ComparedDocuments { old, new }: &ComparedDocuments,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let (old, new) = (load(old, global)?, load(new, global)?);
    let changes = compare(&old, &new);
    if output.is_json {
        let breaking = changes.iter().map(|change| change.breaking).max().unwrap_or(Breaking::No);
        output.json(&DiffDocument { breaking, changes: &changes })?;
    } else {
        output.print(&view::catalog_diff::openapi_diff(&changes, output.columns()))?;
    }
    Ok(if changes.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}

/// Loads a document: from a file, a package or a program.
fn load(path: &Path, global: &Global) -> Result<Json, CommandError> {
    let failed = || CommandError::new(format!("cannot read the OpenAPI document {}", path.display()));
    let found = std::fs::metadata(path).map_err(|error| failed().caused_by(&error))?;
    if found.is_dir() {
        return query(path, &Program::default(), global, query::OPENAPI);
    }
    if is_program(path) {
        let program = Program { exe: Some(path.to_owned()), ..Program::default() };
        return query(Path::new("."), &program, global, query::OPENAPI);
    }
    let text = regular_file::read_text(path, MAX_FILE_LEN).map_err(|error| failed().caused_by(&error))?;
    let hint = "write such a file with `zerver openapi > FILE`; YAML is not read";
    let document: Json =
        serde_json::from_str(&text).map_err(|error| failed().caused_by(&error).with_hint(hint))?;
    match document["openapi"].as_str() {
        Some(version) if version.starts_with("3.") => Ok(document),
        _ => Err(failed().with_hint("it has no member `openapi` with a version 3")),
    }
}

/// `{"breaking": .., "changes": [...]}`.
#[derive(Serialize)]
struct DiffDocument<'a> {
    breaking: Breaking,
    changes: &'a [OpenApiChange],
}
