//! Drawing of the flows screen: the list, the graph of the selected flow, and the scheduler panel.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::FlowSummary;
use zerver_trace::duration;
use zerver_trace::text::clean;

use super::layout::Areas;
use super::scheduler_panel as scheduler;
use super::state::{FlowTimes, FlowsScreen, Pane};
use crate::draw::{Pen, StyledLine, scrollbar, sparkline, titled_rule, vertical_line, width};
use crate::state::SharedState;

/// Smallest change that is painted as a regression, relative to the earlier median.
const NOTABLE_CHANGE: f64 = 0.1;

pub(super) fn draw(flows: &FlowsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = flows.areas(shared, area);
    let style = |pane: Pane| if flows.pane == pane { theme.focus } else { theme.border };
    titled_rule(areas.list_title, &flows.table.title(), style(Pane::List), theme, buffer);
    titled_rule(areas.steps_title, &title(flows), style(Pane::Steps), theme, buffer);
    vertical_line(areas.wall, theme.border, theme, buffer);
    draw_list(flows, shared, &areas, buffer);
    let (title, lines) = scheduler::lines(shared);
    titled_rule(areas.scheduler_title, &title, theme.border, theme, buffer);
    draw_lines(&lines, shared, areas.scheduler, buffer);
    let mut scroll = flows.steps;
    scroll.fill(flows.graph.len(), usize::from(areas.steps.height));
    for (row, line) in (0..areas.steps.height).zip(flows.graph.iter().skip(scroll.first)) {
        line.draw(Pen::new(buffer, areas.steps, row, theme.glyphs.ellipsis).skip(1), theme);
    }
    if flows.pane == Pane::Steps {
        scroll.highlight_cursor(areas.steps, theme.selected, buffer);
    }
    scrollbar(areas.steps, scroll.first, flows.graph.len(), theme, buffer);
}

fn draw_lines(lines: &[StyledLine], shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    for (row, line) in (0..area.height).zip(lines) {
        line.draw(Pen::new(buffer, area, row, shared.theme.glyphs.ellipsis).skip(1), &shared.theme);
    }
}

/// Returns the name of the selected flow, with the number of requests measured.
fn title(flows: &FlowsScreen) -> String {
    let Some(flow) = flows.selected() else { return "steps".to_owned() };
    let name = format!("{}  {} {}  {}", flow.name, flow.method, flow.pattern, flow.class.as_str());
    let name = clean(&name);
    match flows.measured.get(&flow.name) {
        None | Some(FlowTimes::Running) => format!("{name}: measuring"),
        Some(FlowTimes::Failed(why)) => format!("{name}: {}", clean(why)),
        Some(FlowTimes::Done(measured)) => match (measured.times.total.requests, measured.unreadable) {
            (0, _) => format!("{name}: no requests yet"),
            (1, _) => format!("{name}: 1 request"),
            (count, 0) => format!("{name}: newest {count} requests"),
            (count, bad) => format!("{name}: newest {count} requests, {bad} unreadable"),
        },
    }
}

/// A column of the list.
struct Column {
    title: &'static str,
    columns: usize,
    text: fn(&FlowSummary) -> String,
}

const COLUMNS: [Column; 8] = [
    Column { title: "requests", columns: 8, text: |row| row.requests.to_string() },
    Column { title: "p50", columns: 9, text: |row| duration::show(row.p50_ns) },
    Column { title: "p99", columns: 9, text: |row| duration::show(row.p99_ns) },
    Column { title: "5xx", columns: 5, text: |row| row.errors.to_string() },
    Column { title: "share", columns: 5, text: |row| format!("{:.0} %", row.share * 100.0) },
    Column { title: "change", columns: 7, text: |row| row.change.map_or("new".to_owned(), change) },
    Column { title: "4xx", columns: 5, text: |row| row.client_errors.to_string() },
    Column { title: "p95", columns: 9, text: |row| duration::show(row.p95_ns) },
];

/// Minimum and maximum width of a name.
const NAME: std::ops::Range<usize> = 12..28;
const HISTORY: usize = 20;
/// Columns between two columns.
const GAP: usize = 2;

fn change(change: f64) -> String {
    format!("{:+.0} %", change * 100.0)
}

fn draw_list(flows: &FlowsScreen, shared: &SharedState, areas: &Areas, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let (area, rows) = (areas.list, flows.rows());
    if rows.is_empty() {
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        match &flows.flows {
            None => pen.skip(1).put("loading", theme.secondary),
            Some(Ok(_)) => pen.skip(1).put("no flows in the store yet", theme.secondary),
            Some(Err(why)) => pen.skip(1).recorded(why, theme.bad),
        };
        return;
    }
    let widest = rows.iter().map(|row| width(&clean(&row.flow))).max().unwrap_or(0);
    let names = widest.clamp(NAME.start, NAME.end);
    // The columns that fit, the most important ones first.
    let mut room = usize::from(area.width).saturating_sub(names + 2);
    let is_shown = |column: &&Column| flows.table.has_change() || column.title != "change";
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(is_shown)
        .take_while(|column| {
            let fits = room > column.columns + GAP;
            room = room.saturating_sub(column.columns + GAP);
            fits
        })
        .collect();
    let has_history = columns.len() == COLUMNS.iter().filter(is_shown).count() && room > HISTORY + GAP;
    let mut pen = Pen::new(buffer, areas.list_head, 0, theme.glyphs.ellipsis);
    pen.skip(1).left("flow", names, theme.secondary);
    for column in &columns {
        pen.skip(GAP).right(column.title, column.columns, theme.secondary);
    }
    if has_history {
        pen.skip(GAP).put("history", theme.secondary);
    }
    let mut scroll = flows.list;
    scroll.fill(rows.len(), usize::from(area.height));
    for (line, row) in (0..area.height).zip(rows.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, line, theme.glyphs.ellipsis);
        let name = if row.flow.is_empty() { "(no flow)" } else { &row.flow };
        pen.skip(1).recorded_left(
            name,
            names,
            if row.requests == 0 { theme.secondary } else { theme.strong },
        );
        if row.requests == 0 {
            pen.skip(GAP).right("-", columns.first().map_or(0, |column| column.columns), theme.secondary);
            continue;
        }
        for column in &columns {
            let is_bad = column.title == "5xx" && row.errors > 0;
            let is_slower =
                column.title == "change" && row.change.is_some_and(|change| change > NOTABLE_CHANGE);
            let style = match column.title {
                _ if is_bad => theme.bad,
                _ if is_slower => theme.warn,
                "5xx" | "4xx" => theme.secondary,
                _ => theme.text,
            };
            pen.skip(GAP).right(&(column.text)(row), column.columns, style);
        }
        if has_history {
            pen.skip(GAP).put(&sparkline(&row.history, HISTORY, theme.glyphs), theme.info);
        }
    }
    let style = if flows.pane == Pane::List { theme.selected } else { theme.selected_inactive };
    scroll.highlight_cursor(area, style, buffer);
    scrollbar(area, scroll.first, rows.len(), theme, buffer);
}
