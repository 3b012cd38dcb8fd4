//! Drawing of the flows screen: the list, the graph of the selected flow, and the scheduler panel.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::text::clean;

use super::scheduler_panel as scheduler;
use super::state::{FlowTimes, FlowsScreen, Pane};
use crate::draw::{Pen, StyledLine, scrollbar, titled_rule, vertical_line, width};
use crate::state::SharedState;

pub(super) fn draw(flows: &FlowsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = flows.areas(shared, area);
    let style = |pane: Pane| if flows.pane == pane { theme.focus } else { theme.border };
    titled_rule(areas.list_title, "flows", style(Pane::List), theme, buffer);
    titled_rule(areas.steps_title, &title(flows), style(Pane::Steps), theme, buffer);
    vertical_line(areas.wall, theme.border, theme, buffer);
    draw_list(flows, shared, areas.list, buffer);
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
    let name = clean(&flow.name);
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

fn draw_list(flows: &FlowsScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let all = flows.all();
    if all.is_empty() {
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        match &flows.flows {
            None => pen.skip(1).put("loading", theme.secondary),
            Some(Ok(_)) => pen.skip(1).put("no flows in the store yet", theme.secondary),
            Some(Err(why)) => pen.skip(1).recorded(why, theme.bad),
        };
        return;
    }
    let mut scroll = flows.list;
    scroll.fill(all.len(), usize::from(area.height));
    let names = all.iter().map(|flow| width(&clean(&flow.name))).max().unwrap_or(0).min(28);
    for (row, flow) in (0..area.height).zip(all.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        pen.skip(1).recorded_left(&flow.name, names, theme.strong).skip(2);
        pen.recorded_left(&flow.method, 7, theme.text).skip(1).recorded(&flow.pattern, theme.text).skip(2);
        pen.put(flow.class.as_str(), theme.secondary);
    }
    let style = if flows.pane == Pane::List { theme.selected } else { theme.selected_inactive };
    scroll.highlight_cursor(area, style, buffer);
    scrollbar(area, scroll.first, all.len(), theme, buffer);
}
