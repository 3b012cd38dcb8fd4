//! Drawing of the timeline screen: summary, waterfall, and the inspector below or beside it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::state::TimelineScreen;
use super::summary_lines as head;
use super::waterfall::Waterfall;
use crate::draw::{Pen, scrollbar, titled_rule, vertical_line};
use crate::state::SharedState;

pub(super) fn draw(screen: &TimelineScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let areas = screen.areas(area);
    let Some(open_trace) = &screen.open_trace else { return draw_nothing(screen, shared, area, buffer) };
    let lines = head::lines(&open_trace.loaded, screen.why(), areas.head.width, shared);
    for (row, line) in (0..areas.head.height).zip(&lines) {
        line.draw(&mut Pen::new(buffer, areas.head, row, theme.glyphs.ellipsis), theme);
    }
    let scroll = open_trace.scroll(areas.rows.height.into());
    let moment_ns = open_trace.moments.get(open_trace.moment).map(|moment| moment.at_ns);
    let cursor = Some((scroll.cursor, !screen.is_inspecting));
    let (rows, time_uses, loaded) = (&open_trace.rows, &open_trace.time_uses, &open_trace.loaded);
    Waterfall { rows, time_uses, loaded, first: scroll.first, cursor, moment_ns }.draw(
        areas.waterfall,
        theme,
        buffer,
    );
    scrollbar(areas.rows, scroll.first, open_trace.rows.len(), theme, buffer);
    let style = if screen.is_inspecting { theme.focus } else { theme.border };
    if areas.is_wide {
        vertical_line(areas.splitter, style, theme, buffer);
    } else {
        titled_rule(areas.splitter, "", style, theme, buffer);
    }
    draw_inspector(screen, shared, areas.inspector, buffer);
    if let Some(prompt) = &screen.prompt {
        let line = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
        buffer.set_style(line.intersection(buffer.area), theme.text);
        let mut pen = Pen::new(buffer, line, 0, theme.glyphs.ellipsis);
        let blank = " ".repeat(pen.room());
        pen.put(&blank, theme.text);
        let mut pen = Pen::new(buffer, line, 0, theme.glyphs.ellipsis);
        prompt.draw(pen.put(" /", theme.key), theme);
    }
}

fn draw_inspector(screen: &TimelineScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(open_trace) = &screen.open_trace else { return };
    let entries = open_trace.entries();
    let mut scroll = open_trace.inspector;
    scroll.clamp(entries.len(), area.height.into());
    for (row, (at, entry)) in (0..area.height).zip(entries.iter().enumerate().skip(scroll.first)) {
        if screen.is_inspecting && at == scroll.cursor {
            let line = Rect { y: area.y + row, height: 1, ..area };
            buffer.set_style(line.intersection(buffer.area), theme.selected);
        }
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        pen.skip(1);
        entry.line.draw(&mut pen, theme);
        if let Some(fold) = &entry.fold {
            let sign = if fold.is_open { theme.glyphs.open } else { theme.glyphs.closed };
            let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
            pen.skip(fold.column).put(sign, theme.secondary);
        }
    }
    scrollbar(area, scroll.first, entries.len(), theme, buffer);
}

fn draw_nothing(screen: &TimelineScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut pen = Pen::new(buffer, area, 1, theme.glyphs.ellipsis);
    pen.skip(2);
    let Some(id) = screen.id else {
        pen.put("No request is open. Select one in the list (1) and press enter.", theme.secondary);
        return;
    };
    match shared.traces.get(id) {
        None => pen.put("Loading ", theme.secondary).put(&id.to_string(), theme.id),
        Some(Err(why)) => pen.put("Cannot be read: ", theme.bad).recorded(why, theme.text),
        Some(Ok(_)) => pen.put(&id.to_string(), theme.id).put(" is no longer in the store.", theme.warn),
    };
}
