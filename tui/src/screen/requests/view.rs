//! Drawing of the request list. Only visible rows are read.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::header::{draw_load, draw_metrics, thousands};
use super::preview;
use super::state::RequestsScreen;
use super::table::TableColumns;
use crate::draw::{Pen, scrollbar, titled_rule, vertical_line, width};
use crate::index::{RequestRow, TIME_DIGITS};
use crate::state::ServiceState;
use crate::state::SharedState;

/// Minimum width of the filter, next to a remark.
const MIN_FILTER: usize = 12;
/// Examples of filters, shown while none has been typed.
const HINT: &str = "part of a path, or status:5xx flow:name slower:10ms is:failed slot.Name.field=value";

pub(super) fn draw(requests: &RequestsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = requests.areas(shared, area);
    draw_metrics(requests, shared, areas.metrics, buffer);
    draw_load(shared, areas.load, buffer);
    draw_check(shared, areas.check, buffer);
    draw_filter(requests, shared, areas.filter, buffer);
    let len = requests.list.len(&shared.index);
    let height = usize::from(areas.rows.height);
    let mut scroll = requests.scroll(shared);
    scroll.clamp(len, height);
    let shown: Vec<RequestRow<'_>> = (scroll.first..scroll.first + height)
        .map_while(|position| shared.index.row(requests.list.nth(position, &shared.index)?))
        .collect();
    // All ids have the same length, so that they line up.
    let digits = shown.iter().map(|row| shared.index.id_digits(row.id)).max();
    let (width, digits) = (usize::from(areas.rows.width), digits.unwrap_or(TIME_DIGITS));
    let columns = TableColumns::new(width, digits, requests.queries.node_width());
    columns.draw_headings(requests.list.sort(), shared, areas.headings, buffer);
    let longest_ns = shown.iter().map(|row| row.duration_ns).max().unwrap_or(0);
    for (line, row) in (0..areas.rows.height).zip(&shown) {
        columns.draw_row(row, longest_ns, requests, shared, areas.rows, line, buffer);
        if scroll.first + usize::from(line) == scroll.cursor {
            let area = Rect { y: areas.rows.y + line, height: 1, ..areas.rows };
            buffer.set_style(area.intersection(buffer.area), theme.selected);
        }
    }
    if shown.is_empty() {
        draw_nothing(shared, areas.rows, buffer);
    }
    scrollbar(areas.rows, scroll.first, len, theme, buffer);
    if let Some(area) = areas.preview {
        vertical_line(area, theme.border, theme, buffer);
        let inner = Rect { x: area.x + 1, width: area.width - 1, ..area };
        let selected = requests.selected(shared).and_then(|seq| shared.index.row(seq));
        preview::draw(selected.as_ref(), shared, inner, buffer);
    }
    if let Some(area) = areas.log {
        draw_log(shared, area, buffer);
    }
}

fn draw_nothing(shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut say = |row: u16, text: &str| {
        Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(2).put(text, theme.secondary);
    };
    if shared.index.len() > 0 {
        say(1, "No matches. Esc clears the filter.");
    } else if !shared.index.is_complete() {
        say(1, "Reading the store.");
    } else if let Some(service) = &shared.service {
        match &service.state {
            Some(ServiceState::Serving(addr)) if service.example_requests.is_empty() => {
                let addr = zerver_trace::text::clean(addr);
                say(1, &format!("No requests yet. The service listens on {addr}."));
            }
            Some(ServiceState::Serving(_)) => {
                say(1, "No requests yet. Send one:");
                for (row, command) in (2..).zip(&service.example_requests) {
                    say(row, &zerver_trace::text::clean(command));
                }
            }
            Some(ServiceState::Building) => {
                say(1, "No requests yet. The service is being built; L shows the log of the build.");
            }
            _ => say(1, "No requests yet."),
        }
        if let (Some(url), Some(ServiceState::Serving(_))) = (&service.web_url, &service.state) {
            let row = (service.example_requests.len() + 3).try_into().unwrap_or(u16::MAX);
            say(row, &format!("Web UI: {}", zerver_trace::text::clean(url)));
        }
    } else {
        say(1, "No requests recorded yet. New ones appear here as they are recorded.");
    }
}

/// Draws how many of the newest requests differ with the new code.
fn draw_check(shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(sentence) = shared.replay_check.sentence() else { return };
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    if shared.replay_check.changed.is_empty() {
        pen.skip(1).put(theme.glyphs.good, theme.good).skip(1).put(&sentence, theme.text);
    } else {
        pen.skip(1).put(theme.glyphs.differs, theme.bad).skip(1).put(&sentence, theme.strong);
        pen.skip(3).put("c", theme.key).skip(1).put("shows the next", theme.secondary);
    }
}

fn draw_filter(requests: &RequestsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let scan = &requests.scan;
    let (remark, style) = match &requests.error {
        Some(error) => (error.clone(), theme.bad),
        None if scan.requested > 0 => {
            let all = scan.requested + scan.queued.len();
            (format!("searched {} of {} ", thousands(scan.scanned), thousands(all)), theme.secondary)
        }
        None => (String::new(), theme.secondary),
    };
    // The filter gets what it needs up to one half, and the remark the rest.
    let typed = width(&requests.filter).max(MIN_FILTER) + 4;
    let room =
        width(&remark).min(usize::from(area.width).saturating_sub(typed.min(usize::from(area.width) / 2)));
    let line = Rect { width: area.width.saturating_sub(room as u16 + 1), ..area };
    let mut pen = Pen::new(buffer, line, 0, theme.glyphs.ellipsis);
    pen.put(" /", theme.key);
    match &requests.prompt {
        Some(prompt) => {
            prompt.draw(&mut pen, theme);
            if prompt.is_empty() {
                pen.skip(1).put(HINT, theme.secondary);
            }
        }
        None => drop(pen.put(&requests.filter, theme.text)),
    }
    let rest = Rect { x: line.right(), width: area.width - line.width, ..area };
    Pen::new(buffer, rest, 0, theme.glyphs.ellipsis).recorded(&remark, style);
}

fn draw_log(shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(service) = &shared.service else { return };
    let is_bad = matches!(service.state, Some(ServiceState::BuildFailed { .. } | ServiceState::Ended(_)));
    let style = if is_bad { theme.bad } else { theme.border };
    titled_rule(
        area,
        if is_bad { "errors (L to hide)" } else { "service log (L to hide)" },
        style,
        theme,
        buffer,
    );
    let inner = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    // Errors are shown from their start, other output from its end.
    let start = service.log_lines.iter().position(|line| line.starts_with("error")).filter(|_| is_bad);
    let first = start
        .unwrap_or(service.log_lines.len())
        .min(service.log_lines.len().saturating_sub(inner.height.into()));
    for (row, line) in (0..inner.height).zip(service.log_lines.iter().skip(first)) {
        let style = match line {
            line if line.starts_with("error") => theme.bad,
            line if line.starts_with("warning") => theme.warn,
            _ => theme.text,
        };
        Pen::new(buffer, inner, row, theme.glyphs.ellipsis).skip(1).recorded(line, style);
    }
}
