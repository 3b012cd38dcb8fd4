//! `zerver catalog`: the flows in the store, or of a program, and how two catalogs differ.

use std::fs;
use std::path::Path;

use jiff::Zoned;
use serde::{Deserialize, Serialize};
use zerver_analysis::{Breaking, CatalogDiff, FlowTarget, Timeline};
use zerver_recorder::regular_file;
use zerver_trace::{CatalogFlow, Query};

use crate::args::{self, Catalog, ComparedDocuments, Global, Program};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::service::query::{self, query};
use crate::store_place::StorePlace;
use crate::view;
use crate::view::catalog::ListedFlow;

/// Maximum size of a file with a catalog, in bytes.
const MAX_FILE_LEN: u64 = 64 << 20;
/// Number of requests of each flow in which targets are looked for.
const TARGET_REQUESTS: usize = 20;

pub(super) fn run(
    args: &Catalog,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let Some(args::CatalogDiff::Diff(documents)) = &args.diff {
        return diff(documents, global, output);
    }
    let flows: Vec<ListedFlow> = match (&args.app, &args.program.exe) {
        (Some(app), _) => of_program(query(app, &args.program, global, query::FLOWS)?),
        (None, Some(_)) => of_program(query(Path::new("."), &args.program, global, query::FLOWS)?),
        (None, None) => with_targets(&locate::store_place(global)?)?,
    };
    if output.is_json {
        output.json(&Document { flows })?;
    } else if flows.is_empty() {
        output.info("no flows");
    } else {
        output.print(&view::catalog::catalog(&flows, output.columns()))?;
    }
    Ok(CommandOutcome::Success)
}

fn diff(
    ComparedDocuments { old, new }: &ComparedDocuments,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let (old, new) = (load(old, global)?, load(new, global)?);
    let diff = CatalogDiff::of(&old, &new, &Zoned::now().date().to_string());
    if output.is_json {
        output.json(&DiffDocument { breaking: diff.breaking(), diff: &diff })?;
    } else {
        output.print(&view::catalog_diff::catalog_diff(&diff, output.columns()))?;
    }
    Ok(if diff.changes.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}

/// Loads a catalog: from a file, a store, a package or a program.
fn load(path: &Path, global: &Global) -> Result<Vec<CatalogFlow>, CommandError> {
    let failed = || CommandError::new(format!("cannot read the catalog {}", path.display()));
    let found = fs::metadata(path).map_err(|error| failed().caused_by(&error))?;
    if found.is_dir() && path.join("Cargo.toml").is_file() {
        return query(path, &Program::default(), global, query::FLOWS);
    }
    if found.is_dir() {
        return of_store(&path.to_owned().into());
    }
    if is_program(path) {
        let program = Program { exe: Some(path.to_owned()), ..Program::default() };
        return query(Path::new("."), &program, global, query::FLOWS);
    }
    let text = regular_file::read_text(path, MAX_FILE_LEN).map_err(|error| failed().caused_by(&error))?;
    let document: Document = serde_json::from_str(&text).map_err(|error| {
        failed().caused_by(&error).with_hint("write such a file with `zerver catalog --json > FILE`")
    })?;
    Ok(document.flows.into_iter().map(|listed| listed.flow).collect())
}

/// Returns true if a file can be run, and is no JSON.
pub(super) fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    !is_json && fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}

fn of_program(flows: Vec<CatalogFlow>) -> Vec<ListedFlow> {
    flows.into_iter().map(|flow| ListedFlow { flow, targets: None }).collect()
}

/// Returns the flows of a store, with what their newest requests called.
fn with_targets(place: &StorePlace) -> Result<Vec<ListedFlow>, CommandError> {
    let reader = locate::open_reader(place)?;
    let unreadable = |error| locate::unreadable_store(place, &error);
    let listed = |flow: CatalogFlow| {
        let newest =
            Query { flow: Some(flow.flow.name.clone()), limit: Some(TARGET_REQUESTS), ..Query::default() };
        let mut timelines = Vec::new();
        for request in reader.list(&newest)? {
            timelines.extend(reader.load(request.id)?.map(|trace| Timeline::of(&trace)));
        }
        Ok(ListedFlow { flow, targets: Some(FlowTarget::of(&timelines)) })
    };
    reader
        .catalog()
        .map_err(unreadable)?
        .into_iter()
        .map(listed)
        .collect::<Result<_, _>>()
        .map_err(unreadable)
}

fn of_store(place: &StorePlace) -> Result<Vec<CatalogFlow>, CommandError> {
    let reader = locate::open_reader(place)?;
    reader.catalog().map_err(|error| locate::unreadable_store(place, &error))
}

/// `{"flows": [...]}`.
#[derive(Serialize, Deserialize)]
struct Document {
    flows: Vec<ListedFlow>,
}

/// `{"breaking": .., "changes": [...]}`.
#[derive(Serialize)]
struct DiffDocument<'a> {
    breaking: Breaking,
    #[serde(flatten)]
    diff: &'a CatalogDiff,
}
