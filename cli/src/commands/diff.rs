//! `zerver diff`: why one request took longer than another, and what differs first; or how two sets differ.

use serde::Serialize;
use zerver_analysis::{Diff, DiffJson, IgnoredHeaders, QueueHolders, Timeline, typical_pair};
use zerver_trace::text::clean;
use zerver_trace::{Query, RequestId, Trace};

use super::compare_sets;
use crate::args::{self, Global, TraceRef};
use crate::error::{CommandError, CommandOutcome};
use crate::html_file;
use crate::locate::{self, LoadedTrace};
use crate::output::Output;
use crate::terminal_ui;
use crate::view;
use crate::view::compare_sets::SetNames;
use crate::view::layout::field;

/// Maximum number of requests to choose typical ones from; the newest are used.
const POPULATION: usize = 1_000;

/// A trace, with the number of digits that identify it in its store.
struct Identified {
    trace: Trace,
    digits: usize,
    /// Holders of its threads while it was queued.
    queue: Option<QueueHolders>,
    /// Node of a fleet that recorded it.
    node: Option<String>,
}

#[derive(Serialize)]
struct NodesJson {
    #[serde(flatten)]
    diff: DiffJson,
    /// Nodes of a fleet that recorded the requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<[Option<String>; 2]>,
}

pub(super) fn run(
    args: &args::Diff,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let (Some(a), Some(b)) = (&args.set_a, &args.set_b) {
        return compare_sets::run(SetNames { a, b }, args.limit, global, output);
    }
    let (a, b) = match (&args.slow, &args.a, &args.b) {
        (Some(flow), ..) => load_typical(flow, global, output)?,
        (None, Some(a), Some(b)) => (load(a, global)?, load(b, global)?),
        _ => {
            return Err(CommandError::new("a comparison needs two requests")
                .with_hint("name both, or a flow with --slow FLOW"));
        }
    };
    let ignored = if args.all_headers { IgnoredHeaders::nothing() } else { IgnoredHeaders::default() };
    let digits = a.digits.max(b.digits).max(distinguishing_digits(a.trace.id, b.trace.id));
    let queues = [a.queue, b.queue];
    let nodes = Some([a.node, b.node]).filter(|nodes| nodes.iter().any(Option::is_some));
    let (a, b) = (a.trace, b.trace);
    let diff = Diff::of(&a, &b, &ignored);
    let sameness = diff.sameness();
    if let Some(path) = &args.html {
        html_file::write(path, &zerver_web::report::diff_html(&a, &b, &ignored), output)?;
    } else if !args.no_tui && !args.all_headers && terminal_ui::can_open(output) {
        terminal_ui::show_diff([a, b], &args.theme, global)?;
    } else if output.is_json {
        output.json(&NodesJson { diff: DiffJson::new(&diff).with_queues(queues), nodes })?;
    } else {
        let layout = output.layout(digits);
        output.print(&view::diff::diff(&a, &b, &diff, &queues, layout))?;
        if let Some(nodes) = nodes {
            let [a, b] = nodes.each_ref().map(|node| clean(node.as_deref().unwrap_or("a file")));
            let nodes = if a == b { a.into_owned() } else { format!("{a} and {b}") };
            output.print(&field("nodes", &[nodes]))?;
        }
    }
    Ok(sameness.into())
}

/// Returns the number of digits that distinguish two ids. One of them may come from a portable file, so the digits that
/// identify each in its own store are not enough.
fn distinguishing_digits(a: RequestId, b: RequestId) -> usize {
    if a == b { 0 } else { a.shared_digits(b) + 1 }
}

/// Loads a trace and closes the store again: the other trace may be in the same one.
fn load(trace: &TraceRef, global: &Global) -> Result<Identified, CommandError> {
    let loaded = locate::load_trace(global, trace)?;
    Ok(identified(&loaded, global))
}

fn identified(loaded: &LoadedTrace, global: &Global) -> Identified {
    let (digits, queue) = (loaded.digits(), loaded.queue_holders(&Timeline::of(&loaded.trace)));
    Identified { trace: loaded.trace.clone(), digits, queue, node: loaded.node(global) }
}

/// Loads a typical fast request of a flow, and a typical slow one.
fn load_typical(
    flow: &str,
    global: &Global,
    output: &mut Output,
) -> Result<(Identified, Identified), CommandError> {
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let unreadable = |error: &(dyn std::error::Error + 'static)| locate::unreadable_store(&place, error);
    let query = Query { flow: Some(flow.to_owned()), limit: Some(POPULATION), ..Query::default() };
    let requests = reader.list(&query).map_err(|error| unreadable(&error))?;
    let found = typical_pair(&requests).map_err(|error| {
        CommandError::new(format!("cannot choose two requests of {flow}"))
            .caused_by(&error)
            .with_hint("send the service more requests, or name two: `zerver diff <a> <b>`")
            .with_hint("`zerver catalog` lists the flows")
    })?;
    output.info(&format!(
        "of {} requests of {}: the median of the fastest 90%, and the median of the slowest 10%",
        found.population,
        clean(flow)
    ));
    let load = |id: RequestId| match reader.load(id) {
        Ok(Some(trace)) => Ok(trace),
        Ok(None) => {
            Err(CommandError::new(format!("request {id} has just left the store")).with_hint("try again"))
        }
        Err(error) => Err(unreadable(&error)),
    };
    let (fast, slow) = (load(found.fast)?, load(found.slow)?);
    let fast = LoadedTrace { trace: fast, reader: Some(reader) };
    let (fast, reader) = (identified(&fast, global), fast.reader);
    Ok((fast, identified(&LoadedTrace { trace: slow, reader }, global)))
}
