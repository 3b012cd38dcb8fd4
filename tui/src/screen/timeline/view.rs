//! How one request is drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::duration;

use super::TimelineScreen;
use crate::draw::Pen;
use crate::shared::Shared;

pub(super) fn rows_len(screen: &TimelineScreen) -> usize {
    screen.timeline.as_ref().map_or(0, |timeline| timeline.runs.len())
}

pub(super) fn rows_height(shared: &Shared) -> usize {
    let whole = Rect::new(0, 0, shared.size.width, shared.size.height);
    usize::from(crate::app::areas(whole).1.height.saturating_sub(1))
}

pub(super) fn draw(screen: &TimelineScreen, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    pen.skip(1);
    let Some(id) = screen.id else {
        pen.put("no request is open; choose one in the list", theme.faint);
        return;
    };
    pen.put(&id.short(12), theme.id).skip(2);
    let (trace, timeline) = match (shared.traces.get(id), &screen.timeline) {
        (Some(Ok(Some(story))), Some(timeline)) => (&story.trace, timeline),
        (Some(Err(why)), _) => {
            pen.recorded(why, theme.bad);
            return;
        }
        (Some(Ok(None)), _) => {
            pen.put("is not in the store any more", theme.warn);
            return;
        }
        _ => {
            pen.put("loading", theme.faint);
            return;
        }
    };
    pen.recorded(&trace.method, theme.text).skip(1).recorded(&trace.path, theme.text).skip(2);
    pen.put(&trace.status.to_string(), theme.status(trace.status)).skip(2);
    pen.put(&duration::show(trace.duration_ns), theme.strong);
    for (line, run) in (1..area.height).zip(timeline.runs.iter().skip(screen.scroll.first)) {
        let at = screen.scroll.first + usize::from(line) - 1;
        let style = if at == screen.scroll.cursor { theme.chosen } else { theme.text };
        let mut pen = Pen::new(buffer, area, line, theme.glyphs.ellipsis);
        pen.skip(1).right(&duration::show(run.cpu_ns), 10, theme.faint).skip(2);
        pen.recorded(&run.step.name, style);
    }
}
