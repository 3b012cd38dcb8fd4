//! Pages that compare requests: the diff of two, the heat map of many, and the SQL statements.

use maud::Markup;
use zerver_analysis::{Diff, IgnoredHeaders};

use super::page_error::PageError;
use super::state::WebState;
use crate::page::Tab;
use crate::selection::{TypedQuery, select, traces};
use crate::url::Params;
use crate::view::diff::{DiffView, diff_page};
use crate::view::heat_map::{HeatMap, HeatMapView, heat_map_page};
use crate::view::sql::{SqlView, StatementTable, sql_page};

/// Number of requests whose traces are read for the statements; the newest are used.
const MEASURED: usize = 1_000;

pub(super) fn diff(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let sides = [params.get("a"), params.get("b")].map(str::trim);
    if sides.contains(&"") {
        return Err(PageError::bad_request("a comparison needs two requests: /diff?a=ID&b=ID"));
    }
    let (a, b) = (state.load(sides[0])?, state.load(sides[1])?);
    let diff = Diff::of(&a.trace, &b.trace, &IgnoredHeaders::default());
    let nodes = [a.node.as_deref(), b.node.as_deref()];
    let content = diff_page(&DiffView { a: &a.trace, b: &b.trace, diff: &diff, nodes, is_in_file: false });
    Ok(state.frame(Tab::Request, "Comparison").around(&content))
}

pub(super) fn heat_map(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    let selected = select(&state.window, &*state.source, &typed, usize::MAX)?;
    let content = heat_map_page(&HeatMapView {
        params,
        typed: &typed,
        map: HeatMap::of(&selected.requests).as_ref(),
        stopped_at_unix_ns: selected.stopped_at_unix_ns,
        unreadable: selected.unreadable,
    });
    Ok(state.frame(Tab::HeatMap, "Heat map").with_query(&typed.text).around(&content))
}

pub(super) fn sql(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    let selected = select(&state.window, &*state.source, &typed, MEASURED)?;
    let mut statements = StatementTable::default();
    let traces = traces(&*state.source, selected.requests.iter().map(|request| &**request))?;
    traces.iter().for_each(|trace| statements.add(trace));
    let content = sql_page(&SqlView {
        params,
        typed: &typed,
        statements: &statements,
        requests: traces.len(),
        stopped_at_unix_ns: selected.stopped_at_unix_ns,
        unreadable: selected.unreadable,
    });
    Ok(state.frame(Tab::Sql, "SQL").with_query(&typed.text).around(&content))
}
