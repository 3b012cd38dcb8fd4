//! Drawing of the diff screen: both waterfalls on one scale, one line per step.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{DiffRow as Pair, RowStatus};
use zerver_trace::duration;

use super::diff_lines::{DiffLines, name_width, time, verdict};
use super::state::{DiffScreen, Pane, areas, details};
use crate::draw::{Pen, fit, scrollbar, titled_rule, vertical_line, width};
use crate::state::SharedState;

pub(super) fn draw(screen: &DiffScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(diff_lines) = &screen.diff_lines else {
        return draw_missing(screen, shared, area, buffer);
    };
    let areas = areas(diff_lines, shared, area);
    for (row, (id, heading)) in (0..).zip(&diff_lines.headings) {
        let mut pen = Pen::new(buffer, areas.headings, row, theme.glyphs.ellipsis);
        pen.skip(1).put(["a", "b"][usize::from(row)], theme.info).skip(1);
        heading.draw(pen.put(&shared.index.short_id(*id), theme.id), theme);
    }
    let style = if diff_lines.is_slower { theme.bad } else { theme.strong };
    for (row, line) in (0..).zip(verdict(diff_lines, shared, area.width)) {
        Pen::new(buffer, areas.verdict, row, theme.glyphs.ellipsis).skip(1).put(&line, style);
    }
    let style = |pane: Pane| if screen.pane == pane { theme.focus } else { theme.border };
    let [upper, lower, both] = theme.glyphs.pair;
    let legend = format!("steps: a, b, b-a   {upper} a  {lower} b  {both} both");
    titled_rule(areas.rows_title, &legend, style(Pane::Rows), theme, buffer);
    titled_rule(areas.details_title, "differences", style(Pane::Details), theme, buffer);
    vertical_line(areas.wall, theme.border, theme, buffer);
    draw_rows(screen, diff_lines, shared, areas.rows, buffer);
    let mut scroll = screen.details;
    let lines = details(diff_lines, shared, area);
    scroll.clamp(lines.len(), usize::from(areas.details.height));
    // The last column belongs to the scroll bar.
    let text = Rect { width: areas.details.width.saturating_sub(1), ..areas.details };
    for (row, line) in (0..areas.details.height).zip(lines.iter().skip(scroll.first)) {
        line.draw(Pen::new(buffer, text, row, theme.glyphs.ellipsis).skip(1), theme);
    }
    if screen.pane == Pane::Details {
        scroll.highlight_cursor(areas.details, theme.selected, buffer);
    }
    scrollbar(areas.details, scroll.first, lines.len(), theme, buffer);
}

fn draw_missing(screen: &DiffScreen, shared: &SharedState, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some((a, b)) = screen.ids else {
        let remark = match shared.diff_base {
            Some(id) => format!("a is {}. Select b in the list (1) and press d.", shared.index.short_id(id)),
            None => {
                "Nothing to compare. In the list (1), press d on one request, then on another.".to_owned()
            }
        };
        Pen::new(buffer, area, 1, theme.glyphs.ellipsis).skip(2).put(&remark, theme.secondary);
        return;
    };
    for (row, (label, id)) in [("a", a), ("b", b)].into_iter().enumerate() {
        let mut pen = Pen::new(buffer, area, row as u16, theme.glyphs.ellipsis);
        pen.skip(1).put(label, theme.info).skip(1).put(&shared.index.short_id(id), theme.id).skip(2);
        match shared.traces.get(id) {
            None => pen.put("loading", theme.secondary),
            Some(Ok(Some(_))) => pen.put("loaded", theme.secondary),
            Some(Ok(None)) => pen.put("no longer in the store", theme.warn),
            Some(Err(why)) => pen.recorded(why, theme.bad),
        };
    }
}

fn draw_rows(
    screen: &DiffScreen,
    diff_lines: &DiffLines,
    shared: &SharedState,
    area: Rect,
    buffer: &mut Buffer,
) {
    let theme = &shared.theme;
    let mut scroll = screen.rows;
    scroll.clamp(diff_lines.lines.len(), usize::from(area.height));
    // The numbers get the width they need, the names up to three quarters of the rest, and the bars what remains.
    let numbers: usize = diff_lines.columns.iter().sum::<usize>() + 6;
    let rest = usize::from(area.width).saturating_sub(numbers + 5);
    let name = diff_lines.names.min(rest - rest / 4);
    let bars = rest - name;
    for (row, line) in (0..area.height).zip(diff_lines.lines.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        let (sign, style) = match line.status {
            RowStatus::OnlyA => ("-", theme.bad),
            RowStatus::OnlyB => ("+", theme.good),
            RowStatus::Differs => (theme.glyphs.differs, theme.warn),
            RowStatus::Same => (" ", theme.text),
        };
        pen.skip(1).put(sign, style).skip(1);
        draw_name(line, name, shared, &mut pen);
        let [a, b, delta] = diff_lines.columns;
        let style = match line.delta_ns().signum() * i128::from(is_much(line, diff_lines)) {
            0 => theme.secondary,
            1 => theme.bad,
            _ => theme.good,
        };
        pen.skip(2).right(&shared.drawable(&time(line.a_ns())), a, theme.text);
        pen.skip(2).right(&shared.drawable(&time(line.b_ns())), b, theme.text);
        pen.skip(2).right(&shared.drawable(&duration::show_signed(line.delta_ns())), delta, style).skip(1);
        draw_bars(line, diff_lines, bars, shared, &mut pen);
    }
    if screen.pane == Pane::Rows {
        scroll.highlight_cursor(area, theme.selected, buffer);
    }
    scrollbar(area, scroll.first, diff_lines.lines.len(), theme, buffer);
}

/// Returns true if the difference is at least 1 % of the total time.
fn is_much(line: &Pair, diff_lines: &DiffLines) -> bool {
    line.delta_ns().unsigned_abs() * 100 >= u128::from(diff_lines.scale_ns)
}

fn draw_name(line: &Pair, columns: usize, shared: &SharedState, pen: &mut Pen<'_>) {
    let theme = &shared.theme;
    let remark = theme.drawable(&line.summary);
    // The remark gets what the name leaves, or at least two fifths.
    let spare = columns.saturating_sub(name_width(line)).max(columns * 2 / 5);
    let wanted = if remark.is_empty() { 0 } else { (2 + width(&remark)).min(spare) };
    let before = pen.room();
    if line.is_effect {
        pen.skip(2).put(theme.glyphs.effect_of, theme.secondary).skip(1);
    }
    let taken = before - pen.room();
    let style = if line.is_effect { theme.text } else { theme.strong };
    pen.put(&fit(&line.name, columns.saturating_sub(wanted + taken), theme.glyphs.ellipsis), style);
    let left = columns.saturating_sub(before - pen.room() + 2);
    if wanted > 0 {
        pen.skip(2).put(&fit(&remark, left, theme.glyphs.ellipsis), theme.secondary);
    }
    let taken = before - pen.room();
    pen.skip(columns.saturating_sub(taken));
}

/// Draws both bars on one scale: the first request above, the second below.
fn draw_bars(line: &Pair, diff_lines: &DiffLines, columns: usize, shared: &SharedState, pen: &mut Pen<'_>) {
    let theme = &shared.theme;
    let style = if line.is_effect { theme.effect } else { theme.cpu };
    let of = |stretch: Option<(u64, u64)>| stretch.map_or(0..0, |of| cells(of, diff_lines.scale_ns, columns));
    let (a, b) = (of(line.a), of(line.b));
    let [upper, lower, both] = theme.glyphs.pair;
    let mut drawn = String::new();
    for cell in 0..a.end.max(b.end) {
        drawn += match (a.contains(&cell), b.contains(&cell)) {
            (true, true) => both,
            (true, false) => upper,
            (false, true) => lower,
            (false, false) => " ",
        };
    }
    pen.put(&drawn, style);
}

/// Returns the columns covered by a bar (start, length), at least one.
fn cells((start, len): (u64, u64), scale_ns: u64, columns: usize) -> std::ops::Range<usize> {
    if scale_ns == 0 || columns == 0 {
        return 0..0;
    }
    let at = |ns: u64| u128::from(ns.min(scale_ns)) * columns as u128;
    let from = (at(start) / u128::from(scale_ns)).min(columns as u128 - 1) as usize;
    let to = at(start.saturating_add(len)).div_ceil(u128::from(scale_ns)) as usize;
    from..to.clamp(from + 1, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_to_scale_and_stay_inside() {
        for (stretch, wanted) in [
            ((0, 100), 0..10),
            ((0, 0), 0..1),
            ((50, 50), 5..10),
            ((55, 1), 5..6),
            ((100, 0), 9..10),
            ((99, u64::MAX), 9..10),
            ((u64::MAX, u64::MAX), 9..10),
        ] {
            assert_eq!(cells(stretch, 100, 10), wanted, "{stretch:?}");
        }
        assert_eq!(cells((0, 1), 0, 10), 0..0);
        assert_eq!(cells((0, 1), 1, 0), 0..0);
    }
}
