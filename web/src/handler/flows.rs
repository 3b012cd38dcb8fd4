//! The table of flows, and the graph of one flow.

use std::collections::BTreeMap;

use maud::Markup;
use zerver_analysis::{Baseline, FlowOrder, Timeline, summarize_flows};
use zerver_trace::{FlowInfo, Summary, is_client_error};

use super::page_error::PageError;
use super::state::WebState;
use crate::page::Tab;
use crate::selection::{Selected, TypedQuery, select, traces};
use crate::url::Params;
use crate::view::flow_graph::{FlowGraphView, StepFailures, flow_page};
use crate::view::flows::{FlowsView, flows_page};

/// Number of requests of a flow whose traces are read for its graph; the newest are used.
const MEASURED: usize = 500;

pub(super) fn table(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    let versus_typed = TypedQuery::parse(params.get("vs"), &*state.services);
    let selected = select(&state.window, &*state.source, &typed, usize::MAX)?;
    let versus = match versus_typed.text.is_empty() {
        true => Selected::default(),
        false => select(&state.window, &*state.source, &versus_typed, usize::MAX)?,
    };
    let owned = |selected: &Selected| {
        selected.requests.iter().map(|request| (**request).clone()).collect::<Vec<Summary>>()
    };
    let order = match params.get("sort") {
        "flow" => FlowOrder::Flow,
        "requests" => FlowOrder::Requests,
        "errors" => FlowOrder::Errors,
        "p50" => FlowOrder::P50,
        "p99" => FlowOrder::P99,
        "change" => FlowOrder::Change,
        _ => FlowOrder::Share,
    };
    let requests = owned(&selected);
    let flows = summarize_flows(&requests, &owned(&versus), order);
    let catalog = state.services.catalog().unwrap_or_default();
    let content = flows_page(&FlowsView {
        params,
        typed: &typed,
        versus: &versus_typed,
        versus_requests: versus.requests.len(),
        flows: &flows,
        catalog: &catalog,
        requests: &requests,
        stopped_at_unix_ns: selected.stopped_at_unix_ns,
        unreadable: selected.unreadable,
    });
    Ok(state.frame(Tab::Flows, "Flows").with_query(&typed.text).around(&content))
}

pub(super) fn graph(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let name = params.get("name");
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    let mut selected = select(&state.window, &*state.source, &typed, usize::MAX)?;
    selected.requests.retain(|request| request.flow == name);
    let requests = selected.requests.len();
    let measured = selected.requests.iter().take(MEASURED).map(|request| &**request);
    let traces = traces(&*state.source, measured)?;
    // The traces carry the flow as it was; the catalog has it as it is.
    let known = state.services.catalog().unwrap_or_default().into_iter().map(|flow| flow.flow);
    let known = known.into_iter().find(|flow| flow.name == name);
    let recorded = || traces.first().map(|trace| (*trace.flow).clone());
    let flow: FlowInfo = known.or_else(recorded).ok_or_else(|| {
        PageError::not_found(format!("no flow is called {name:?}; the catalog lists the flows"))
    })?;
    let timelines: Vec<_> = traces.iter().map(Timeline::of).collect();
    let mut failures: BTreeMap<String, StepFailures> = BTreeMap::new();
    for (trace, timeline) in traces.iter().zip(&timelines) {
        let ran: std::collections::BTreeSet<&str> =
            timeline.runs.iter().map(|run| run.step.name.as_str()).collect();
        for step in ran {
            failures.entry(step.to_owned()).or_default().requests += 1;
        }
        if let Some(step) = timeline.failure.as_ref().and_then(|failure| failure.step.as_ref()) {
            let failures = failures.entry(step.name.clone()).or_default();
            match is_client_error(trace.status) {
                true => failures.client_errors += 1,
                false => failures.failed += 1,
            }
        }
    }
    let content = flow_page(&FlowGraphView {
        params,
        typed: &typed,
        flow: &flow,
        requests,
        measured: timelines.len(),
        times: &Baseline::of(&timelines),
        failures: &failures,
    });
    Ok(state.frame(Tab::Flows, crate::page::safe(name)).with_query(&typed.text).around(&content))
}
