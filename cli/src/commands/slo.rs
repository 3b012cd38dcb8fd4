//! `zerver slo`: how fast requests use up the error budgets of their flows, which requests do, and what they share.

use serde::Serialize;
use zerver_analysis::{RequestQuery, SloReport};
use zerver_replay::SloState;
use zerver_trace::text::clean;
use zerver_trace::{CatalogFlow, Query, Summary};

use super::compare_sets;
use crate::args::{self, Global, Limit};
use crate::clock::local_clock;
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::requests::selection;
use crate::view;

/// Number of requests of each set whose steps and effects are compared.
const COMPARED: usize = 1_000;
/// Length of the longest window, in nanoseconds.
const LONGEST_NS: u64 = 6 * 3_600 * 1_000_000_000;

pub(super) fn run(
    args: &args::Slo,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let flows = reader.catalog().map_err(|error| locate::unreadable_store(&place, &error))?;
    let flows = with_objectives(flows, args.flow.as_deref())?;
    let requests = selection::select(&reader, Query::default(), &RequestQuery::default(), output)?;
    let until_unix_ns = match &args.until {
        Some(text) => local_clock()
            .parse(text)
            .map_err(|error| CommandError::new(format!("cannot read the time {text:?}")).with_cause(error))?,
        None => {
            requests.iter().map(|request| request.started_unix_ns + request.duration_ns).max().unwrap_or(0)
        }
    };
    let reports: Vec<SloReport> =
        flows.iter().flat_map(|flow| SloReport::of(flow, &requests, until_unix_ns, args.limit)).collect();
    let state = reports.iter().map(|report| report.slo.state).max().unwrap_or_default();
    let is_partial = reader.counts().is_ok_and(|counts| counts.not_kept > 0);
    if output.is_json {
        output.json(&Document { until_unix_ns, all_requests_recorded: !is_partial, objectives: &reports })?;
        return Ok(outcome(state));
    }
    if reports.is_empty() {
        output.info("no flow has objectives; add `slo: Slo::new()..` to a `flow!`");
        return Ok(CommandOutcome::Success);
    }
    if is_partial {
        output.info(
            "the store does not hold all requests, so these are rates of the recorded ones; /metrics has all",
        );
    }
    let ids: Vec<_> =
        reports.iter().flat_map(|report| report.worst.iter().map(|request| request.id)).collect();
    let digits = locate::unique_digits(&reader, &ids);
    output.print(&view::slo::slo(
        &reports,
        &local_clock().show(until_unix_ns),
        &|id| id.short(digits),
        output.columns(),
    ))?;
    if args.flow.is_some()
        && let Some(report) = to_explain(&reports, args.objective.as_deref())
    {
        drop(reader);
        explain(report, &requests, until_unix_ns, global, output)?;
    }
    Ok(outcome(state))
}

/// Returns the flows that have objectives: all of them, or the one with this name.
fn with_objectives(flows: Vec<CatalogFlow>, name: Option<&str>) -> Result<Vec<CatalogFlow>, CommandError> {
    let has_slo =
        |flow: &CatalogFlow| flow.declaration.as_ref().is_some_and(|declared| declared.slo.is_some());
    let Some(name) = name else { return Ok(flows.into_iter().filter(has_slo).collect()) };
    let Some(flow) = flows.into_iter().find(|flow| flow.flow.name == name) else {
        return Err(CommandError::new(format!("there is no flow {}", clean(name)))
            .with_hint("`zerver catalog` lists the flows"));
    };
    match has_slo(&flow) {
        true => Ok(vec![flow]),
        false => Err(CommandError::new(format!("flow {} has no objectives", clean(name)))
            .with_hint("add `slo: Slo::new()..` to its `flow!`")),
    }
}

/// Returns the objective that the user has named, or the one that burns fastest.
fn to_explain<'r>(reports: &'r [SloReport], objective: Option<&str>) -> Option<&'r SloReport> {
    let burned = |report: &&SloReport| report.slo.windows.last().map_or(0.0, |window| window.burn_rate);
    let mut candidates: Vec<_> = reports
        .iter()
        .filter(|report| {
            !report.worst.is_empty() && objective.is_none_or(|name| report.slo.objective == name)
        })
        .collect();
    candidates.sort_by(|a, b| burned(a).total_cmp(&burned(b)));
    candidates.pop()
}

/// Shows what the requests that missed an objective share.
fn explain(
    report: &SloReport,
    requests: &[Summary],
    until_unix_ns: u64,
    global: &Global,
    output: &mut Output,
) -> Result<(), CommandError> {
    let is_recent = |request: &&Summary| request.started_unix_ns + LONGEST_NS >= until_unix_ns;
    let recent =
        requests.iter().filter(|request| request.flow == report.slo.flow).filter(is_recent).count() as u64;
    let bad = report.slo.windows.last().map_or(0, |window| window.bad);
    if bad >= recent {
        output.info(
            "all requests of the flow missed the objective, so there are no others to compare them with",
        );
        return Ok(());
    }
    output.print("\n")?;
    compare_sets::run_against_rest(
        std::slice::from_ref(&report.query),
        Limit(Some(COMPARED)),
        global,
        output,
    )?;
    Ok(())
}

const fn outcome(state: SloState) -> CommandOutcome {
    match state {
        SloState::Ok => CommandOutcome::Success,
        SloState::SlowBurn | SloState::FastBurn => CommandOutcome::Finding,
    }
}

/// `{"until_unix_ns": .., "all_requests_recorded": .., "objectives": [...]}`.
#[derive(Serialize)]
struct Document<'a> {
    until_unix_ns: u64,
    all_requests_recorded: bool,
    objectives: &'a [SloReport],
}
