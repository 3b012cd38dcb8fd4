//! The list of requests.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::Markup;
use zerver_analysis::quantile;

use super::page_error::PageError;
use super::state::WebState;
use crate::page::Tab;
use crate::selection::{Selected, TypedQuery, select};
use crate::url::Params;
use crate::view::request_list::{ListOrder, RequestListView, SelectionFacts, view};

/// Number of requests on a page.
const PAGE: usize = 100;
/// Minimum number of digits of an id.
const MIN_DIGITS: usize = 12;

pub(super) fn list(state: &WebState, params: &Params) -> Result<Markup, PageError> {
    let typed = TypedQuery::parse(params.get("q"), &*state.services);
    let Selected { mut requests, stopped_at_unix_ns, unreadable } =
        select(&state.window, &*state.source, &typed, usize::MAX)?;
    let facts = SelectionFacts::of(&requests);
    let order = ListOrder::parse(params.get("sort"));
    match order {
        ListOrder::Started => {}
        ListOrder::Took => requests.sort_by_key(|request| Reverse(request.duration_ns)),
        ListOrder::Status => requests.sort_by_key(|request| Reverse(request.status)),
        ListOrder::Flow => requests.sort_by(|a, b| a.flow.cmp(&b.flow)),
    }
    let is_reversed = params.is_on("reverse");
    if is_reversed {
        requests.reverse();
    }
    let mut durations: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for request in &requests {
        durations.entry(&request.flow).or_default().push(request.duration_ns);
    }
    let medians: BTreeMap<String, u64> = durations
        .into_iter()
        .map(|(flow, mut durations)| {
            durations.sort_unstable();
            (flow.to_owned(), quantile(&durations, 50))
        })
        .collect();
    let from = params.number("from").unwrap_or(0).min(requests.len().saturating_sub(1)) / PAGE * PAGE;
    let page: Vec<_> = requests.iter().skip(from).take(PAGE).cloned().collect();
    let mut ids: Vec<_> = page.iter().map(|request| request.id).collect();
    let nodes = state.source.nodes(&ids).into_iter().collect();
    ids.sort_unstable();
    let shared = ids.windows(2).map(|pair| pair[0].shared_digits(pair[1])).max().unwrap_or(0);
    let content = view(&RequestListView {
        params,
        typed: &typed,
        digits: (shared + 1).clamp(MIN_DIGITS, 32),
        total: requests.len(),
        page: &page,
        nodes: &nodes,
        from,
        page_len: PAGE,
        order,
        is_reversed,
        facts: &facts,
        medians: &medians,
        stopped_at_unix_ns,
        unreadable,
        now_unix_ns: state.now_unix_ns(),
    });
    Ok(state.frame(Tab::Requests, "Requests").with_query(&typed.text).around(&content))
}
