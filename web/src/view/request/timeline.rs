//! The timeline of a request: its waterfall, the details of the selected row, and where the time went.

use maud::{Markup, html};
use zerver_analysis::{RowSubject, TimeUse, WaterfallRow, failing_run};
use zerver_trace::RequestId;

use super::detail::detail;
use super::exchange;
use super::head::head;
use super::time_scale::TimeScale;
use super::totals::totals;
use super::waterfall::Waterfall;
use crate::loaded_trace::LoadedTrace;
use crate::page::amount;
use crate::page::values::MAX_SHOWN;
use crate::url::{self, Params};
use crate::view::value_link::ValueStyle;

/// Maximum number of rows on a page.
const PAGE: usize = 500;
/// Number of rows up to which phases are shown unless the user decides otherwise.
const MAX_WITH_PHASES: usize = 60;
/// Smallest parts of the whole that can be chosen, in thousandths, with their names.
const MINIMUMS: [(&str, u64, &str); 3] =
    [("", 0, "all rows"), ("1", 1, "from 0.1 %"), ("10", 10, "from 1 %")];

/// State of the page.
#[derive(Debug)]
pub(crate) struct TimelineView<'a> {
    pub(crate) loaded: &'a LoadedTrace,
    pub(crate) params: &'a Params,
    /// Next newer and next older request of the flow.
    pub(crate) neighbors: [Option<RequestId>; 2],
    pub(crate) now_unix_ns: u64,
}

pub(crate) fn timeline_page(view: &TimelineView<'_>) -> Markup {
    let (loaded, params) = (view.loaded, view.params);
    let style = ValueStyle { limit: MAX_SHOWN, has_links: true };
    let path = url::request(loaded.trace.id, "");
    let selected = params.number("row").filter(|at| *at < loaded.rows.len()).or_else(|| default_row(loaded));
    let shown = shown_rows(loaded, params);
    let first = params.number("from").unwrap_or(0).min(shown.len().saturating_sub(1)) / PAGE * PAGE;
    let page: Vec<_> = shown.iter().skip(first).take(PAGE).copied().collect();
    let is_folded = params.is_on("fold");
    let scale =
        if is_folded { folded_scale(loaded) } else { TimeScale::even(loaded.timeline.totals.total_ns) };
    let shows_phases = match params.get("phases") {
        "" => loaded.rows.len() <= MAX_WITH_PHASES,
        on => on != "0",
    };
    let link = |at: usize| params.link(&path, &[("row", &at.to_string())]);
    let waterfall =
        Waterfall { loaded, rows: &page, scale: &scale, selected, shows_phases, link: Some(&link) };
    html! {
        (head(loaded, Some(view.now_unix_ns)))
        div.tools { (options(view, &path, is_folded, shows_phases)) (find_box(params, &path)) }
        div.split {
            div.scroll tabindex="0" role="group" aria-label="Waterfall" { (waterfall.table()) (pages(params, &path, shown.len(), first, loaded)) }
            section #detail aria-label="Details of the selected row" {
                @if let Some(row) = selected.and_then(|at| loaded.rows.get(at)) { (detail(loaded, row.subject, style)) }
            }
        }
        div.columns {
            (totals(loaded))
            section aria-labelledby="request-title" { h2 #request-title { "Request" } (exchange::request(loaded, style)) }
            section aria-labelledby="response-title" { h2 #response-title { "Response" } (exchange::response(loaded, style)) }
        }
    }
}

/// Returns the row to start at: that of the failure, or else the longest.
fn default_row(loaded: &LoadedTrace) -> Option<usize> {
    let rows = || loaded.rows.iter().enumerate();
    if let Some(run) = failing_run(&loaded.timeline) {
        let of_run = |row: &WaterfallRow| {
            matches!(row.subject, RowSubject::Effect(of, _) if of == run) && row.state.is_failure()
        };
        let effect = rows().find(|(_, row)| of_run(row));
        return effect
            .or_else(|| rows().find(|(_, row)| row.subject == RowSubject::Run(run)))
            .map(|(at, _)| at);
    }
    let inner = rows().filter(|(_, row)| row.subject != RowSubject::Request);
    inner.max_by_key(|(at, row)| (row.took_ns, usize::MAX - at)).map(|(at, _)| at)
}

/// Returns the rows that are not too short and contain the text that the user looks for, with their positions.
fn shown_rows<'l>(loaded: &'l LoadedTrace, params: &Params) -> Vec<(usize, &'l WaterfallRow)> {
    let thousandths =
        MINIMUMS.iter().find(|(name, ..)| *name == params.get("min")).map_or(0, |(_, least, _)| *least);
    let total = u128::from(loaded.timeline.totals.total_ns);
    let find = params.get("find").trim().to_lowercase();
    let is_found = |row: &WaterfallRow| {
        let texts = [&row.name, &row.outcome];
        find.is_empty() || texts.iter().any(|text| text.to_lowercase().contains(&find))
    };
    let is_long = |row: &WaterfallRow| {
        row.state.is_failure()
            || matches!(row.subject, RowSubject::Request | RowSubject::Response)
            || u128::from(row.took_ns) * 1000 >= total * u128::from(thousandths)
    };
    loaded.rows.iter().enumerate().filter(|(_, row)| is_long(row) && is_found(row)).collect()
}

pub(crate) fn folded_scale(loaded: &LoadedTrace) -> TimeScale {
    let spans = || loaded.rows.iter().flat_map(|row| &row.spans);
    let busy: Vec<_> =
        spans().filter(|(of, ..)| *of == TimeUse::Cpu).map(|(_, from, to)| (*from, *to)).collect();
    let long: Vec<_> = busy
        .into_iter()
        .filter(|(from, to)| to.saturating_sub(*from) >= loaded.timeline.totals.total_ns / 8)
        .collect();
    TimeScale::folded(loaded.timeline.totals.total_ns, spans().flat_map(|(_, from, to)| [*from, *to]), &long)
}

fn options(view: &TimelineView<'_>, path: &str, is_folded: bool, shows_phases: bool) -> Markup {
    let params = view.params;
    let [newer, older] = view.neighbors;
    let on = |is_on: bool| if is_on { "true" } else { "false" };
    html! {
        ul.options aria-label="Options of the waterfall" {
            li { a href=(params.link(path, &[("fold", if is_folded { "" } else { "1" })])) aria-current=(on(is_folded)) data-key="z" { "Fold idle stretches" } }
            li { a href=(params.link(path, &[("phases", if shows_phases { "0" } else { "1" })])) aria-current=(on(shows_phases)) { "Phases of calls" } }
            li { "Rows: " }
            @for (value, _, name) in MINIMUMS {
                li { a href=(params.link(path, &[("min", value), ("from", "")])) aria-current=(on(params.get("min") == value)) { (name) } }
            }
            @for (id, key, name) in [(newer, "]", "Newer of its flow"), (older, "[", "Older of its flow")] {
                @if let Some(id) = id { li { a href=(url::request(id, "")) data-key=(key) { (name) } } }
            }
        }
    }
}

/// Returns a box for a text that rows must contain, if there are many.
fn find_box(params: &Params, path: &str) -> Markup {
    let kept = params.iter().filter(|(name, _)| !["find", "from", "row"].contains(name));
    html! {
        form.inline action=(path) method="get" role="search" {
            label for="query" { "Rows with" }
            input #query type="search" name="find" value=(params.get("find")) spellcheck="false" autocomplete="off"
                placeholder="step, effect, result" aria-keyshortcuts="/";
            @for (name, value) in kept { input type="hidden" name=(name) value=(value); }
            button { "Find" }
        }
    }
}

fn pages(params: &Params, path: &str, shown: usize, first: usize, loaded: &LoadedTrace) -> Markup {
    let hidden = loaded.rows.len() - shown;
    let at = |from: usize| {
        params.link(path, &[("from", &if from == 0 { String::new() } else { from.to_string() })])
    };
    html! {
        @if hidden > 0 { p.secondary { (amount(hidden, "row", "rows")) " hidden" } }
        @if shown > PAGE {
            nav.pages aria-label="Parts of the waterfall" {
                @if first > 0 { a rel="prev" href=(at(first.saturating_sub(PAGE))) { "Previous" } }
                span { "rows " (first + 1) "–" ((first + PAGE).min(shown)) " of " (shown) }
                @if first + PAGE < shown { a rel="next" href=(at(first + PAGE)) { "Next" } }
            }
        }
    }
}
