//! Recorded and replayed response.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::display;
use zerver_replay::Report;
use zerver_replay::value::json_lines::json_lines;
use zerver_trace::text::clean;

use crate::draw::{Pen, StyledLine, Tone};
use crate::screen::diff::push_body_changes;
use crate::state::{LoadedTrace, SharedState};

/// Maximum number of lines of a body.
const MAX_LINES: usize = 500;

/// Draws both statuses and what differs between the bodies, or the body if it is the same.
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
    let mut head = StyledLine::new("recorded ", Tone::Secondary)
        .with(loaded.trace.status.to_string(), Tone::Status(loaded.trace.status))
        .with(", replayed ", Tone::Secondary)
        .with(replied.status.to_string(), Tone::Status(replied.status));
    let mut lines = Vec::new();
    match &replied.body {
        Some(body) => {
            let then = display::wire(&loaded.trace.response_body.bytes).join("\n");
            let now: Vec<_> = body.split('\n').map(clean).collect();
            push_body_changes(&then, &now.join("\n"), &mut lines);
            head = head.with(if lines.is_empty() { "; the same body" } else { "" }, Tone::Secondary);
            if lines.is_empty() {
                let columns = usize::from(area.width).saturating_sub(2);
                lines.extend(body_lines(body, columns).into_iter().take(MAX_LINES));
            }
        }
        None => {
            let remark = format!("{} bytes of binary data", replied.body_bytes);
            lines.push(StyledLine::new(remark, Tone::Secondary));
        }
    }
    for (row, line) in (0..area.height).zip([head].iter().chain(&lines)) {
        line.draw(Pen::new(buffer, area, row, theme.glyphs.ellipsis).skip(1), theme);
    }
}

/// Returns a body as lines; JSON is indented.
fn body_lines(body: &str, columns: usize) -> Vec<StyledLine> {
    match json_lines(body.as_bytes(), columns) {
        Some(lines) => lines
            .iter()
            .map(|line| StyledLine::new(format!("{}{}", "  ".repeat(line.depth), line.text), Tone::Text))
            .collect(),
        None => body.lines().map(|line| StyledLine::new(line, Tone::Text)).collect(),
    }
}
