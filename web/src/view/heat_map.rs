//! The heat map of many requests: time by duration, on a logarithmic scale. A part of it, chosen with the mouse or by a
//! link, opens as a list.

use std::sync::Arc;

use maud::{Markup, html};
use zerver_analysis::rfc3339;
use zerver_trace::Summary;
use zerver_trace::duration::HumanDuration;

use super::query_box::{older_link, query_box, unreadable_notice};
use crate::page::{amount, duration, instant, table_empty};
use crate::selection::TypedQuery;
use crate::url::{self, Params};

/// Number of periods and of bands of durations.
const PERIODS: usize = 48;
const MAX_BANDS: usize = 24;
/// Size of a cell, in units of the SVG, and room for the labels.
const CELL: (usize, usize) = (20, 14);
const LEFT: usize = 76;
const BOTTOM: usize = 20;
/// Number of degrees of darkness.
const DEGREES: usize = 5;
/// Bounds of durations within a power of ten.
const STEPS: [u64; 3] = [1, 2, 5];

/// Requests counted by time and duration.
#[derive(Debug)]
pub(crate) struct HeatMap {
    /// Bounds of the periods, one more than there are periods, in nanoseconds since the Unix epoch.
    times: Vec<u64>,
    /// Bounds of the bands, one more than there are bands, in nanoseconds, the shortest first.
    bounds: Vec<u64>,
    /// Requests and failures, by band and period.
    cells: Vec<Vec<(usize, usize)>>,
    requests: usize,
}

impl HeatMap {
    /// Counts requests; `None` if there are none.
    pub(crate) fn of(requests: &[Arc<Summary>]) -> Option<Self> {
        let started = || requests.iter().map(|request| request.started_unix_ns);
        let durations = || requests.iter().map(|request| request.duration_ns);
        let (first, last) = (started().min()?, started().max()?);
        let step = ((last - first) / PERIODS as u64 + 1).max(1);
        let times: Vec<_> = (0..=PERIODS as u64).map(|at| first.saturating_add(at * step)).collect();
        let bounds = bounds(durations().min()?, durations().max()?);
        let mut cells = vec![vec![(0, 0); PERIODS]; bounds.len() - 1];
        for request in requests {
            let band = bounds.partition_point(|bound| *bound <= request.duration_ns).saturating_sub(1);
            let period = ((request.started_unix_ns - first) / step) as usize;
            let cell = &mut cells[band.min(bounds.len() - 2)][period.min(PERIODS - 1)];
            cell.0 += 1;
            cell.1 += usize::from(request.is_error());
        }
        Some(Self { times, bounds, cells, requests: requests.len() })
    }

    /// Returns a query for a part of the map: bands and periods, the end of each excluded.
    fn query(&self, query: &str, bands: (usize, usize), periods: (usize, usize)) -> String {
        let took = |at: usize| HumanDuration { ns: self.bounds[at] }.to_string();
        let time = |at: usize| rfc3339(self.times[at]);
        let part = format!(
            "took>={} took<{} since:\"{}\" until:\"{}\"",
            took(bands.0),
            took(bands.1),
            time(periods.0),
            time(periods.1)
        );
        if query.contains(" or ") {
            format!("({query}) {part}")
        } else {
            format!("{query} {part}").trim().to_owned()
        }
    }
}

/// Returns the bounds of bands that hold all durations: 1, 2, 5, 10, and so on.
fn bounds(shortest: u64, longest: u64) -> Vec<u64> {
    let all = (0..20).flat_map(|power| STEPS.map(|step| 10_u64.pow(power).saturating_mul(step)));
    let mut bounds: Vec<u64> = [0].into_iter().chain(all).collect();
    bounds.dedup();
    let first = bounds.partition_point(|bound| *bound <= shortest).saturating_sub(1);
    let end = bounds.partition_point(|bound| *bound <= longest);
    let first = first.max((end + 1).saturating_sub(MAX_BANDS + 1));
    let mut bounds = bounds.get(first..=end.min(bounds.len() - 1)).unwrap_or_default().to_vec();
    // The shortest and the longest are in the map, whatever they are.
    if let Some(lowest) = bounds.first_mut() {
        *lowest = (*lowest).min(shortest);
    }
    if bounds.last().is_none_or(|last| *last <= longest) {
        bounds.push(longest.saturating_add(1));
    }
    if bounds.len() < 2 {
        bounds.insert(0, shortest);
    }
    bounds
}

/// State of the page.
#[derive(Debug)]
pub(crate) struct HeatMapView<'a> {
    pub(crate) params: &'a Params,
    pub(crate) typed: &'a TypedQuery,
    pub(crate) map: Option<&'a HeatMap>,
    pub(crate) stopped_at_unix_ns: Option<u64>,
    pub(crate) unreadable: usize,
}

pub(crate) fn heat_map_page(view: &HeatMapView<'_>) -> Markup {
    html! {
        h1 { "Heat map" }
        (query_box("/heat", view.typed, view.params))
        (unreadable_notice(view.unreadable))
        @match view.map {
            None => { @if view.typed.error.is_none() { (table_empty("No matching requests.")) } }
            Some(map) => {
                p.secondary {
                    (amount(map.requests, "request", "requests")) ": time to the right, duration upwards. "
                    "Click a cell, or drag over several, to list their requests."
                }
                div.scroll tabindex="0" role="group" aria-label="Heat map" { (drawing(map, &view.typed.text)) }
                (scale())
                div.columns { (bands(map, &view.typed.text)) (periods(map, &view.typed.text)) }
            }
        }
        (older_link("/heat", view.params, view.typed, view.stopped_at_unix_ns))
    }
}

fn drawing(map: &HeatMap, query: &str) -> Markup {
    let bands = map.cells.len();
    let (width, height) = (LEFT + PERIODS * CELL.0, bands * CELL.1);
    let most = map.cells.iter().flatten().map(|(count, _)| *count).max().unwrap_or(1).max(1);
    let y = |band: usize| (bands - 1 - band) * CELL.1;
    let joined = |texts: Vec<String>| texts.join(" ");
    html! {
        svg #heat.heat viewBox=(format!("0 0 {width} {}", height + BOTTOM)) width=(width) height=(height + BOTTOM) aria-hidden="true"
            data-query=(query) data-left=(LEFT) data-cell-width=(CELL.0) data-cell-height=(CELL.1)
            data-times=(joined(map.times.iter().map(|at| rfc3339(*at)).collect()))
            data-bounds=(joined(map.bounds.iter().map(|ns| HumanDuration { ns: *ns }.to_string()).collect())) {
            rect.ground x=(LEFT) y="0" width=(PERIODS * CELL.0) height=(height) {}
            @for (band, row) in map.cells.iter().enumerate() {
                text.label x=(LEFT - 6) y=(y(band) + 11) text-anchor="end" { (duration(map.bounds[band])) }
                @for (period, (count, failed)) in row.iter().enumerate().filter(|(_, (count, _))| *count > 0) {
                    @let x = LEFT + period * CELL.0;
                    // For the mouse: the tables below have links for the keyboard.
                    a href=(url::link("/", &[("q", &map.query(query, (band, band + 1), (period, period + 1)))])) tabindex="-1" {
                        rect class={ "d" (degree(*count, most)) } x=(x) y=(y(band)) width=(CELL.0 - 1) height=(CELL.1 - 1) {
                            title {
                                (amount(*count, "request", "requests")) @if *failed > 0 { ", " (failed) " failed" }
                                ": " (duration(map.bounds[band])) " to " (duration(map.bounds[band + 1]))
                            }
                        }
                        @if *failed > 0 { text.cross x=(x + CELL.0 / 2) y=(y(band) + 11) text-anchor="middle" { "✗" } }
                    }
                }
            }
            @for (period, anchor) in [(0, "start"), (PERIODS / 2, "middle"), (PERIODS, "end")] {
                text.label x=(LEFT + period * CELL.0) y=(height + 14) text-anchor=(anchor) { (instant(map.times[period])) }
            }
            rect #brush.brush x="0" y="0" width="0" height="0" {}
        }
    }
}

/// Returns the degree of darkness of a cell, on a logarithmic scale.
fn degree(count: usize, most: usize) -> usize {
    let part = (count as f64).ln_1p() / (most as f64).ln_1p();
    ((part * DEGREES as f64).ceil() as usize).clamp(1, DEGREES)
}

fn scale() -> Markup {
    html! {
        p.legend aria-hidden="true" {
            "few "
            @for degree in 1..=DEGREES { svg.sample { rect class={ "d" (degree) } x="0" y="1" width="100%" height="14" {} } }
            " many · ✗ some failed"
        }
    }
}

fn bands(map: &HeatMap, query: &str) -> Markup {
    html! {
        table.numbers {
            caption { "By duration" }
            thead { tr { th scope="col" { "From" } th scope="col" { "To" } th.number scope="col" { "Requests" } th.number scope="col" { "Failed" } } }
            tbody {
                @for (band, row) in map.cells.iter().enumerate().rev() {
                    @let (count, failed) = row.iter().fold((0, 0), |sum, cell| (sum.0 + cell.0, sum.1 + cell.1));
                    @if count > 0 { tr data-row=(band) {
                        th scope="row" {
                            a.open href=(url::link("/", &[("q", &map.query(query, (band, band + 1), (0, PERIODS))), ("sort", "took")])) {
                                (duration(map.bounds[band]))
                            }
                        }
                        td { (duration(map.bounds[band + 1])) }
                        td.number { (count) } td.number class=[(failed > 0).then_some("bad")] { (failed) }
                    } }
                }
            }
        }
    }
}

fn periods(map: &HeatMap, query: &str) -> Markup {
    let all = (0, map.cells.len());
    html! {
        table.numbers {
            caption { "By time" }
            thead { tr { th scope="col" { "From" } th.number scope="col" { "Requests" } th.number scope="col" { "Failed" } th.number scope="col" { "Longest" } } }
            tbody {
                @for period in 0..PERIODS {
                    @let (count, failed) = map.cells.iter().fold((0, 0), |sum, row| (sum.0 + row[period].0, sum.1 + row[period].1));
                    @let longest = map.cells.iter().rposition(|row| row[period].0 > 0);
                    @if let Some(longest) = longest { tr data-row=(format!("p{period}")) {
                        th scope="row" {
                            a.open href=(url::link("/", &[("q", &map.query(query, all, (period, period + 1))), ("sort", "took")])) {
                                (instant(map.times[period]))
                            }
                        }
                        td.number { (count) } td.number class=[(failed > 0).then_some("bad")] { (failed) }
                        td.number { "below " (duration(map.bounds[longest + 1])) }
                    } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use zerver_testkit::sample;

    fn requests(all: &[(u64, u64)]) -> Vec<Arc<Summary>> {
        let one = |(started_unix_ns, duration_ns): &(u64, u64)| {
            Arc::new(Summary {
                started_unix_ns: *started_unix_ns,
                duration_ns: *duration_ns,
                ..sample::slow().summary()
            })
        };
        all.iter().map(one).collect()
    }

    proptest! {
        #[test]
        fn every_request_is_in_the_cell_that_its_link_names(
            all in proptest::collection::vec((0..u64::MAX / 2, 0..u64::MAX), 1..40)
        ) {
            let requests = requests(&all);
            let map = HeatMap::of(&requests).unwrap();
            let counted: usize = map.cells.iter().flatten().map(|cell| cell.0).sum();
            prop_assert_eq!(counted, requests.len());
            for request in &requests {
                let band = map.bounds.windows(2).position(|of| of[0] <= request.duration_ns && request.duration_ns < of[1]);
                let is_longest = request.duration_ns == u64::MAX;
                prop_assert!(band.is_some_and(|band| map.cells[band].iter().any(|cell| cell.0 > 0)) || is_longest);
            }
        }
    }

    #[test]
    fn a_cell_becomes_a_query() {
        let map =
            HeatMap::of(&requests(&[(1_000_000_000, 3_000_000), (49_000_000_000, 40_000_000)])).unwrap();
        insta::assert_snapshot!(map.query("a or b", (0, 1), (0, 1)), @r#"(a or b) took>=2ms took<5ms since:"1970-01-01T00:00:01.000000000Z" until:"1970-01-01T00:00:02.000000001Z""#);
        assert!(HeatMap::of(&[]).is_none());
        assert_eq!((degree(1, 1000), degree(1000, 1000)), (1, DEGREES));
    }
}
