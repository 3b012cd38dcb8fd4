//! The lines above the list: metrics per second, number of requests, and load of a running service.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::duration;

use super::state::RequestsScreen;
use crate::draw::{Pen, sparkline, sparkline_to, width};
use crate::state::SharedState;

/// Maximum width of a sparkline.
const MAX_SPARK: usize = 30;
/// Maximum width of a load sparkline. Load samples cover two minutes at most, and usually less.
const MAX_LOAD: usize = 20;
const MIN_SPARK: usize = 5;
/// Period of the current numbers, see `rates.rs`.
const PERIOD: &str = "last 10 s";
/// Seconds per column of a sparkline.
const SPARK_S: usize = 2;

const CLASSES: [&str; 3] = ["interactive", "default", "batch"];

pub(super) fn draw_metrics(requests: &RequestsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let (theme, glyphs) = (&shared.theme, shared.theme.glyphs);
    let width = usize::from(area.width);
    let metrics = requests.metrics(shared.now_unix_ns);
    let mut pen = Pen::new(buffer, area, 0, glyphs.ellipsis);
    pen.skip(1);
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), duration::show);
    let rate = metrics.rate.now.unwrap_or(0);
    let rate =
        if rate >= 1_000 { (rate / 100).to_string() } else { format!("{}.{}", rate / 100, rate / 10 % 10) };
    let failed = metrics.failed.now;
    let failed_style = if failed.is_some_and(|percent| percent > 0) { theme.bad } else { theme.text };
    let all = [
        ("rate", &metrics.rate, format!("{rate}/s"), theme.info, theme.strong),
        ("p50", &metrics.p50_ns, time(metrics.p50_ns.now), theme.good, theme.strong),
        ("p99", &metrics.p99_ns, time(metrics.p99_ns.now), theme.warn, theme.strong),
        (
            "failed",
            &metrics.failed,
            failed.map_or("-".to_owned(), |percent| format!("{percent}%")),
            theme.bad,
            failed_style,
        ),
    ];
    let len = requests.list.len(&shared.index);
    let state = if requests.is_following { "live" } else { "paused" };
    let is_complete = shared.index.is_complete() && !requests.list.is_behind(&shared.index);
    let plus = if is_complete { "" } else { "+" };
    let count = if len == shared.index.len() {
        format!("{}{plus}", thousands(len))
    } else {
        format!("{} of {}{plus}", thousands(len), thousands(shared.index.len()))
    };
    let taken: usize = all.iter().map(|(name, _, now, ..)| name.len() + crate::draw::width(now) + 4).sum();
    let rest = width.saturating_sub(1 + taken + count.len() + 2 + state.len() + 1);
    // The period is named as soon as there is a number.
    let period = if failed.is_some() { PERIOD } else { "" };
    let rest = if rest > period.len() + 2 && !period.is_empty() {
        pen.put(period, theme.secondary).skip(2);
        rest - period.len() - 2
    } else {
        rest
    };
    let columns = (rest / all.len()).saturating_sub(1).min(MAX_SPARK);
    for (name, metric, now, line, style) in all {
        pen.put(name, theme.secondary).skip(1).put(&shared.drawable(&now), style);
        if columns >= MIN_SPARK {
            let shown = metric.line.len().saturating_sub(columns * SPARK_S);
            pen.skip(1).put(&sparkline(&metric.line[shown..], columns, glyphs), line);
        }
        pen.skip(3);
    }
    pen.until(count.len() + 2 + state.len() + 1).put(&count, theme.secondary).skip(2);
    pen.put(state, if requests.is_following { theme.good } else { theme.warn });
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
