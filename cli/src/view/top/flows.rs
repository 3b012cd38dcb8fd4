//! Flows of a running service in live metrics: rates, and percentiles of their latencies.

use zerver_replay::{FlowMetrics, LatencyBucket, ServiceMetrics};
use zerver_trace::duration::show;
use zerver_trace::text::clean;

use super::rate;
use crate::args::TopOrder;
use crate::view::style;
use crate::view::table::{Column, Table};

/// Requests of a flow between two measurements.
struct FlowRow<'m> {
    flow: &'m str,
    requests: u64,
    time_ns: u64,
    /// Percentiles 50, 95 and 99.
    percentiles: [LatencyBound; 3],
}

/// A percentile, as well as the buckets tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LatencyBound {
    None,
    About(u64),
    Above(u64),
}

/// Returns the flows that had requests, in this order; empty if none had.
pub(super) fn flows(
    now: &ServiceMetrics,
    before: &ServiceMetrics,
    span_ns: u64,
    order: TopOrder,
    columns: Option<usize>,
) -> String {
    let mut table = Table::new(&[
        Column::Shrinks("flow"),
        Column::Right("requests/s"),
        Column::Right("p50"),
        Column::Right("p95"),
        Column::Right("p99"),
        Column::Right("share"),
    ]);
    let none = FlowMetrics::default();
    let was = |flow: &FlowMetrics| before.flows.iter().find(|was| was.flow == flow.flow).unwrap_or(&none);
    let mut rows: Vec<FlowRow<'_>> =
        now.flows.iter().map(|flow| row(flow, was(flow))).filter(|row| row.requests > 0).collect();
    if rows.is_empty() {
        return String::new();
    }
    rows.sort_by(|a, b| {
        let by_time = || b.time_ns.cmp(&a.time_ns);
        match order {
            TopOrder::Time => by_time(),
            TopOrder::Rate => b.requests.cmp(&a.requests).then_with(by_time),
            TopOrder::Slowest => b.percentiles[2].cmp(&a.percentiles[2]).then_with(by_time),
            TopOrder::Name => a.flow.cmp(b.flow),
        }
    });
    let whole_ns: u64 = rows.iter().map(|row| row.time_ns).sum();
    for row in rows {
        let mut cells =
            vec![(style::STRONG, clean(row.flow).into_owned()), (style::PLAIN, rate(row.requests, span_ns))];
        cells.extend(row.percentiles.map(|bound| match bound {
            LatencyBound::None => (style::PLAIN, "-".to_owned()),
            LatencyBound::About(ns) => (style::PLAIN, show(ns)),
            LatencyBound::Above(ns) => (style::WARN, format!("> {}", show(ns))),
        }));
        let percent = row.time_ns as f64 / whole_ns.max(1) as f64 * 100.0;
        cells.push((style::PLAIN, format!("{percent:.0}%")));
        table.row(cells);
    }
    table.draw(columns)
}

fn row<'m>(now: &'m FlowMetrics, before: &FlowMetrics) -> FlowRow<'m> {
    let counts: Vec<(Option<u64>, u64)> = now
        .buckets
        .iter()
        .map(|bucket| {
            let same = |was: &&LatencyBucket| was.bound_ns == bucket.bound_ns;
            let was = before.buckets.iter().find(same).map_or(0, |was| was.count);
            (bucket.bound_ns, bucket.count.saturating_sub(was))
        })
        .collect();
    FlowRow {
        flow: &now.flow,
        requests: counts.iter().map(|(_, count)| count).sum(),
        time_ns: now.sum_ns.saturating_sub(before.sum_ns),
        percentiles: [50, 95, 99].map(|percent| percentile(&counts, percent)),
    }
}

/// Returns a percentile of buckets with upper bounds and counts. Latencies are assumed to be evenly spread within a bucket.
fn percentile(buckets: &[(Option<u64>, u64)], percent: u64) -> LatencyBound {
    let all: u64 = buckets.iter().map(|(_, count)| count).sum();
    let wanted = (all * percent).div_ceil(100).max(1);
    let (mut before, mut lower_ns) = (0, 0);
    for &(bound_ns, count) in buckets {
        if before + count >= wanted {
            return match bound_ns {
                Some(bound_ns) => {
                    let width = u128::from(bound_ns.saturating_sub(lower_ns));
                    let inside = width * u128::from(wanted - before) / u128::from(count);
                    LatencyBound::About(lower_ns + inside as u64)
                }
                None => LatencyBound::Above(lower_ns),
            };
        }
        before += count;
        lower_ns = bound_ns.unwrap_or(lower_ns);
    }
    LatencyBound::None
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    const BOUNDS: [Option<u64>; 4] = [Some(1_000_000), Some(2_000_000), Some(10_000_000), None];

    fn flow(name: &str, sum_ns: u64, counts: [u64; 4]) -> FlowMetrics {
        let bucket = |(bound_ns, count)| LatencyBucket { bound_ns, count, exemplar: None };
        FlowMetrics {
            flow: name.to_owned(),
            sum_ns,
            buckets: BOUNDS.into_iter().zip(counts).map(bucket).collect(),
        }
    }

    fn service(flows: Vec<FlowMetrics>) -> ServiceMetrics {
        ServiceMetrics { flows, ..ServiceMetrics::default() }
    }

    #[test]
    fn percentiles_are_those_between_two_measurements() {
        let before = service(vec![flow("report", 900_000_000, [0, 0, 0, 7]), flow("idle", 5, [1, 0, 0, 0])]);
        let now = service(vec![
            flow("report", 1_000_000_000, [50, 40, 8, 9]),
            flow("idle", 5, [1, 0, 0, 0]),
            flow("todos\u{1b}[2J", 40_000_000, [200, 0, 0, 0]),
        ]);
        let shown = |order| strip_str(&flows(&now, &before, 2_000_000_000, order, None)).to_string();
        insta::assert_snapshot!(shown(TopOrder::Time), @r"
        flow            requests/s      p50      p95        p99  share
        report                  50  1.00 ms  7.00 ms  > 10.0 ms    71%
        todos\u{1b}[2J         100   500 µs   950 µs     990 µs    29%
        ");
        let first = |order| shown(order).lines().nth(1).unwrap_or_default().to_owned();
        assert!(first(TopOrder::Rate).starts_with("todos") && first(TopOrder::Slowest).starts_with("report"));
        assert!(first(TopOrder::Name).starts_with("report"));
        assert_eq!(flows(&before, &before, 1, TopOrder::Time, None), "");
    }

    #[test]
    fn a_percentile_lies_in_its_bucket() {
        let buckets = [(Some(10), 1), (Some(20), 0), (Some(30), 3), (None, 1)];
        for (percent, wanted) in [
            (1, LatencyBound::About(10)),
            (50, LatencyBound::About(26)),
            (80, LatencyBound::About(30)),
            (99, LatencyBound::Above(30)),
        ] {
            assert_eq!(percentile(&buckets, percent), wanted, "{percent}");
        }
        assert_eq!(percentile(&[], 50), LatencyBound::None);
        assert_eq!(percentile(&[(Some(1), 0)], 50), LatencyBound::None);
    }
}
