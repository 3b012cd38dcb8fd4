//! Two sets of requests compared: `zerver diff --a QUERY --b QUERY`, and `zerver why QUERY`.

use std::collections::BTreeSet;

use zerver_analysis::{
    FlowComparison, FlowSet, RequestQuery, SeparatedSets, SetComparison, SetComparisonJson, sample_evenly,
};
use zerver_recorder::Reader;
use zerver_trace::text::clean;
use zerver_trace::{Query, RequestId, Summary, Trace};

use crate::args::{Global, Limit, parse_query};
use crate::clock::local_clock;
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::requests::selection;
use crate::view::compare_sets::{SetNames, compare_sets};

/// Number of traces between two reports of progress.
const PROGRESS_INTERVAL: usize = 64;

/// Compares the requests that two queries select.
pub(super) fn run(
    queries: SetNames<'_>,
    limit: Limit,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let parse = |text: &str| parse_query(&[text.to_owned()], &local_clock());
    let (query_a, query_b) = (parse(queries.a)?, parse(queries.b)?);
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let a = select(&reader, &query_a, queries.a, output)?;
    let b = select(&reader, &query_b, queries.b, output)?;
    let sets = SeparatedSets::new(a, b);
    if sets.a.is_empty() || sets.b.is_empty() {
        return Err(CommandError::new("there are no two sets to compare").with_cause(format!(
            "all {} requests that one query selects are also selected by the other, which selects no more",
            sets.shared
        )));
    }
    report(&reader, &sets, queries, limit, output)
}

/// Compares the requests that a query selects with the other requests of their flows.
pub(super) fn run_against_rest(
    words: &[String],
    limit: Limit,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let query = parse_query(words, &local_clock())?;
    let text = words.join(" ");
    let place = locate::store_place(global)?;
    let reader = locate::open_reader(&place)?;
    let these = select(&reader, &query, &text, output)?;
    let flows: BTreeSet<String> = these.iter().map(|request| request.flow.clone()).collect();
    let all = selection::select(&reader, Query::default(), &RequestQuery::default(), output)?;
    let rest: Vec<Summary> = all.into_iter().filter(|request| flows.contains(&request.flow)).collect();
    // The requests that the query selects are the smaller set even if they are most requests of their flows.
    let selected: BTreeSet<RequestId> = these.iter().map(|request| request.id).collect();
    let rest: Vec<Summary> = rest.into_iter().filter(|request| !selected.contains(&request.id)).collect();
    if rest.is_empty() {
        return Err(CommandError::new(format!("{text} selects all requests of their flows"))
            .with_cause("there is no other request to compare them with")
            .with_hint("compare two sets: `zerver diff --a QUERY --b QUERY`"));
    }
    let sets = SeparatedSets::new(rest, these);
    let names = SetNames { a: "the other requests of the same flows", b: &text };
    report(&reader, &sets, names, limit, output)
}

/// Returns the requests that a query selects.
fn select(
    reader: &Reader,
    query: &RequestQuery,
    text: &str,
    output: &mut Output,
) -> Result<Vec<Summary>, CommandError> {
    let selected = selection::select(reader, Query::default(), query, output)?;
    if selected.is_empty() {
        return Err(CommandError::new(format!("no request matches {text}"))
            .with_hint(format!("`zerver ls '{text}'` lists what a query selects")));
    }
    Ok(selected)
}

fn report(
    reader: &Reader,
    sets: &SeparatedSets,
    names: SetNames<'_>,
    limit: Limit,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    if let Some(notice) = locate::dropped_notice(reader) {
        output.info(&notice);
    }
    let mut unreadable = 0;
    let mut flows = Vec::new();
    for flow in sets.flows() {
        let of = |set: &'_ [Summary]| {
            set.iter().filter(|request| request.flow == flow).cloned().collect::<Vec<_>>()
        };
        let (a, b) = (of(&sets.a), of(&sets.b));
        let is_in_both = !a.is_empty() && !b.is_empty();
        let mut load = |set: &[Summary]| {
            let limit = if is_in_both { limit.0.unwrap_or(usize::MAX) } else { 0 };
            load(reader, &sample_evenly(set, limit), flow, &mut unreadable, output)
        };
        let (traces_a, traces_b) = (load(&a), load(&b));
        let (a, b) = (a.iter().collect::<Vec<_>>(), b.iter().collect::<Vec<_>>());
        output.progress(&format!("comparing requests of {}", clean(flow)));
        flows.push(FlowComparison::of(
            flow,
            FlowSet { requests: &a, traces: &traces_a },
            FlowSet { requests: &b, traces: &traces_b },
        ));
    }
    output.clear_progress();
    if unreadable > 0 {
        output.warn(&format!("{unreadable} unreadable requests left out; zerver doctor shows more"));
    }
    let comparison = SetComparison::of(&sets.a, &sets.b, sets.shared, flows);
    if output.is_json {
        output.json(&SetComparisonJson::new(&comparison, names.a, names.b))?;
    } else {
        let compared = comparison.flows.iter();
        let ids: Vec<RequestId> =
            compared.flat_map(|flow| [flow.example_a, flow.example_b]).flatten().collect();
        let digits = locate::unique_digits(reader, &ids);
        let layout = output.layout(digits);
        output.print(&compare_sets(&comparison, names, &|id| id.short(digits), layout))?;
    }
    Ok(match (comparison.has_changed(), comparison.is_tested()) {
        (true, _) => CommandOutcome::Finding,
        (false, true) => CommandOutcome::Success,
        (false, false) => CommandOutcome::Incomplete,
    })
}

/// Loads these requests, except unreadable ones and those that have left the store.
fn load(
    reader: &Reader,
    ids: &[RequestId],
    flow: &str,
    unreadable: &mut u64,
    output: &mut Output,
) -> Vec<Trace> {
    let mut traces = Vec::with_capacity(ids.len());
    for (read, id) in ids.iter().enumerate() {
        if read % PROGRESS_INTERVAL == PROGRESS_INTERVAL - 1 {
            output.progress(&format!("reading {} of {} requests of {}", read + 1, ids.len(), clean(flow)));
        }
        match reader.load(*id) {
            Ok(Some(trace)) => traces.push(trace),
            Ok(None) => {}
            Err(_) => *unreadable += 1,
        }
    }
    traces
}
