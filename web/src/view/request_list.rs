//! The list of requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use maud::{Markup, html};
use zerver_analysis::{DurationBucket, duration_histogram, quantile};
use zerver_trace::duration::HumanDuration;
use zerver_trace::{RequestId, Summary, implies_outcome, is_client_error};

use super::query_box::{older_link, query_box, unreadable_notice};
use crate::page::{age, amount, duration, request_id, safe, status, table_empty, title_of};
use crate::selection::TypedQuery;
use crate::url::{self, Params};

/// Factor of the median from which a request is called slow.
const SLOW: u64 = 10;

/// Order of the list. Equal requests stay in the order in which they started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListOrder {
    Started,
    Took,
    Status,
    Flow,
}

impl ListOrder {
    const ALL: [Self; 4] = [Self::Started, Self::Took, Self::Status, Self::Flow];

    pub(crate) fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|order| order.as_str() == text).unwrap_or(Self::Started)
    }

    /// Returns the name in URLs; that of the default is empty.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "",
            Self::Took => "took",
            Self::Status => "status",
            Self::Flow => "flow",
        }
    }

    fn next(self) -> Self {
        let at = Self::ALL.iter().position(|order| *order == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

/// Numbers about the selected requests.
#[derive(Debug, Default)]
pub(crate) struct SelectionFacts {
    pub(crate) failed: usize,
    pub(crate) client_errors: usize,
    pub(crate) p50_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) durations: Vec<DurationBucket>,
    /// Starts of the first and the last request.
    pub(crate) span_unix_ns: Option<(u64, u64)>,
}

impl SelectionFacts {
    pub(crate) fn of(requests: &[Arc<Summary>]) -> Self {
        let mut durations: Vec<_> = requests.iter().map(|request| request.duration_ns).collect();
        durations.sort_unstable();
        let started = || requests.iter().map(|request| request.started_unix_ns);
        Self {
            failed: requests.iter().filter(|request| request.is_error()).count(),
            client_errors: requests.iter().filter(|request| is_client_error(request.status)).count(),
            p50_ns: quantile(&durations, 50),
            p99_ns: quantile(&durations, 99),
            durations: duration_histogram(durations),
            span_unix_ns: started().min().zip(started().max()),
        }
    }
}

/// State of the list.
#[derive(Debug)]
pub(crate) struct RequestListView<'a> {
    pub(crate) params: &'a Params,
    pub(crate) typed: &'a TypedQuery,
    pub(crate) page: &'a [Arc<Summary>],
    /// Names of the nodes that recorded the requests of the page. Empty without a fleet.
    pub(crate) nodes: &'a BTreeMap<RequestId, String>,
    /// Number of digits that distinguish the ids of the page.
    pub(crate) digits: usize,
    /// Number of selected requests.
    pub(crate) total: usize,
    /// Position of the page in the selection, and maximum length of a page.
    pub(crate) from: usize,
    pub(crate) page_len: usize,
    pub(crate) order: ListOrder,
    pub(crate) is_reversed: bool,
    pub(crate) facts: &'a SelectionFacts,
    /// Median duration of each flow, over the selection.
    pub(crate) medians: &'a BTreeMap<String, u64>,
    pub(crate) stopped_at_unix_ns: Option<u64>,
    pub(crate) unreadable: usize,
    pub(crate) now_unix_ns: u64,
}

pub(crate) fn view(list: &RequestListView<'_>) -> Markup {
    let events = url::link("/events", &[("q", &list.typed.text)]);
    let is_live = list.typed.error.is_none() && list.from == 0;
    html! {
        h1.visually-hidden { "Requests" }
        (query_box("/", list.typed, list.params))
        (unreadable_notice(list.unreadable))
        div #live data-events=[is_live.then_some(events)] {
            (facts(list))
            (histogram(list))
            @if list.page.is_empty() && list.typed.error.is_none() { (nothing(list)) }
            @if !list.page.is_empty() {
                table.requests {
                    caption.visually-hidden { "Recorded requests" }
                    thead { tr {
                        th scope="col" { "Id" }
                        (heading(list, ListOrder::Started, "Age"))
                        @if !list.nodes.is_empty() { th scope="col" { "Node" } }
                        th scope="col" { "Request" }
                        (heading(list, ListOrder::Status, "Status"))
                        (heading(list, ListOrder::Took, "Took"))
                        th scope="col" { span.visually-hidden { "Duration as a bar, on a logarithmic scale" } }
                        (heading(list, ListOrder::Flow, "Flow"))
                        th scope="col" { "Remark" }
                    } }
                    tbody { @for request in list.page { (row(list, request)) } }
                }
            }
            (pages(list))
            (older_link("/", list.params, list.typed, list.stopped_at_unix_ns))
        }
    }
}

/// Returns the line above the list: it describes the selection, and names the time that it spans.
fn facts(list: &RequestListView<'_>) -> Markup {
    let facts = list.facts;
    html! {
        p.facts {
            strong { (amount(list.total, "request", "requests")) }
            @if let Some((first, last)) = facts.span_unix_ns {
                span { "from " (age(list.now_unix_ns, first)) " to " (age(list.now_unix_ns, last)) " ago" }
                span { "p50 " b { (duration(facts.p50_ns)) } }
                span { "p99 " b { (duration(facts.p99_ns)) } }
                span class=[(facts.failed > 0).then_some("bad")] { (facts.failed) " failed" }
                span { (facts.client_errors) " client errors" }
            }
            button #live-button.quiet type="button" hidden aria-pressed="true" aria-keyshortcuts="f" { "Live" }
            button #compare-mark.quiet type="button" hidden {}
        }
    }
}

/// Returns the number of requests by duration: bars, and a table with links.
fn histogram(list: &RequestListView<'_>) -> Markup {
    let buckets = &list.facts.durations;
    let most = buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0).max(1);
    let query = &list.typed.text;
    let own = if query.contains(" or ") { format!("({query})") } else { query.clone() };
    let part = |bucket: &DurationBucket| {
        let (from, to) = (HumanDuration { ns: bucket.from_ns }, HumanDuration { ns: bucket.to_ns });
        list.params.link("/", &[("q", format!("{own} took>={from} took<{to}").trim()), ("from", "")])
    };
    html! {
        @if buckets.len() > 1 {
            details.histogram {
                summary { "Durations" }
                table.numbers {
                    caption.visually-hidden { "Requests by duration" }
                    thead { tr { th scope="col" { "From" } th.number scope="col" { "Requests" } th.bar-cell scope="col" { span.visually-hidden { "As a bar" } } } }
                    tbody { @for bucket in buckets { tr {
                        th scope="row" {
                            @if bucket.count > 0 { a href=(part(bucket)) { (duration(bucket.from_ns)) } } @else { (duration(bucket.from_ns)) }
                        }
                        td.number { (bucket.count) }
                        td.bar-cell { svg.bar aria-hidden="true" {
                            rect.took x="0" y="3" height="10" width=(format!("{:.1}%", bucket.count as f64 / most as f64 * 100.0)) {}
                        } }
                    } } }
                }
            }
        }
    }
}

fn nothing(list: &RequestListView<'_>) -> Markup {
    if list.typed.text.is_empty() {
        return table_empty("No requests yet. Send the service a request, and it appears here.");
    }
    html! {
        (table_empty("No matches."))
        p { a href=(list.params.link("/", &[("q", ""), ("from", "")])) { "Clear the query" } }
    }
}

fn heading(list: &RequestListView<'_>, order: ListOrder, name: &str) -> Markup {
    let is_current = list.order == order;
    // A list begins with the largest values; flows are names, and ages grow while starts fall.
    let falls = matches!(order, ListOrder::Took | ListOrder::Status) != list.is_reversed;
    let sorted = if falls { "descending" } else { "ascending" };
    let reverse = if is_current && !list.is_reversed { "1" } else { "" };
    let link = list.params.link("/", &[("sort", order.as_str()), ("reverse", reverse), ("from", "")]);
    let is_number = matches!(order, ListOrder::Took | ListOrder::Started);
    html! {
        th scope="col" class=[is_number.then_some("number")] aria-sort=[is_current.then_some(sorted)] {
            a href=(link) data-key=[(list.order.next() == order).then_some("s")] { (name) }
        }
    }
}

fn row(list: &RequestListView<'_>, request: &Summary) -> Markup {
    let share = logarithmic_share(list.page, request.duration_ns);
    let remark = remark(request, list.medians.get(&request.flow).copied());
    html! {
        tr data-row=(request.id) data-failed[request.is_error()] {
            td { (request_id(request.id, list.digits)) }
            td.number { (age(list.now_unix_ns, request.started_unix_ns)) }
            @if !list.nodes.is_empty() {
                td { (list.nodes.get(&request.id).map_or(std::borrow::Cow::Borrowed("–"), |node| safe(node))) }
            }
            td.title { a.open href=(url::request(request.id, "")) { (title_of(request)) } }
            td { (status(request.status)) }
            td.number { (duration(request.duration_ns)) }
            td.bar-cell {
                svg.bar aria-hidden="true" { rect.took x="0" y="3" height="8" width=(format!("{share:.2}%")) {} }
            }
            td {
                @if request.flow.is_empty() { span.secondary { "no flow" } }
                @else { a href=(url::link("/", &[("q", &term("flow", &request.flow))])) { (safe(&request.flow)) } }
            }
            td class={ "remark " (if request.is_error() { "bad" } else { "warn" }) } { (remark) }
        }
    }
}

/// Returns the length of a duration's bar in percent: that of the longest is 100. The scale is logarithmic, so that one
/// slow request does not hide the differences of all others.
fn logarithmic_share(page: &[Arc<Summary>], duration_ns: u64) -> f64 {
    let durations = || page.iter().map(|request| request.duration_ns.max(1));
    let (shortest, longest) = (durations().min().unwrap_or(1) as f64, durations().max().unwrap_or(1) as f64);
    // Half of a power of ten below the shortest, which gets a bar as well.
    let zero = shortest.log10() - 0.5;
    ((duration_ns.max(1) as f64).log10() - zero) / (longest.log10() - zero) * 100.0
}

/// Returns what is unusual about a request: its outcome, or its duration.
fn remark(request: &Summary, median_ns: Option<u64>) -> String {
    if !implies_outcome(request.status, &request.outcome) {
        return safe(&request.outcome.replace('_', " ")).into_owned();
    }
    let times = median_ns.filter(|median| *median > 0).map_or(0, |median| request.duration_ns / median);
    if times >= SLOW { format!("{times} × the median") } else { String::new() }
}

/// Returns a term of a query, with its value in quotes if it needs them.
pub(crate) fn term(field: &str, value: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./@*".contains(c);
    if value.chars().all(is_plain) && !value.is_empty() {
        return format!("{field}={value}");
    }
    format!("{field}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

fn pages(list: &RequestListView<'_>) -> Markup {
    let (from, to) = (list.from, list.from + list.page.len());
    let at = |from: usize| {
        list.params.link("/", &[("from", &if from == 0 { String::new() } else { from.to_string() })])
    };
    html! {
        @if list.total > list.page.len() {
            nav.pages aria-label="Parts of the list" {
                @if from > 0 { a rel="prev" href=(at(from.saturating_sub(list.page_len))) { "Previous" } }
                span { (from + 1) "–" (to) " of " (list.total) }
                @if to < list.total { a rel="next" href=(at(to)) { "Next" } }
            }
        }
    }
}
