//! The table of flows: requests, errors, durations, and the share of the time.

use maud::{Markup, html};
use zerver_analysis::{FlowSummary, SloReport, slo_text};
use zerver_replay::SloState;
use zerver_trace::{CatalogFlow, FlowDeclaration, Summary};

use super::query_box::{older_link, query_box, unreadable_notice};
use super::request_list::term;
use crate::page::{duration, rate, safe, table_empty};
use crate::selection::TypedQuery;
use crate::url::{self, Params};

/// Smallest change that is marked as a regression, relative to the earlier median.
const NOTABLE_CHANGE: f64 = 0.1;

/// State of the page.
#[derive(Debug)]
pub(crate) struct FlowsView<'a> {
    pub(crate) params: &'a Params,
    pub(crate) typed: &'a TypedQuery,
    /// Query of the requests to compare with; empty for none.
    pub(crate) versus: &'a TypedQuery,
    pub(crate) versus_requests: usize,
    pub(crate) flows: &'a [FlowSummary],
    /// Flows of the build that recorded last.
    pub(crate) catalog: &'a [CatalogFlow],
    /// The selected requests.
    pub(crate) requests: &'a [Summary],
    pub(crate) stopped_at_unix_ns: Option<u64>,
    pub(crate) unreadable: usize,
}

pub(crate) fn flows_page(view: &FlowsView<'_>) -> Markup {
    let is_compared = !view.versus.text.is_empty() && view.versus.error.is_none();
    let columns = [
        ("flow", "Flow", false),
        ("requests", "Requests", true),
        ("errors", "5xx", true),
        ("", "4xx", true),
        ("", "Rate", true),
        ("p50", "p50", true),
        ("", "p95", true),
        ("p99", "p99", true),
        ("share", "Share of time", true),
    ];
    let has_declarations = view.flows.iter().any(|flow| view.declaration(flow).is_some_and(is_shown));
    html! {
        h1 { "Flows" }
        (query_box("/flows", view.typed, view.params))
        (versus_box(view))
        (unreadable_notice(view.unreadable))
        @if view.flows.is_empty() && view.typed.error.is_none() { (table_empty("No matching requests.")) }
        @if !view.flows.is_empty() {
            div.scroll tabindex="0" role="group" aria-label="Flows" {
                table.flows {
                    caption.visually-hidden { "Flows of the selected requests" }
                    thead { tr {
                        @for (key, name, is_number) in columns { (heading(view, key, name, is_number)) }
                        @if is_compared { (heading(view, "change", "Change of p50", true)) }
                        @if has_declarations { th scope="col" { "Owner" } th scope="col" { "Objectives" } }
                        th scope="col" { "History" }
                    } }
                    tbody { @for flow in view.flows { (row(flow, is_compared, has_declarations, view)) } }
                }
            }
        }
        (older_link("/flows", view.params, view.typed, view.stopped_at_unix_ns))
    }
}

impl FlowsView<'_> {
    fn catalog_flow(&self, flow: &FlowSummary) -> Option<&CatalogFlow> {
        self.catalog.iter().find(|known| known.flow.name == flow.flow)
    }

    fn declaration(&self, flow: &FlowSummary) -> Option<&FlowDeclaration> {
        self.catalog_flow(flow)?.declaration.as_ref()
    }
}

const fn is_shown(declaration: &FlowDeclaration) -> bool {
    declaration.owner.is_some() || declaration.slo.is_some()
}

/// Returns the owner of a flow, and its objectives with the judgment of the selected requests until the newest of all.
fn declaration_cells(flow: &FlowSummary, view: &FlowsView<'_>) -> Markup {
    let known = view.catalog_flow(flow);
    let declaration = view.declaration(flow);
    let until = view.requests.iter().map(|request| request.started_unix_ns + request.duration_ns).max();
    let reports = known.map(|known| SloReport::of(known, view.requests, until.unwrap_or_default(), 0));
    let state = reports.iter().flatten().map(|report| report.slo.state).max().unwrap_or_default();
    html! {
        td { (safe(declaration.and_then(|declaration| declaration.owner.as_deref()).unwrap_or_default())) }
        td class=[(state != SloState::Ok).then_some("bad")] {
            @if let Some(slo) = declaration.and_then(|declaration| declaration.slo) {
                (slo_text(&slo)) ": " (state.as_str())
            }
        }
    }
}

fn versus_box(view: &FlowsView<'_>) -> Markup {
    let error = view.versus.error.as_ref();
    html! {
        form.query.versus action="/flows" method="get" {
            label for="vs" { "Compare with" }
            input #vs type="search" name="vs" value=(view.versus.text) spellcheck="false" autocomplete="off"
                placeholder="since:2h until:1h, or build:3a44" aria-invalid=[error.map(|_| "true")]
                aria-describedby=[error.map(|_| "vs-error")];
            input type="hidden" name="q" value=(view.typed.text);
            button { "Compare" }
        }
        @match error {
            Some(error) => p #vs-error.notice.bad role="alert" { "The query is not understood: " (safe(&error.to_string())) },
            None => { @if !view.versus.text.is_empty() {
                p.secondary { "Change of the median, against " (crate::page::amount(view.versus_requests, "request", "requests")) }
            } }
        }
    }
}

fn heading(view: &FlowsView<'_>, key: &str, name: &str, is_number: bool) -> Markup {
    let current = match view.params.get("sort") {
        "" => "share",
        sort => sort,
    };
    let sorted =
        (key == current && !key.is_empty()).then_some(if key == "flow" { "ascending" } else { "descending" });
    html! {
        th scope="col" class=[is_number.then_some("number")] aria-sort=[sorted] {
            @if key.is_empty() { (name) }
            @else { a href=(view.params.link("/flows", &[("sort", key)])) { (name) } }
        }
    }
}

fn row(flow: &FlowSummary, is_compared: bool, has_declarations: bool, view: &FlowsView<'_>) -> Markup {
    let own = term("flow", &flow.flow);
    let requests = url::link("/", &[("q", format!("{own} {}", view.typed.text).trim())]);
    let name = if flow.flow.is_empty() { "(no flow)".into() } else { safe(&flow.flow) };
    let share = flow.share * 100.0;
    html! {
        tr data-row=(name) {
            th scope="row" {
                @if flow.flow.is_empty() { (name) }
                @else { a.open href=(url::link("/flow", &[("name", &flow.flow), ("q", &view.typed.text)])) { (name) } }
            }
            td.number { @if flow.flow.is_empty() { (flow.requests) } @else { a href=(requests) { (flow.requests) } } }
            td.number class=[(flow.errors > 0).then_some("bad")] { (flow.errors) }
            td.number { (flow.client_errors) }
            td.number { (flow.rate_per_s.map_or_else(|| "–".to_owned(), rate)) }
            td.number { (duration(flow.p50_ns)) }
            td.number { (duration(flow.p95_ns)) }
            td.number { (duration(flow.p99_ns)) }
            td.number {
                svg.bar.small aria-hidden="true" { rect.took x="0" y="3" height="8" width=(format!("{share:.1}%")) {} }
                " " (format!("{share:.1} %"))
            }
            @if is_compared {
                @match flow.change {
                    Some(change) => td.number class=[(change > NOTABLE_CHANGE).then_some("bad")] {
                        @if change > NOTABLE_CHANGE { "▲ " } (format!("{:+.0} %", change * 100.0))
                    },
                    None => td.number.secondary { "new" },
                }
            }
            @if has_declarations { (declaration_cells(flow, view)) }
            td { (history(&flow.history)) }
        }
    }
}

/// Returns the number of requests over time as bars. A period with a request is never empty.
fn history(history: &[u64]) -> Markup {
    let most = history.iter().copied().max().unwrap_or(0).max(1);
    let width = 100.0 / history.len().max(1) as f64;
    let (first, last) = (history.first().copied().unwrap_or(0), history.last().copied().unwrap_or(0));
    html! {
        svg.bar.history role="img" aria-label={ "Requests over time: at first " (first) ", at last " (last) ", at most " (most) " per period" } {
            @for (at, count) in history.iter().enumerate().filter(|(_, count)| **count > 0) {
                @let height = (count * 14).div_ceil(most);
                rect.took x=(format!("{:.1}%", at as f64 * width)) width=(format!("{:.1}%", width * 0.8)) y=(15 - height) height=(height) {}
            }
        }
    }
}
