//! Recorded and replayed response.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Clear, Widget};
use zerver_analysis::display;
use zerver_replay::Report;
use zerver_trace::text::clean;

use crate::draw::{Pen, split_columns, vertical_line};
use crate::screen::diff::push_changed_lines;
use crate::state::{LoadedTrace, SharedState};

/// Draws both responses beside each other.
pub(super) fn draw_response(
    loaded: &LoadedTrace,
    report: &Report,
    shared: &SharedState,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &shared.theme;
    let Some(replied) = &report.response else {
        Pen::new(buffer, area, 0, theme.glyphs.ellipsis)
            .skip(1)
            .put("none: the replay did not finish", theme.warn);
        return;
    };
    let then = display::wire(&loaded.trace.response_body.bytes);
    let now: Vec<String> = match &replied.body {
        Some(body) => body.split('\n').map(|line| clean(line).into_owned()).collect(),
        None => vec![format!("{} bytes of binary data", replied.body_bytes)],
    };
    let (left, middle, right) = split_columns(area, area.width / 2);
    vertical_line(middle, theme.border, theme, buffer);
    let side = |area: Rect, word: &str, status: u16, lines: &[String], buffer: &mut Buffer| {
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        pen.skip(1).put(word, theme.secondary).skip(1).put(&status.to_string(), theme.status(status));
        for (row, line) in (1..area.height).zip(lines) {
            Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(1).put(line, theme.text);
        }
    };
    side(left, "recorded", loaded.trace.status, &then, buffer);
    side(right, "replayed", replied.status, &now, buffer);
    // The differences follow below if there is room.
    let taken = u16::try_from(then.len().max(now.len())).unwrap_or(u16::MAX).saturating_add(1);
    if then != now && taken < area.height {
        let rest = Rect { y: area.y + taken, height: area.height - taken, ..area };
        Clear.render(rest.intersection(buffer.area), buffer);
        let mut lines = Vec::new();
        push_changed_lines(&then.join("\n"), &now.join("\n"), &mut lines);
        for (row, line) in (0..rest.height).zip(&lines) {
            line.draw(&mut Pen::new(buffer, rest, row, theme.glyphs.ellipsis), theme);
        }
    }
}
