//! Rank of a request among others of its flow, as text.

use zerver_analysis::{Association, Correlation, InjectedFault, MIN_POPULATION, QueueHolders, TimePart, Why};
use zerver_trace::Trace;
use zerver_trace::text::clean;

use super::diff::{fold_lines, title};
use super::layout::{Layout, field};
use super::table::{Column, Table};
use super::timeline::queue_holders;
use super::{count, fit, paint, style};
use zerver_trace::duration;

/// Maximum number of parts to show unless the output is verbose.
const MAX_PARTS: usize = 12;
/// Maximum width of a value in a list of groups, in columns.
const MAX_VALUE: usize = 24;

/// Returns the whole document.
pub(crate) fn why(trace: &Trace, why: &Why, queue: Option<&QueueHolders>, layout: Layout) -> String {
    let mut out = title(None, trace, layout);
    let room = layout.line_width();
    let lines = fold_lines(&why.rank(), room);
    out += &field("rank", &lines.iter().map(|line| paint(style::STRONG, line)).collect::<Vec<_>>());
    if why.population > 1 {
        out += &parts(why, layout);
    }
    out += &queue_holders("queue", queue, layout);
    if let Some(late) = &why.completion_delay {
        let text = format!("{}: {}", duration::show(late.delay_ns), clean(&late.reason()));
        out += &field("late", &fold_lines(&text, room));
    }
    if !why.injected_faults.is_empty() {
        let words = |(effect, fault): &(String, InjectedFault)| {
            fold_lines(&format!("{}: injected by chaos rule {}", clean(effect), clean(&fault.rule)), room)
        };
        out += &field("chaos", &why.injected_faults.iter().flat_map(words).collect::<Vec<_>>());
    }
    let n = count(why.population as u64, "request", "requests");
    if !why.is_enough() {
        let text =
            format!("too few requests of this flow for correlations: {} of {MIN_POPULATION}", why.population);
        return out + &field("fields", &fold_lines(&text, room));
    }
    let looked_at = count(why.fields_examined as u64, "field", "fields");
    if why.associations.is_empty() {
        let text = format!("no field correlates with latency ({looked_at}, {n})");
        return out + &field("fields", &fold_lines(&text, room));
    }
    let mut lines = fold_lines(&format!("that correlate with latency, of {looked_at} in {n}"), room);
    for line in &mut lines {
        *line = paint(style::FAINT, line);
    }
    lines.extend(why.associations.iter().flat_map(|finding| self::finding(finding, room)));
    out + &field("fields", &lines)
}

fn parts(why: &Why, layout: Layout) -> String {
    let mut table = Table::new(&[
        Column::Right("here"),
        Column::Right("median"),
        Column::Right("slower than"),
        Column::Shrinks("part"),
    ]);
    let limit = if layout.is_verbose { usize::MAX } else { MAX_PARTS };
    for part in why.parts.iter().take(limit) {
        let is_slow = part.time_ns > part.median_ns && part.percentile().is_some_and(|percent| percent >= 90);
        table.row(vec![
            (if is_slow { style::BAD } else { style::PLAIN }, duration::show(part.time_ns)),
            (style::PLAIN, duration::show(part.median_ns)),
            (style::PLAIN, part.share()),
            (style::PLAIN, clean(&name(&part.part)).into_owned()),
        ]);
    }
    let mut out = table.draw(Some(layout.columns));
    if why.parts.len() > limit {
        let left = count((why.parts.len() - limit) as u64, "part", "parts");
        out += &format!("{}\n", paint(style::FAINT, &format!("{left} left out; -v shows all")));
    }
    out
}

/// Returns the name of a part; parts that count in another one are indented below it.
fn name(part: &TimePart) -> String {
    let indent = if matches!(part, TimePart::Phase { .. } | TimePart::PolicyWait { .. }) { "  " } else { "" };
    format!("{indent}{part}")
}

fn finding(finding: &Association, room: usize) -> Vec<String> {
    let value = |value: Option<&str>| match value {
        Some(value) => fit(&clean(value), MAX_VALUE),
        None => "absent".to_owned(),
    };
    let here = value(finding.value.as_deref());
    let mut lines = vec![format!(
        "{}  {here} here",
        paint(style::NOTED, &fit(&clean(&finding.field), room.saturating_sub(MAX_VALUE + 7)))
    )];
    match &finding.correlation {
        Correlation::Rank(correlation) => {
            let way = if *correlation > 0.0 { "more is slower" } else { "more is faster" };
            lines.push(format!("  {way}: rank correlation {correlation:.2}, n {}", finding.requests));
        }
        Correlation::Groups(groups) => {
            for group in groups {
                let (value, median) = (value(group.value.as_deref()), duration::show(group.median_ns));
                lines.push(format!("  {value}: median {median}, n {}", group.requests));
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use proptest::prelude::*;
    use zerver_trace::RequestId;
    use zerver_trace::text::is_dangerous;

    use super::*;
    use crate::view::width;
    use zerver_testkit::hostile::any_trace;
    use zerver_testkit::sample;

    fn show(all: &[Trace], columns: usize) -> String {
        let of = Why::of(&all[0], all);
        let text = why(&all[0], &of, None, Layout { columns, folds: true, digits: 8, is_verbose: false });
        let text = strip_str(&text).to_string();
        let widest = text.lines().map(width).max().unwrap_or(0);
        assert!(widest <= columns, "{widest} of {columns} columns:\n{text}");
        text
    }

    fn reports(latencies: impl IntoIterator<Item = u64>) -> Vec<Trace> {
        let numbered = |(at, latency_ms): (usize, u64)| {
            let mut trace = sample::report(latency_ms);
            trace.id = RequestId::from_u128((0x019a_a4c2 + at as u128) << 96);
            trace
        };
        latencies.into_iter().enumerate().map(numbered).collect()
    }

    #[test]
    fn a_number_that_correlates_with_latency() {
        insta::assert_snapshot!(show(&reports((0..40).rev()), 80), @r"
        019aa4c2  GET /reports/todos?latency_ms=39  200 OK  39.4 ms  report
        rank     slower than 100% of 39 others of its flow; the median is 19.4 ms
           here   median  slower than  part
        39.4 ms  19.4 ms         100%  http GET figures.internal/figures?.. (gather)
        10.0 µs  10.0 µs           0%  receiving
        2.00 µs  2.00 µs           0%  queue before parse_report
        10.0 µs  10.0 µs           0%  CPU of gather
        8.00 µs  8.00 µs           0%  CPU of parse_report
        25.0 µs  25.0 µs           0%  CPU of render_report
        5.00 µs  5.00 µs           0%  unexplained
        fields   that correlate with latency, of 2 fields in 40 requests
                 query latency_ms  39 here
                   more is slower: rank correlation 1.00, n 40
                 ReportParams.latency_ms  39 here
                   more is slower: rank correlation 1.00, n 40
        ");
    }

    #[test]
    fn a_wait_for_a_rate_limit() {
        let all: Vec<_> = [1_200, 10, 11, 12].map(sample::rate_limited).into();
        insta::assert_snapshot!(show(&all, 80), @r"
        019aa972  GET /reports/todos?latency_ms=0  200 OK  1.20 s  report
        rank     slower than 3 of 3 others of its flow; the median is 11.4 ms
           here   median  slower than  part
         1.20 s  11.4 ms       3 of 3  http GET figures.internal/figures?.. (gather)
         1.20 s  11.0 ms       3 of 3    wait for the rate limit of figures.internal (g…
        10.0 µs  10.0 µs       0 of 3  receiving
        2.00 µs  2.00 µs       0 of 3  queue before parse_report
        10.0 µs  10.0 µs       0 of 3  CPU of gather
        8.00 µs  8.00 µs       0 of 3  CPU of parse_report
        25.0 µs  25.0 µs       0 of 3  CPU of render_report
        5.00 µs  5.00 µs       0 of 3  unexplained
        fields   too few requests of this flow for correlations: 4 of 20
        ");
    }

    #[test]
    fn a_value_that_correlates_with_latency() {
        insta::assert_snapshot!(show(&reports((0..40).map(|n| if n % 4 == 0 { 120 } else { 2 })), 120), @r"
        019aa4c2  GET /reports/todos?latency_ms=120  200 OK  120 ms  report
        rank     slower than 76% of 39 others of its flow; the median is 2.43 ms
           here   median  slower than  part
         120 ms  2.37 ms          76%  http GET figures.internal/figures?.. (gather)
        10.0 µs  10.0 µs           0%  receiving
        2.00 µs  2.00 µs           0%  queue before parse_report
        10.0 µs  10.0 µs           0%  CPU of gather
        8.00 µs  8.00 µs           0%  CPU of parse_report
        25.0 µs  25.0 µs           0%  CPU of render_report
        5.00 µs  5.00 µs           0%  unexplained
        fields   that correlate with latency, of 2 fields in 40 requests
                 query latency_ms  120 here
                   120: median 120 ms, n 10
                   2: median 2.43 ms, n 30
                 ReportParams.latency_ms  120 here
                   120: median 120 ms, n 10
                   2: median 2.43 ms, n 30
        ");
    }

    #[test]
    fn too_few_requests_are_reported() {
        insta::assert_snapshot!(show(&reports((0..7).rev()), 80), @r"
        019aa4c2  GET /reports/todos?latency_ms=6  200 OK  6.43 ms  report
        rank     slower than 6 of 6 others of its flow; the median is 3.43 ms
           here   median  slower than  part
        6.37 ms  3.37 ms       6 of 6  http GET figures.internal/figures?.. (gather)
        10.0 µs  10.0 µs       0 of 6  receiving
        2.00 µs  2.00 µs       0 of 6  queue before parse_report
        10.0 µs  10.0 µs       0 of 6  CPU of gather
        8.00 µs  8.00 µs       0 of 6  CPU of parse_report
        25.0 µs  25.0 µs       0 of 6  CPU of render_report
        5.00 µs  5.00 µs       0 of 6  unexplained
        fields   too few requests of this flow for correlations: 7 of 20
        ");
        insta::assert_snapshot!(show(&reports([7]), 80), @r"
        019aa4c2  GET /reports/todos?latency_ms=7  200 OK  7.43 ms  report
        rank     no other request of its flow
        fields   too few requests of this flow for correlations: 1 of 20
        ");
    }

    #[test]
    fn without_correlation_no_field_is_listed() {
        let text = show(&reports([5; 30]), 80);
        assert!(text.contains("no field correlates with latency"), "{text}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_population_can_be_shown(all in prop::collection::vec(any_trace(), 1..25), columns in 0..150usize) {
            let mut all = all;
            for (at, trace) in all.iter_mut().enumerate() {
                trace.id = RequestId::from_u128(at as u128);
            }
            let of = Why::of(&all[0], &all);
            let text = why(&all[0], &of, None, Layout { columns, folds: true, digits: 8, is_verbose: true });
            let text = strip_str(&text).to_string();
            prop_assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}
