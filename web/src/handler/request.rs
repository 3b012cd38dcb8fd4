//! The pages of one request.

use maud::{Markup, html};
use zerver_analysis::{Moments, Why};
use zerver_trace::{Query, RequestId, Trace};

use super::page_error::PageError;
use super::replay;
use super::state::WebState;
use super::value;
use crate::loaded_trace::LoadedTrace;
use crate::selection::traces;
use crate::url::{self, Params};
use crate::view::request::{SlotsView, TimelineView, head, slots_page, timeline_page};
use crate::view::why::why_page;

/// Maximum number of requests of the flow to compare with; the newest are used.
const POPULATION: usize = 500;
/// Number of requests offered for a comparison.
const OFFERED: usize = 20;

/// Returns a page of a request. `rest` is its id, and the name of the page after a slash.
pub(super) fn page(state: &WebState, rest: &str, params: &Params) -> Result<Markup, PageError> {
    let (id, page) = rest.split_once('/').unwrap_or((rest, ""));
    let loaded = state.load(id)?;
    let now_unix_ns = state.now_unix_ns();
    let (name, content) = match page {
        "" => {
            let neighbors = neighbors(state, &loaded.trace)?;
            ("", timeline_page(&TimelineView { loaded: &loaded, params, neighbors, now_unix_ns }))
        }
        "slots" => {
            let moments = Moments::new(&loaded.trace, &loaded.timeline, &loaded.rows);
            let at = params.number("at").unwrap_or(usize::MAX);
            ("slots", slots_page(&SlotsView { loaded: &loaded, moments: &moments, at, now_unix_ns }))
        }
        "why" => {
            let others = others(state, &loaded.trace)?;
            ("why", why_page(&loaded, &Why::of(&loaded.trace, &others), now_unix_ns))
        }
        "value" => ("value", value::page(state, &loaded, params)),
        "replay" => ("replay", replay::form(state, &loaded, params)),
        "compare" => ("compare", compare(state, &loaded, now_unix_ns)?),
        _ => return Err(PageError::not_found("a request has no such page")),
    };
    Ok(state.request_frame(&loaded, name).around(&content))
}

/// Returns the next newer and the next older request of the flow.
fn neighbors(state: &WebState, trace: &Trace) -> Result<[Option<RequestId>; 2], PageError> {
    let snapshot = state.window.refresh()?;
    let of_flow: Vec<_> = snapshot.requests.iter().filter(|other| other.flow == trace.flow.name).collect();
    let at = of_flow.iter().position(|other| other.id == trace.id);
    let id = |at: Option<usize>| at.and_then(|at| of_flow.get(at)).map(|other| other.id);
    Ok([id(at.and_then(|at| at.checked_sub(1))), id(at.map(|at| at + 1))])
}

/// Loads other requests of the flow, except unreadable ones.
fn others(state: &WebState, trace: &Trace) -> Result<Vec<Trace>, PageError> {
    let query = Query { flow: Some(trace.flow.name.clone()), limit: Some(POPULATION), ..Query::default() };
    let requests = state.source.list(&query)?;
    Ok(traces(&*state.source, requests.iter())?)
}

/// Offers other requests of the flow for a comparison, and a form for any id.
fn compare(state: &WebState, loaded: &LoadedTrace, now_unix_ns: u64) -> Result<Markup, PageError> {
    let id = loaded.trace.id;
    let flow = loaded.trace.flow.name.clone();
    let mut others =
        state.source.list(&Query { flow: Some(flow), limit: Some(POPULATION), ..Query::default() })?;
    others.retain(|other| other.id != id);
    // The fastest that succeeded show best why this one was slow.
    others.sort_by_key(|other| (!other.has_succeeded(), other.duration_ns));
    let link = |other: RequestId| url::link("/diff", &[("a", &other.to_string()), ("b", &id.to_string())]);
    Ok(html! {
        (head(loaded, Some(now_unix_ns)))
        h2 { "Compare with" }
        form.inline action="/diff" method="get" {
            label for="a" { "Id of the other request" }
            input #a type="text" name="a" required spellcheck="false" autocomplete="off";
            input type="hidden" name="b" value=(id.to_string());
            button { "Compare" }
        }
        @if others.is_empty() { p.empty { "There are no other requests of its flow." } }
        @else {
            table.requests {
                caption { "Requests of the same flow, the fastest first" }
                thead { tr { th scope="col" { "Request" } th scope="col" { "Status" } th.number scope="col" { "Took" } th.number scope="col" { "Age" } } }
                tbody {
                    @for other in others.iter().take(OFFERED) {
                        tr data-row=(other.id) {
                            td { a.open href=(link(other.id)) { (crate::page::title_of(other)) } }
                            td { (crate::page::status(other.status)) }
                            td.number { (crate::page::duration(other.duration_ns)) }
                            td.number { (crate::page::age(now_unix_ns, other.started_unix_ns)) }
                        }
                    }
                }
            }
        }
    })
}
