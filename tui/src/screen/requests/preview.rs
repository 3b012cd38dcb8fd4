//! Preview of the selected request beside the list: its summary and waterfall.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{time_uses, waterfall_rows};

use crate::draw::Pen;
use crate::index::RequestRow;
use crate::screen::timeline;
use crate::state::SharedState;

pub(super) fn draw(row: Option<&RequestRow<'_>>, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(row) = row else { return };
    let Some(loaded) = shared.traces.loaded(row.id) else {
        let text = match shared.traces.get(row.id) {
            Some(Err(why)) => why.as_str(),
            Some(Ok(_)) => "no longer in the store",
            None => "",
        };
        Pen::new(buffer, area, 0, theme.glyphs.ellipsis).skip(1).recorded(text, theme.secondary);
        return;
    };
    let lines = timeline::lines(loaded, None, area.width, shared);
    let height = (lines.len() as u16).min(area.height);
    for (at, line) in (0..height).zip(&lines) {
        line.draw(&mut Pen::new(buffer, area, at, theme.glyphs.ellipsis), theme);
    }
    let rest = Rect { y: area.y + height, height: area.height - height, ..area };
    let rows = waterfall_rows(&loaded.trace, &loaded.timeline, usize::from(rest.height));
    let time_uses = time_uses(&rows);
    timeline::Waterfall {
        rows: &rows,
        time_uses: &time_uses,
        loaded,
        first: 0,
        cursor: None,
        moment_ns: None,
    }
    .draw(rest, theme, buffer);
}
