//! Flows, one line each.

use zerver_analysis::FlowSummary;
use zerver_analysis::display::rate;
use zerver_trace::duration;
use zerver_trace::text::clean;

use super::style;
use super::table::{Column, Table};

/// Heights of the bars of a history, from empty to full.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Smallest change that is painted as a regression, relative to the earlier median.
const NOTABLE_CHANGE: f64 = 0.1;

/// Returns a table of flows. `is_compared` adds the change of the median.
pub(crate) fn table(flows: &[FlowSummary], is_compared: bool, columns: Option<usize>) -> String {
    use Column::{Left, Right, Shrinks};
    let mut titles = vec![
        Shrinks("flow"),
        Right("requests"),
        Right("5xx"),
        Right("4xx"),
        Right("rate"),
        Right("p50"),
        Right("p95"),
        Right("p99"),
        Right("share"),
    ];
    if is_compared {
        titles.push(Right("change"));
    }
    titles.push(Left("history"));
    let mut table = Table::new(&titles);
    table.optional("history", 16);
    table.optional("rate", 16);
    table.optional("p95", 12);
    for flow in flows {
        let name = if flow.flow.is_empty() { "(no flow)".into() } else { clean(&flow.flow) };
        let number = |count: u64, bad| {
            if count == 0 { (style::FAINT, "0".to_owned()) } else { (bad, count.to_string()) }
        };
        let time = |ns| (style::PLAIN, duration::show(ns));
        let rate = flow.rate_per_s.map_or_else(|| "-".to_owned(), rate);
        let mut cells = vec![
            (style::PLAIN, name.into_owned()),
            (style::PLAIN, flow.requests.to_string()),
            number(flow.errors, style::BAD),
            number(flow.client_errors, style::PLAIN),
            (style::FAINT, rate),
            time(flow.p50_ns),
            time(flow.p95_ns),
            time(flow.p99_ns),
            (style::PLAIN, format!("{:.1} %", flow.share * 100.0)),
        ];
        if is_compared {
            cells.push(match flow.change {
                Some(change) if change > NOTABLE_CHANGE => (style::BAD, format!("{:+.0} %", change * 100.0)),
                Some(change) => (style::PLAIN, format!("{:+.0} %", change * 100.0)),
                None => (style::FAINT, "new".to_owned()),
            });
        }
        cells.push((style::FAINT, bars(&flow.history)));
        table.row(cells);
    }
    table.draw(columns)
}

/// Draws a bar for each period, relative to the highest. A period with a request is never empty.
fn bars(history: &[u64]) -> String {
    let most = history.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| BARS[((count * 8).div_ceil(most) as usize).min(8)];
    history.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_analysis::{FlowOrder, summarize_flows};
    use zerver_testkit::sample;

    #[test]
    fn a_line_for_each_flow() {
        let (slow, failed) = (sample::slow().summary(), sample::failed().summary());
        let flows = summarize_flows(&[slow.clone(), failed], &[slow], FlowOrder::Share);
        insta::assert_snapshot!(anstream::adapter::strip_str(&table(&flows, true, Some(120))).to_string(), @r"
        flow        requests  5xx  4xx  rate     p50      p95      p99    share  change  history
        todos-item         2    0    1     -  900 µs  5.40 ms  5.40 ms  100.0 %   -83 %  █
        ");
    }

    #[test]
    fn a_period_with_requests_has_a_bar() {
        assert_eq!(bars(&[0, 1, 100, 50]), " ▁█▄");
    }
}
