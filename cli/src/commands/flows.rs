//! `zerver flows`: the flows of a store, compared.

use serde::Serialize;
use zerver_analysis::{FlowOrder, FlowSummary, summarize_flows};
use zerver_trace::Query;

use crate::args::{FlowSort, Flows, Global, parse_query};
use crate::clock::{local_clock, now_unix_ns};
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::requests::selection;
use crate::view::{count, flow_list};

/// `{"flows": [...]}`.
#[derive(Serialize)]
struct FlowsJson<'a> {
    flows: &'a [FlowSummary],
}

pub(super) fn run(
    args: &Flows,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let query = args.requests.parse()?;
    let versus =
        args.vs.as_ref().map(|vs| parse_query(std::slice::from_ref(vs), &local_clock())).transpose()?;
    if args.sort == FlowSort::Change && versus.is_none() {
        return Err(CommandError::new("--sort change needs something to compare with: add --vs QUERY"));
    }
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let stored = args.requests.filter.query(now_unix_ns(), None);
    let requests = selection::select(&reader, stored, &query, output)?;
    let versus = match &versus {
        Some(versus) => selection::select(&reader, Query::default(), versus, output)?,
        None => Vec::new(),
    };
    if let Some(notice) = locate::dropped_notice(&reader) {
        output.info(&notice);
    }
    let order = match args.sort {
        FlowSort::Share => FlowOrder::Share,
        FlowSort::Flow => FlowOrder::Flow,
        FlowSort::Requests => FlowOrder::Requests,
        FlowSort::Errors => FlowOrder::Errors,
        FlowSort::P50 => FlowOrder::P50,
        FlowSort::P99 => FlowOrder::P99,
        FlowSort::Change => FlowOrder::Change,
    };
    let flows = summarize_flows(&requests, &versus, order);
    if output.is_json {
        output.json(&FlowsJson { flows: &flows })?;
        return Ok(CommandOutcome::Success);
    }
    if flows.is_empty() {
        output.info(&format!("no matching requests in {place}"));
        return Ok(CommandOutcome::Success);
    }
    output.print(&flow_list::table(&flows, args.vs.is_some(), output.columns()))?;
    if args.vs.is_some() {
        output.info(&format!(
            "change of the median, against {}",
            count(versus.len() as u64, "request", "requests")
        ));
    }
    Ok(CommandOutcome::Success)
}
