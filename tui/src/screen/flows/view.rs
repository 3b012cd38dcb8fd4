//! How the flows are drawn: the list, the graph of the chosen one, and the scheduler that runs them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::text::clean;

use super::{Flows, Measurement, Pane, scheduler};
use crate::draw::{Line, Pen, Stack, beside, rule, thumb, wall, width};
use crate::shared::Shared;

/// From this width on, the list stands beside the graph.
const WIDE: u16 = 120;

/// Where things are.
pub(super) struct Areas {
    list_title: Rect,
    pub(super) list: Rect,
    scheduler_title: Rect,
    scheduler: Rect,
    wall: Rect,
    steps_title: Rect,
    pub(super) steps: Rect,
}

pub(super) fn areas(flows: &Flows, shared: &Shared, area: Rect) -> Areas {
    let told = scheduler::lines(shared).1.len();
    let mut stack = Stack::new(area);
    if area.width >= WIDE {
        let (titles, body) = (stack.take(1), stack.take(usize::MAX));
        let left = area.width / 3;
        let ((list_title, _, steps_title), (list, wall, steps)) = (beside(titles, left), beside(body, left));
        // The scheduler is below the list, which needs most of the room seldom.
        let mut stack = Stack::new(list);
        let list = stack.take(stack.left().saturating_sub(told + 1).max(stack.left() / 2));
        let (scheduler_title, scheduler) = (stack.take(1), stack.take(told));
        return Areas { list_title, list, scheduler_title, scheduler, wall, steps_title, steps };
    }
    let fifth = (stack.left() / 5).max(1);
    let len = flows.all().len().clamp(1, fifth + 1);
    let (list_title, list) = (stack.take(1), stack.take(len));
    let (scheduler_title, scheduler) = (stack.take(1), stack.take(told.min(fifth + 2)));
    let (steps_title, steps) = (stack.take(1), stack.take(usize::MAX));
    Areas { list_title, list, scheduler_title, scheduler, wall: Rect::default(), steps_title, steps }
}

pub(super) fn draw(flows: &Flows, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = areas(flows, shared, area);
    let style = |pane: Pane| if flows.pane == pane { theme.focus } else { theme.border };
    rule(areas.list_title, "flows", style(Pane::List), theme, buffer);
    rule(areas.steps_title, &title(flows), style(Pane::Steps), theme, buffer);
    wall(areas.wall, theme.border, theme, buffer);
    draw_list(flows, shared, areas.list, buffer);
    let (title, lines) = scheduler::lines(shared);
    rule(areas.scheduler_title, &title, theme.border, theme, buffer);
    draw_lines(&lines, shared, areas.scheduler, buffer);
    let mut scroll = flows.steps;
    scroll.fill(flows.graph.len(), usize::from(areas.steps.height));
    for (row, line) in (0..areas.steps.height).zip(flows.graph.iter().skip(scroll.first)) {
        line.draw(Pen::new(buffer, areas.steps, row, theme.glyphs.ellipsis).skip(1), theme);
    }
    if flows.pane == Pane::Steps {
        scroll.show(areas.steps, theme.chosen, buffer);
    }
    thumb(areas.steps, scroll.first, flows.graph.len(), theme, buffer);
}

fn draw_lines(lines: &[Line], shared: &Shared, area: Rect, buffer: &mut Buffer) {
    for (row, line) in (0..area.height).zip(lines) {
        line.draw(Pen::new(buffer, area, row, shared.theme.glyphs.ellipsis).skip(1), &shared.theme);
    }
}

/// The chosen flow, and over how many requests its times are.
fn title(flows: &Flows) -> String {
    let Some(flow) = flows.chosen() else { return "steps".to_owned() };
    let name = clean(&flow.name);
    match flows.measured.get(&flow.name) {
        None | Some(Measurement::Running) => format!("{name}: measuring"),
        Some(Measurement::Failed(why)) => format!("{name}: {}", clean(why)),
        Some(Measurement::Done(measured)) => match (measured.usual.total.requests, measured.unreadable) {
            (0, _) => format!("{name}: no requests yet"),
            (1, _) => format!("{name}: over 1 request"),
            (count, 0) => format!("{name}: over the newest {count} requests"),
            (count, bad) => format!("{name}: over {count} requests; {bad} could not be read"),
        },
    }
}

fn draw_list(flows: &Flows, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let all = flows.all();
    if all.is_empty() {
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        match &flows.flows {
            None => pen.skip(1).put("loading", theme.faint),
            Some(Ok(_)) => pen.skip(1).put("there are no flows in the store yet", theme.faint),
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
        pen.put(flow.class.as_str(), theme.faint);
    }
    let style = if flows.pane == Pane::List { theme.chosen } else { theme.chosen_elsewhere };
    scroll.show(area, style, buffer);
    thumb(area, scroll.first, all.len(), theme, buffer);
}
