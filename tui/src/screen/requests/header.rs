//! The lines above the list: metrics per second, number of requests, and load of a running service.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use zerver_analysis::display;
use zerver_trace::duration;

use super::state::RequestsScreen;
use crate::draw::{Pen, sparkline, sparkline_to, width};
use crate::index::{Metric, Metrics, SelectionTotals};
use crate::state::SharedState;
use crate::theme::Theme;

/// Maximum width of a sparkline.
const MAX_SPARK: usize = 30;
/// Maximum width of a load sparkline. Load samples cover two minutes at most, and usually less.
const MAX_LOAD: usize = 20;
const MIN_SPARK: usize = 5;
/// Period of the numbers of a live list, see `rates.rs`.
const LIVE_PERIOD: &str = "last 10 s  ";
/// Seconds per column of a sparkline.
const SPARK_S: usize = 2;

const CLASSES: [&str; 3] = ["interactive", "default", "batch"];

/// Draws numbers of the listed requests, with the time that they cover: the last seconds of a live list, or from the
/// first to the last request.
pub(super) fn draw_metrics(requests: &RequestsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let (theme, glyphs) = (&shared.theme, shared.theme.glyphs);
    let width = usize::from(area.width);
    let live = requests.live_metrics(shared.now_unix_ns);
    let totals = requests.listed_totals();
    let mut all = match &live {
        Some(metrics) => live_numbers(metrics, theme),
        None => total_numbers(totals, theme),
    };
    let len = requests.list.len(&shared.index);
    let state = if requests.is_following { "live" } else { "paused" };
    let is_complete = shared.index.is_complete() && !requests.list.is_behind(&shared.index);
    let plus = if is_complete { "" } else { "+" };
    let count = if len == shared.index.len() {
        format!("{}{plus}", thousands(len))
    } else {
        format!("{} of {}{plus}", thousands(len), thousands(shared.index.len()))
    };
    let count = match totals.span_ns() {
        span_ns @ 1.. if live.is_none() => {
            format!("{count} in {}", shared.drawable(&duration::show(span_ns)))
        }
        _ => count,
    };
    let left = if live.is_some() { LIVE_PERIOD } else { "" };
    let right = crate::draw::width(&count) + 2 + state.len() + 1;
    let room = width.saturating_sub(1 + left.len() + right);
    let taken = |all: &[Number<'_>], gap: usize| -> usize {
        all.iter().map(|number| number.name.len() + 1 + crate::draw::width(&number.now) + gap).sum()
    };
    // The count and the time imply the rate.
    if taken(&all, 2) > room && live.is_none() {
        all.remove(0);
    }
    let gap = if taken(&all, 3) > room { 2 } else { 3 };
    let rest = room.saturating_sub(taken(&all, gap));
    let mut pen = Pen::new(buffer, area, 0, glyphs.ellipsis);
    pen.skip(1).put(left, theme.secondary);
    let columns = (rest / all.len().max(1)).saturating_sub(1).min(MAX_SPARK);
    for number in &all {
        pen.put(number.name, theme.secondary).skip(1).put(&shared.drawable(&number.now), number.style);
        if let Some((line, style)) = number.line.filter(|_| columns >= MIN_SPARK) {
            let shown = line.len().saturating_sub(columns * SPARK_S);
            pen.skip(1).put(&sparkline(&line[shown..], columns, glyphs), style);
        }
        pen.skip(gap);
    }
    pen.until(right).put(&count, theme.secondary).skip(2);
    pen.put(state, if requests.is_following { theme.good } else { theme.warn });
}

/// A number of the line above the list.
struct Number<'m> {
    name: &'static str,
    now: String,
    style: Style,
    /// Its values per second, if they are known.
    line: Option<(&'m [u64], Style)>,
}

fn live_numbers<'m>(metrics: &'m Metrics, theme: &Theme) -> Vec<Number<'m>> {
    let rate = metrics.rate.now.unwrap_or(0) as f64 / 100.0;
    let number = |name, metric: &'m Metric, now, style, line| Number {
        name,
        now,
        style,
        line: Some((&metric.line[..], line)),
    };
    vec![
        number("rate", &metrics.rate, display::rate(rate), theme.strong, theme.info),
        number("p50", &metrics.p50_ns, time(metrics.p50_ns.now), theme.strong, theme.good),
        number("p99", &metrics.p99_ns, time(metrics.p99_ns.now), theme.strong, theme.warn),
        number(
            "failed",
            &metrics.failed,
            percent(metrics.failed.now),
            failed_style(metrics.failed.now, theme),
            theme.bad,
        ),
    ]
}

fn total_numbers(totals: &SelectionTotals, theme: &Theme) -> Vec<Number<'static>> {
    let number = |name, now, style| Number { name, now, style, line: None };
    let failed = totals.failed_percent();
    let mut all = vec![
        number("rate", totals.rate_per_s().map_or_else(|| "-".to_owned(), display::rate), theme.strong),
        number("p50", time(totals.percentile(50)), theme.strong),
        number("p99", time(totals.percentile(99)), theme.strong),
        number("failed", percent(failed), failed_style(failed, theme)),
    ];
    if let client_errors @ Some(1..) = totals.client_error_percent() {
        all.push(number("4xx", percent(client_errors), theme.client_error));
    }
    all
}

fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), duration::show)
}

fn percent(percent: Option<u64>) -> String {
    percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent}%"))
}

fn failed_style(percent: Option<u64>, theme: &Theme) -> Style {
    if percent.is_some_and(|percent| percent > 0) { theme.bad } else { theme.text }
}

/// Draws the load of the workers and the lengths of the run queues.
pub(super) fn draw_load(shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let (theme, glyphs) = (&shared.theme, shared.theme.glyphs);
    let scheduler = &shared.scheduler;
    let Some(health) = scheduler.health() else { return };
    let load = scheduler.load.latest().map_or("-".to_owned(), |percent| format!("{percent}%"));
    let shed: u64 = health.shed.iter().sum();
    let stuck = health.workers.iter().filter(|worker| worker.is_stuck).count();
    let mut alarms = Vec::new();
    if stuck > 0 {
        alarms.push((format!("{stuck} of {} stuck", health.workers.len()), theme.bad));
    }
    if shed > 0 {
        alarms.push((format!("shed {shed}"), theme.warn));
    }
    let waiting: Vec<_> = CLASSES
        .iter()
        .zip(health.queue_lengths)
        .zip(&scheduler.queue_lengths)
        .filter_map(|((class, n), line)| Some((*class, n?.to_string(), line)))
        .collect();
    let taken = width("load  queue") + load.len() + 5;
    let taken = taken + waiting.iter().map(|(class, n, _)| class.len() + n.len() + 4).sum::<usize>();
    let taken = taken + alarms.iter().map(|(text, _)| text.len() + 3).sum::<usize>();
    let rest = usize::from(area.width).saturating_sub(taken);
    let columns = (rest / (1 + waiting.len())).saturating_sub(1).min(MAX_LOAD);
    let mut pen = Pen::new(buffer, area, 0, glyphs.ellipsis);
    let line = |most: Option<u64>, line: &std::collections::VecDeque<u64>| {
        let shown: Vec<u64> =
            line.iter().skip(line.len().saturating_sub(columns * SPARK_S)).copied().collect();
        let most = most.or_else(|| shown.iter().max().copied()).unwrap_or(0);
        let bars = sparkline_to(most, &shown, columns, glyphs);
        if columns < MIN_SPARK { String::new() } else { format!(" {bars:<columns$}") }
    };
    pen.skip(1).put("load", theme.secondary).skip(1).put(&load, theme.strong);
    pen.put(&line(Some(100), &scheduler.load.samples), theme.cpu).skip(3);
    if !waiting.is_empty() {
        pen.put("queue", theme.secondary).skip(2);
    }
    for (class, n, values) in waiting {
        let style = if n == "0" { theme.secondary } else { theme.strong };
        pen.put(class, theme.secondary).skip(1).put(&n, style);
        pen.put(&line(None, values), theme.queue).skip(3);
    }
    for (text, style) in alarms {
        pen.put(&text, style).skip(3);
    }
}

/// Formats a number as `1,234,567`.
pub(super) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
