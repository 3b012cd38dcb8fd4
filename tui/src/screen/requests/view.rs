//! How the list is drawn: only the rows that show.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_trace::duration;

use super::Requests;
use crate::draw::Pen;
use crate::index::Row;
use crate::shared::Shared;

/// Where the rows are, below the names of the columns.
pub(super) fn rows(area: Rect) -> Rect {
    let head = area.height.min(1);
    Rect { y: area.y + head, height: area.height - head, ..area }
}

pub(super) fn draw(requests: &Requests, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let columns = Columns::new(usize::from(area.width));
    let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
    columns.write(&mut pen, ["id", "age", "method", "path", "status", "took", "flow"], [theme.faint; 7]);
    let rows = rows(area);
    let mut scroll = requests.scroll(shared);
    scroll.keep(shared.index.len(), usize::from(rows.height));
    for line in 0..rows.height {
        let place = scroll.first + usize::from(line);
        let Some(row) = shared.index.nth_newest(place).and_then(|seq| shared.index.row(seq)) else { break };
        draw_row(&row, shared, &columns, rows, line, buffer);
        if place == scroll.cursor {
            let area = Rect { y: rows.y + line, height: 1, ..rows }.intersection(buffer.area);
            buffer.set_style(area, theme.chosen);
        }
    }
}

fn draw_row(row: &Row<'_>, shared: &Shared, columns: &Columns, area: Rect, line: u16, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let status = if row.status == 0 { "-".to_owned() } else { row.status.to_string() };
    let flow = if row.flow.is_empty() { "-" } else { row.flow };
    let (id, age) = (row.id.short(12), duration::age(shared.now_unix_ns, row.started_unix_ns));
    let took = duration::show(row.duration_ns);
    let status_style = if row.status == 0 { theme.bad } else { theme.status(row.status) };
    if shared.compared == Some(row.id) {
        Pen::new(buffer, area, line, theme.glyphs.ellipsis).put(theme.glyphs.mark, theme.mark);
    }
    let mut pen = Pen::new(buffer, area, line, theme.glyphs.ellipsis);
    columns.write(
        &mut pen,
        [&id, &age, row.method, row.path, &status, &took, flow],
        [theme.id, theme.faint, theme.text, theme.text, status_style, theme.text, theme.faint],
    );
}

/// How wide the columns are.
struct Columns {
    path: usize,
    flow: usize,
}

impl Columns {
    fn new(width: usize) -> Self {
        let rest = width.saturating_sub(1 + 13 + 2 + 4 + 2 + 6 + 2 + 2 + 6 + 2 + 9 + 2);
        let flow = (rest / 3).min(24);
        Self { path: rest - flow, flow }
    }

    fn write(&self, pen: &mut Pen<'_>, texts: [&str; 7], styles: [ratatui::style::Style; 7]) {
        let [id, age, method, path, status, took, flow] = texts;
        pen.skip(1).left(id, 13, styles[0]).skip(2).right(age, 4, styles[1]).skip(2);
        pen.recorded_left(method, 6, styles[2]).skip(2);
        pen.recorded_left(path, self.path, styles[3]).skip(2).right(status, 6, styles[4]).skip(2);
        pen.right(took, 9, styles[5]).skip(2).recorded_left(flow, self.flow, styles[6]);
    }
}
