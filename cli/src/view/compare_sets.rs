//! Two sets of requests compared, as text: for each flow, whether it became faster, and what has changed.

use anstyle::Style;
use zerver_analysis::{
    ChangeMeasure, ChangeSubject, FlowComparison, SetChange, SetComparison, SetPeriod, Utc,
};
use zerver_trace::text::clean;
use zerver_trace::{RequestId, duration};

use super::bar::bar;
use super::layout::{Layout, field};
use super::table::{Column, Table};
use super::{count, fit, fold, paint, style};

/// Maximum number of changes of a flow to show unless the output is verbose.
const MAX_CHANGES: usize = 12;
/// Width of the bars, in columns.
const BAR_WIDTH: usize = 8;
/// Maximum width of a recorded name in a sentence, in columns.
const MAX_NAME: usize = 48;
/// Variance inflation from which the dependence of requests is mentioned.
const NOTABLE_INFLATION: f64 = 2.0;

/// The queries of two sets, as the user wrote them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SetNames<'n> {
    pub(crate) a: &'n str,
    pub(crate) b: &'n str,
}

/// Returns the whole document. `short` shortens an id.
pub(crate) fn compare_sets(
    comparison: &SetComparison,
    names: SetNames<'_>,
    short: &dyn Fn(RequestId) -> String,
    layout: Layout,
) -> String {
    let mut out = String::new();
    for flow in &comparison.flows {
        out += &answer(flow, layout);
    }
    for flow in &comparison.unmatched {
        let (n, set) = if flow.requests_a > 0 { (flow.requests_a, "a") } else { (flow.requests_b, "b") };
        let text = format!("only in {set}, {}", requests(n));
        out += &format!("{}: {}\n", flow_name(flow), paint(style::FAINT, &text));
    }
    out += &field("a", &period(names.a, &comparison.a, layout));
    out += &field("b", &period(names.b, &comparison.b, layout));
    if comparison.shared > 0 {
        let text = format!(
            "{} in both sets: counted in the smaller one only",
            count(comparison.shared as u64, "request is", "requests are")
        );
        out += &field("shared", &lines(&text, style::WARN, layout));
    }
    for flow in &comparison.flows {
        out += &details(flow, comparison.flows.len() > 1, short, layout);
    }
    let changed: usize =
        comparison.flows.iter().map(|flow| flow.all_rows().filter(|row| row.is_found()).count()).sum();
    let tests = count(comparison.tests as u64, "test", "tests");
    let changes = count(changed as u64, "change", "changes");
    let text = if comparison.tests == 0 {
        "no flow has enough requests in both sets for a test".to_owned()
    } else {
        format!(
            "{changes} found in {tests}; of the changes that such comparisons find, 1 % are expected to be chance. \
             Whatever else differs between the sets may be the cause"
        )
    };
    out + &field("tests", &lines(&text, style::FAINT, layout))
}

/// Returns the answer to whether a flow became faster, on one line if it fits.
fn answer(flow: &FlowComparison, layout: Layout) -> String {
    let Some(took) = &flow.took else { return String::new() };
    let sizes = format!("{} against {}", flow.requests_a, requests(flow.requests_b));
    let name = match took.percentile {
        None | Some(50) => "median".to_owned(),
        Some(percentile) => format!("the same median, p{percentile}"),
    };
    let values = format!("{name} {} -> {}", time(took.a), time(took.b));
    let (prefix, painted) = match (took.test.is_some(), took.is_found()) {
        (false, _) => ("too few requests for a test: ", style::WARN),
        (true, false) => ("no change found: ", style::PLAIN),
        (true, true) if took.difference() < 0.0 => ("", style::GOOD),
        (true, true) => ("", style::BAD),
    };
    let size = if took.is_found() {
        format!(", {} {}", time(took.difference().abs()), direction(took.difference()))
    } else {
        String::new()
    };
    let interval = match took.interval {
        Some(interval) => format!(" (95 % interval {})", interval_of(interval)),
        None if took.is_found() && took.percentile == Some(50) => {
            " (too few requests for an interval)".to_owned()
        }
        None => String::new(),
    };
    let text = format!("{prefix}{values}{size}{interval}, {sizes}");
    let folded = fold_at(&format!("{}: {text}", flow_name(flow)), layout);
    let paint_line = |line: &String| format!("{}\n", paint(painted.bold(), line));
    folded.iter().map(paint_line).collect()
}

/// Returns what has changed within a flow, and the requests to look at.
fn details(
    flow: &FlowComparison,
    is_named: bool,
    short: &dyn Fn(RequestId) -> String,
    layout: Layout,
) -> String {
    let mut out = String::new();
    if is_named {
        out += &format!("\n{}\n", paint(style::STRONG, &flow_name(flow)));
    }
    let is_field = |row: &&SetChange| matches!(row.subject, ChangeSubject::Field(_));
    let (fields, changes): (Vec<_>, Vec<_>) = flow.changes().partition(is_field);
    if !changes.is_empty() {
        out += &table(&changes, "what changed", layout);
    } else if flow.is_tested() {
        out += &field(
            "parts",
            &lines("no change of a step, an effect or the failures found", style::FAINT, layout),
        );
    }
    if !fields.is_empty() {
        out += &field("requests", &lines("they differ, too, which may be the cause:", style::WARN, layout));
        out += &table(&fields, "field", layout);
    }
    let notes = notes(flow);
    if !notes.is_empty() {
        out += &field("note", &lines(&notes.join("; "), style::FAINT, layout));
    }
    if let (Some(a), Some(b)) = (flow.example_a, flow.example_b) {
        let (a, b) = (short(a), short(b));
        let ids =
            format!("{} and {}, nearest the median of each set", paint(style::ID, &a), paint(style::ID, &b));
        out += &field("examples", &[ids, paint(style::HINT, &format!("zerver diff {a} {b}"))]);
    }
    out
}

/// Returns what a reader should know about the numbers of a flow.
fn notes(flow: &FlowComparison) -> Vec<String> {
    let mut notes = Vec::new();
    let test = flow.took.as_ref().and_then(|took| took.test);
    if let Some(test) = test.filter(|test| test.variance_inflation >= NOTABLE_INFLATION) {
        let independent = |requests: usize| (requests as f64 / test.variance_inflation).round().max(1.0);
        notes.push(format!(
            "requests close in time are alike, so that they count as {} against {} independent ones",
            independent(flow.requests_a),
            independent(flow.requests_b)
        ));
    }
    if flow.traces_a < flow.requests_a || flow.traces_b < flow.requests_b {
        notes.push(format!(
            "steps, effects and fields are those of {} of {} and {} of {} requests, evenly chosen",
            flow.traces_a, flow.requests_a, flow.traces_b, flow.requests_b
        ));
    }
    notes
}

fn table(changes: &[&SetChange], title: &'static str, layout: Layout) -> String {
    let mut table = Table::new(&[
        Column::Right("a"),
        Column::Right("b"),
        Column::Right("change"),
        Column::Left(""),
        Column::Left("95 % interval"),
        Column::Shrinks(title),
    ]);
    table.optional("", 24);
    table.optional("95 % interval", 16);
    let durations = || changes.iter().filter(|row| row.measure.is_duration());
    let longest = durations().map(|row| row.difference().abs()).fold(0.0, f64::max) as u64;
    let limit = if layout.is_verbose { usize::MAX } else { MAX_CHANGES };
    for row in changes.iter().take(limit) {
        let size = row.difference().abs() as u64;
        let bar = if row.measure.is_duration() { bar((0, size), longest, BAR_WIDTH) } else { String::new() };
        let interval = row
            .interval
            .map_or(String::new(), |(low, high)| format!("{} to {}", signed(row, low), signed(row, high)));
        let style = tone(row);
        table.row(vec![
            (style::PLAIN, value(row, row.a)),
            (style::PLAIN, value(row, row.b)),
            (style, signed(row, row.difference())),
            (style, bar),
            (style::FAINT, interval),
            (style::PLAIN, row_name(row)),
        ]);
    }
    let mut out = table.draw(Some(layout.columns));
    if changes.len() > limit {
        let left = count((changes.len() - limit) as u64, "change", "changes");
        out += &format!("{}\n", paint(style::FAINT, &format!("{left} left out; -v shows all")));
    }
    out
}

/// Returns the style of a change: good if requests take less time, or fail less often.
fn tone(row: &SetChange) -> Style {
    let is_cost = row.measure.is_duration()
        || matches!(row.measure, ChangeMeasure::Failed | ChangeMeasure::FailedCalls | ChangeMeasure::Calls);
    match row.difference() {
        difference if !is_cost || difference == 0.0 => style::NOTED,
        difference if difference < 0.0 => style::GOOD,
        _ => style::BAD,
    }
}

fn row_name(row: &SetChange) -> String {
    let text = match (&row.subject, &row.measure) {
        (ChangeSubject::Request, measure) => match measure {
            ChangeMeasure::Slowest => "slowest 5 % of the requests".to_owned(),
            ChangeMeasure::Failed => "requests that failed, without 4xx".to_owned(),
            ChangeMeasure::ClientErrors => "responses with 4xx".to_owned(),
            ChangeMeasure::Receive => "receiving".to_owned(),
            other => other.as_str().to_owned(),
        },
        (ChangeSubject::Step(step), measure) => match measure {
            ChangeMeasure::Queue => format!("queue before {step}"),
            ChangeMeasure::CompletionDelay => format!("completions waiting for {step}"),
            ChangeMeasure::Ran => format!("requests in which {step} ran"),
            _ => format!("CPU of {step}"),
        },
        (ChangeSubject::Effect { step, what }, measure) => match measure {
            ChangeMeasure::Requested => format!("requests with {what} ({step})"),
            ChangeMeasure::Calls => format!("calls of {what} ({step})"),
            ChangeMeasure::FailedCalls => format!("failed: {what} ({step})"),
            _ => format!("{what} ({step})"),
        },
        (ChangeSubject::Field(field), ChangeMeasure::HasValue(value)) => format!("{field} = {value}"),
        (ChangeSubject::Field(field), _) => field.clone(),
    };
    let percentile = match row.percentile {
        Some(percentile) if percentile != 50 => format!("p{percentile} of "),
        _ => String::new(),
    };
    clean(&format!("{percentile}{text}")).into_owned()
}

fn value(row: &SetChange, value: f64) -> String {
    if row.measure.is_duration() {
        time(value)
    } else if row.measure.is_share() {
        format!("{:.1} %", value * 100.0)
    } else {
        three_digits(value)
    }
}

fn signed(row: &SetChange, value: f64) -> String {
    let sign = if value > 0.0 {
        "+"
    } else if value < 0.0 {
        "-"
    } else {
        ""
    };
    format!("{sign}{}", self::value(row, value.abs()))
}

/// Returns `120 to 160 ms less`, or `4.10 ms less to 3.20 ms more` for an interval that includes 0.
fn interval_of((low, high): (f64, f64)) -> String {
    let side = |value: f64| format!("{} {}", time(value.abs()), direction(value));
    if low < 0.0 && high > 0.0 {
        return format!("{} to {}", side(low), side(high));
    }
    let (near, far) = if high <= 0.0 { (-high, -low) } else { (low, high) };
    let (from, to) = (time(near), time(far));
    let unit = |text: &str| text.rsplit_once(' ').map(|(number, unit)| (number.to_owned(), unit.to_owned()));
    let from = match (unit(&from), unit(&to)) {
        (Some((number, unit)), Some((_, same))) if unit == same => number,
        _ => from,
    };
    format!("{from} to {to}")
}

const fn direction(difference: f64) -> &'static str {
    if difference < 0.0 { "less" } else { "more" }
}

fn time(ns: f64) -> String {
    duration::show(ns.round() as u64)
}

/// Formats a number with three significant digits; an integer without decimals.
fn three_digits(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    // A number that is rounded up to the next power of ten has a digit less after the point.
    let digits = 2 - (number.abs() * 1.0005).log10().floor() as i32;
    format!("{number:.0$}", usize::try_from(digits).unwrap_or(0).min(12))
}

/// Returns the query, the number of requests and the period of a set.
fn period(query: &str, set: &SetPeriod, layout: Layout) -> Vec<String> {
    let of = requests(set.requests);
    let text = match (set.requests, clean(query)) {
        (0, query) => format!("{query}  {of}"),
        (_, query) => {
            format!("{query}  {of}, {} to {} (UTC)", moment(set.first_unix_ns), moment(set.last_unix_ns))
        }
    };
    lines(&text, style::PLAIN, layout)
}

fn moment(unix_ns: u64) -> String {
    let Utc { year, month, day, hour, minute, second, .. } = Utc::from_unix_ns(unix_ns);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn requests(n: usize) -> String {
    count(n as u64, "request", "requests")
}

fn flow_name(flow: &FlowComparison) -> String {
    if flow.flow.is_empty() { "(no flow)".to_owned() } else { fit(&clean(&flow.flow), MAX_NAME) }
}

fn fold_at(text: &str, layout: Layout) -> Vec<String> {
    if layout.folds { fold(text, layout.columns) } else { vec![text.to_owned()] }
}

fn lines(text: &str, style: Style, layout: Layout) -> Vec<String> {
    fold(text, layout.fold_width()).iter().map(|line| paint(style, line)).collect()
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use proptest::prelude::*;
    use zerver_analysis::FlowSet;
    use zerver_testkit::hostile::any_trace;
    use zerver_testkit::sample;
    use zerver_trace::text::is_dangerous;
    use zerver_trace::{Summary, Trace};

    use super::*;

    fn reports(from: u64, latencies: impl IntoIterator<Item = u64>) -> Vec<Trace> {
        let numbered = |(at, latency_ms)| {
            let mut trace = sample::report(latency_ms);
            trace.id = RequestId::from_u128(u128::from(0x019a_a4c2 + at) << 96);
            trace.started_unix_ns += at * 1_000_000_000;
            trace
        };
        (from..).zip(latencies).map(numbered).collect()
    }

    fn compared(a: &[Trace], b: &[Trace]) -> SetComparison {
        let summaries = |set: &[Trace]| set.iter().map(Trace::summary).collect::<Vec<_>>();
        let (of_a, of_b) = (summaries(a), summaries(b));
        let (a_refs, b_refs) = (of_a.iter().collect::<Vec<&Summary>>(), of_b.iter().collect::<Vec<_>>());
        let flow = FlowComparison::of(
            "report",
            FlowSet { requests: &a_refs, traces: a },
            FlowSet { requests: &b_refs, traces: b },
        );
        SetComparison::of(&of_a, &of_b, 0, vec![flow])
    }

    fn show(a: &[Trace], b: &[Trace], columns: usize) -> String {
        let names = SetNames { a: "build:3a44", b: "build:9f10" };
        let layout = Layout { columns, folds: true, digits: 8, is_verbose: false };
        let text = compare_sets(&compared(a, b), names, &|id| id.short(8), layout);
        strip_str(&text).to_string()
    }

    #[test]
    fn a_fix_that_helped() {
        let a = reports(0, (0..40).map(|n| 150 + n * 7 % 40));
        let b = reports(100, (0..40).map(|n| 30 + n * 7 % 40));
        insta::assert_snapshot!(show(&a, &b, 100), @r"
        report: median 169 ms -> 49.4 ms, 120 ms less (95 % interval 111 to 129 ms), 40 against 40 requests
        a        build:3a44  40 requests, 2026-11-22 10:43:01 to 2026-11-22 10:43:40 (UTC)
        b        build:9f10  40 requests, 2026-11-22 10:44:41 to 2026-11-22 10:45:20 (UTC)
             a        b   change            95 % interval       what changed
        169 ms  49.4 ms  -120 ms  ████████  -129 ms to -111 ms  http GET figures.internal/figures?.. (gathe…
        requests they differ, too, which may be the cause:
          a   b  change    95 % interval  field
        169  49    -120    -129 to -111   ReportParams.latency_ms
        169  49    -120    -129 to -111   query latency_ms
        examples 019aa4e7 and 019aa54b, nearest the median of each set
                 zerver diff 019aa4e7 019aa54b
        tests    4 changes found in 5 tests; of the changes that such comparisons find, 1 % are expected to
                 be chance. Whatever else differs between the sets may be the cause
        ");
    }

    #[test]
    fn sets_without_a_change() {
        let a = reports(0, (0..40).map(|n| 150 + n * 7 % 40));
        let b = reports(100, (0..40).map(|n| 150 + n * 11 % 40));
        insta::assert_snapshot!(show(&a, &b, 100), @r"
        report: no change found: median 169 ms -> 169 ms (95 % interval 9.22 ms less to 9.22 ms more), 40
        against 40 requests
        a        build:3a44  40 requests, 2026-11-22 10:43:01 to 2026-11-22 10:43:40 (UTC)
        b        build:9f10  40 requests, 2026-11-22 10:44:41 to 2026-11-22 10:45:20 (UTC)
        parts    no change of a step, an effect or the failures found
        examples 019aa4e7 and 019aa52f, nearest the median of each set
                 zerver diff 019aa4e7 019aa52f
        tests    0 changes found in 5 tests; of the changes that such comparisons find, 1 % are expected to
                 be chance. Whatever else differs between the sets may be the cause
        ");
        let few = show(&a[..2], &b[..3], 100);
        let first = few.lines().next().unwrap();
        assert_eq!(
            first,
            "report: too few requests for a test: median 150 ms -> 161 ms, 2 against 3 requests"
        );
        assert!(show(&a[..2], &[], 100).starts_with("report: only in a, 2 requests\n"));
    }

    #[test]
    fn an_interval_names_a_shared_unit_once() {
        assert_eq!(interval_of((-160e6, -120e6)), "120 to 160 ms");
        assert_eq!(interval_of((-4.1e6, 3.25e5)), "4.10 ms less to 325 µs more");
        assert_eq!(interval_of((900e3, 2.5e6)), "900 µs to 2.50 ms");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_sets_can_be_shown(all in prop::collection::vec(any_trace(), 2..25), columns in 0..150usize) {
            let mut all = all;
            for (at, trace) in all.iter_mut().enumerate() {
                trace.id = RequestId::from_u128(at as u128);
            }
            let (a, b) = all.split_at(all.len() / 2);
            let text = show(a, b, columns);
            prop_assert!(!text.chars().any(|c| is_dangerous(c) && c != '\n'), "{}", text);
        }
    }
}
