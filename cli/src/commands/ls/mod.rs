//! `zerver ls`: recorded requests.

mod follow;

use std::cmp::Reverse;

use serde::Serialize;
use zerver_analysis::{DurationBucket, duration_histogram};
use zerver_recorder::BlockTrace;
use zerver_trace::text::clean;
use zerver_trace::{Query, Summary};

use crate::args::{Global, Ls, RequestOrder};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::requests::fleet_nodes::{FleetNodes, missing_notices};
use crate::requests::groups::{GroupsJson, group_requests};
use crate::requests::json::{CountJson, RequestJson, RequestsJson};
use crate::requests::selection::{self, Condition};
use crate::view::{count, duration_histogram as histogram_view, request_groups, request_list};

/// `{"histogram": [...]}`.
#[derive(Serialize)]
struct HistogramJson {
    histogram: Vec<DurationBucket>,
}

pub(super) fn run(args: &Ls, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let query = args.requests.parse()?;
    let place = locate::store_place(global)?;
    let limit = args.limit.0.unwrap_or(usize::MAX);
    if args.follow {
        return follow::run(&place, args, &query, output);
    }
    // One request more shows whether the list is complete. Another order, and all that counts, needs all requests.
    let needs_all =
        args.sort != RequestOrder::Started || args.count || args.histogram || !args.group_by.is_empty();
    let wanted = if needs_all { None } else { Some(limit.saturating_add(1)) };
    let stored = args.requests.filter.query(now_unix_ns(), wanted);
    let reader = locate::open_reader(&place)?;
    let nodes = FleetNodes::find(&place, args.node.as_deref())?;
    let of_nodes = nodes.as_ref().map(|nodes| move |request: &BlockTrace<'_>| nodes.note(request));
    let condition = of_nodes.as_ref().map(|of_nodes| of_nodes as Condition<'_>);
    let mut requests = selection::select_where(&reader, stored.clone(), &query, output, condition)?;
    for notice in locate::dropped_notice(&reader).into_iter().chain(missing_notices(&place)) {
        output.info(&notice);
    }
    if let (Some(end), None) = (stored.until_unix_ns, args.requests.filter.until) {
        let later = Query { since_unix_ns: Some(end), until_unix_ns: None, limit: None, ..stored };
        let later = selection::select_where(&reader, later, &query, output, condition)?.len() as u64;
        if later > 0 {
            let requests = count(later, "request", "requests");
            output.info(&format!("{requests} in the future left out: a clock was or is wrong"));
        }
    }
    if !args.group_by.is_empty() {
        return print_groups(&requests, args, limit, output);
    }
    if args.count {
        let number = requests.len() as u64;
        if output.is_json {
            output.json(&CountJson { count: number })?;
        } else {
            output.print(&format!("{number}\n"))?;
        }
        return Ok(CommandOutcome::Success);
    }
    if args.histogram && (output.is_json || !requests.is_empty()) {
        let histogram = duration_histogram(requests.iter().map(|request| request.duration_ns));
        if output.is_json {
            output.json(&HistogramJson { histogram })?;
        } else {
            output.print(&histogram_view::table(&histogram, output.width()))?;
        }
        return Ok(CommandOutcome::Success);
    }
    sort(&mut requests, args.sort);
    let is_truncated = requests.len() > limit;
    requests.truncate(limit);
    if args.ndjson {
        for request in &requests {
            output.json_line(&RequestJson::of_fleet(request, nodes.as_ref()))?;
        }
        return Ok(CommandOutcome::Success);
    }
    if output.is_json {
        output.json(&RequestsJson::of_fleet(&requests, nodes.as_ref()))?;
        return Ok(CommandOutcome::Success);
    }
    if requests.is_empty() && !is_truncated {
        output.info(&format!("no matching requests in {place}"));
        let flow = args.requests.filter.flow.as_deref();
        if let Some(hint) = flow.and_then(|flow| locate::unknown_flow_hint(&reader, flow)) {
            output.info(&clean(&hint));
        }
        return Ok(CommandOutcome::Success);
    }
    if requests.is_empty() {
        output.info("there are matching requests; -n N shows the first N, -n all shows all");
        return Ok(CommandOutcome::Success);
    }
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = locate::unique_digits(&reader, &ids);
    let now = now_unix_ns();
    let table = match args.columns.as_slice() {
        [] => request_list::table_of_fleet(&requests, nodes.as_ref(), digits, now, output.columns()),
        columns => request_list::table_of(columns, &requests, nodes.as_ref(), digits, now, output.columns()),
    };
    output.print(&table)?;
    if is_truncated {
        let which = match args.sort {
            RequestOrder::Started => "newest",
            RequestOrder::Took => "slowest",
            RequestOrder::Status | RequestOrder::Flow => "first",
        };
        output.info(&format!("showing the {which} {limit}; -n N shows more, -n all shows all"));
    }
    Ok(CommandOutcome::Success)
}

fn print_groups(
    requests: &[Summary],
    args: &Ls,
    limit: usize,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let groups = group_requests(requests, &args.group_by);
    let is_truncated = groups.len() > limit;
    let groups = &groups[..groups.len().min(limit)];
    if args.ndjson {
        for group in groups {
            output.json_line(group)?;
        }
    } else if output.is_json {
        output.json(&GroupsJson { groups })?;
    } else {
        output.print(&request_groups::table(groups, &args.group_by, args.count, output.columns()))?;
        if is_truncated {
            output.info(&format!("showing the largest {limit} groups; -n N shows more, -n all shows all"));
        }
    }
    Ok(CommandOutcome::Success)
}

/// Sorts requests that are ordered newest first, which equal ones stay.
fn sort(requests: &mut [Summary], order: RequestOrder) {
    match order {
        RequestOrder::Started => {}
        RequestOrder::Took => requests.sort_by_key(|request| Reverse(request.duration_ns)),
        RequestOrder::Status => requests.sort_by_key(|request| Reverse(request.status)),
        RequestOrder::Flow => requests.sort_by(|a, b| a.flow.cmp(&b.flow)),
    }
}
