//! How two requests are drawn side by side: both waterfalls on one scale, in one line for each step.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use zerver_analysis::{DiffRow as Pair, RowStatus};

use super::account::{Account, time};
use super::{DiffScreen, Pane};
use crate::draw::{Pen, Stack, beside, fit, rule, thumb, wall, width};
use crate::shared::Shared;

/// From this width on, what differs stands beside the steps.
const WIDE: u16 = 150;
/// The verdict takes so many lines at most.
const MAX_VERDICT: usize = 3;

/// Where things are.
pub(super) struct Areas {
    heads: Rect,
    verdict: Rect,
    rows_title: Rect,
    pub(super) rows: Rect,
    wall: Rect,
    details_title: Rect,
    pub(super) details: Rect,
}

pub(super) fn areas(account: &Account, shared: &Shared, area: Rect) -> Areas {
    let mut stack = Stack::new(area);
    let heads = stack.take(2);
    let verdict = stack.take(verdict(account, shared, area.width).len());
    let titles = stack.take(1);
    if area.width >= WIDE {
        let body = stack.take(usize::MAX);
        let left = body.width * 11 / 20;
        let ((rows_title, _, details_title), (rows, wall, details)) =
            (beside(titles, left), beside(body, left));
        return Areas { heads, verdict, rows_title, rows, wall, details_title, details };
    }
    // The steps get what they need, up to the half, and more where what differs needs less.
    let left = stack.left().saturating_sub(1);
    let most = (left / 2).max(left.saturating_sub(account.details.len()));
    let rows = stack.take(account.lines.len().min(most));
    let (details_title, details) = (stack.take(1), stack.take(usize::MAX));
    Areas { heads, verdict, rows_title: titles, rows, wall: Rect::default(), details_title, details }
}

pub(super) fn draw(screen: &DiffScreen, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some(account) = &screen.account else {
        return draw_missing(screen, shared, area, buffer);
    };
    let areas = areas(account, shared, area);
    for (row, head) in (0..).zip(&account.heads) {
        head.draw(&mut Pen::new(buffer, areas.heads, row, theme.glyphs.ellipsis), theme);
    }
    let style = if account.is_slower { theme.bad } else { theme.strong };
    for (row, line) in (0..).zip(verdict(account, shared, area.width)) {
        Pen::new(buffer, areas.verdict, row, theme.glyphs.ellipsis).skip(1).put(&line, style);
    }
    let style = |pane: Pane| if screen.pane == pane { theme.focus } else { theme.border };
    let [upper, lower, both] = theme.glyphs.pair;
    let unit = shared.say(account.unit.name);
    let legend = format!("steps, in {unit}: a, b, and b-a   {upper} a  {lower} b  {both} both");
    rule(areas.rows_title, &legend, style(Pane::Rows), theme, buffer);
    rule(areas.details_title, "what differs", style(Pane::Details), theme, buffer);
    wall(areas.wall, theme.border, theme, buffer);
    draw_rows(screen, account, shared, areas.rows, buffer);
    let mut scroll = screen.details;
    scroll.keep(account.details.len(), usize::from(areas.details.height));
    // The last column is the thumb's.
    let text = Rect { width: areas.details.width.saturating_sub(1), ..areas.details };
    for (row, line) in (0..areas.details.height).zip(account.details.iter().skip(scroll.first)) {
        line.draw(Pen::new(buffer, text, row, theme.glyphs.ellipsis).skip(1), theme);
    }
    if screen.pane == Pane::Details {
        scroll.show(areas.details, theme.chosen, buffer);
    }
    thumb(areas.details, scroll.first, account.details.len(), theme, buffer);
}

fn draw_missing(screen: &DiffScreen, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let Some((a, b)) = screen.ids else {
        let said = match shared.compared {
            Some(id) => format!(
                "{} is the first of two. 1 shows the list; choose the other and press d.",
                id.short(12)
            ),
            None => "No requests are compared. 1 shows the list; press d on one request, and d on another."
                .to_owned(),
        };
        Pen::new(buffer, area, 1, theme.glyphs.ellipsis).skip(2).put(&said, theme.faint);
        return;
    };
    for (row, (label, id)) in [("a", a), ("b", b)].into_iter().enumerate() {
        let mut pen = Pen::new(buffer, area, row as u16, theme.glyphs.ellipsis);
        pen.skip(1).put(label, theme.noted).skip(1).put(&id.short(12), theme.id).skip(2);
        match shared.traces.get(id) {
            None => pen.put("loading", theme.faint),
            Some(Ok(Some(_))) => pen.put("loaded", theme.faint),
            Some(Ok(None)) => pen.put("is not in the store any more", theme.warn),
            Some(Err(why)) => pen.recorded(why, theme.bad),
        };
    }
}

/// The verdict on as many lines as it needs.
fn verdict(account: &Account, shared: &Shared, columns: u16) -> Vec<String> {
    let text = shared.say(&account.verdict);
    let room = usize::from(columns).saturating_sub(2);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let is_full = lines.len() >= MAX_VERDICT;
        match lines.last_mut() {
            // The last line takes the rest, and is cut.
            Some(line) if is_full || width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn draw_rows(screen: &DiffScreen, account: &Account, shared: &Shared, area: Rect, buffer: &mut Buffer) {
    let theme = &shared.theme;
    let mut scroll = screen.rows;
    scroll.keep(account.lines.len(), usize::from(area.height));
    // The numbers take what they need, and so do the names, but for a quarter of the rest, which is the least for bars.
    let numbers: usize = account.columns.iter().sum::<usize>() + 6;
    let rest = usize::from(area.width).saturating_sub(numbers + 5);
    let name = account.names.min(rest - rest / 4);
    let bars = rest - name;
    for (row, line) in (0..area.height).zip(account.lines.iter().skip(scroll.first)) {
        let mut pen = Pen::new(buffer, area, row, theme.glyphs.ellipsis);
        let (sign, style) = match line.status {
            RowStatus::OnlyA => ("-", theme.bad),
            RowStatus::OnlyB => ("+", theme.good),
            RowStatus::Differs => (theme.glyphs.differs, theme.warn),
            RowStatus::Same => (" ", theme.text),
        };
        pen.skip(1).put(sign, style).skip(1);
        draw_name(line, name, shared, &mut pen);
        let [a, b, delta] = account.columns;
        let unit = account.unit;
        let style = match line.delta_ns().signum() * i128::from(is_much(line, account)) {
            0 => theme.faint,
            1 => theme.bad,
            _ => theme.good,
        };
        pen.skip(2).right(&time(line.a_ns(), unit), a, theme.text);
        pen.skip(2).right(&time(line.b_ns(), unit), b, theme.text);
        pen.skip(2).right(&unit.signed(line.delta_ns()), delta, style).skip(1);
        draw_bars(line, account, bars, shared, &mut pen);
    }
    if screen.pane == Pane::Rows {
        scroll.show(area, theme.chosen, buffer);
    }
    thumb(area, scroll.first, account.lines.len(), theme, buffer);
}

/// Whether a row has a hundredth of the whole time for its own.
fn is_much(line: &Pair, account: &Account) -> bool {
    line.delta_ns().unsigned_abs() * 100 >= u128::from(account.scale_ns)
}

/// How wide a name is, with what stands before that of an effect.
pub(super) fn name_width(line: &Pair) -> usize {
    width(&line.name) + if line.is_effect { 4 } else { 0 }
}

fn draw_name(line: &Pair, columns: usize, shared: &Shared, pen: &mut Pen<'_>) {
    let theme = &shared.theme;
    let said = theme.say(&line.summary);
    // What is said gets what the name leaves, or two fifths.
    let spare = columns.saturating_sub(name_width(line)).max(columns * 2 / 5);
    let wanted = if said.is_empty() { 0 } else { (2 + width(&said)).min(spare) };
    let before = pen.room();
    if line.is_effect {
        pen.skip(2).put(theme.glyphs.effect_of, theme.faint).skip(1);
    }
    let taken = before - pen.room();
    let style = if line.is_effect { theme.text } else { theme.strong };
    pen.put(&fit(&line.name, columns.saturating_sub(wanted + taken), theme.glyphs.ellipsis), style);
    let left = columns.saturating_sub(before - pen.room() + 2);
    if wanted > 0 {
        pen.skip(2).put(&fit(&said, left, theme.glyphs.ellipsis), theme.faint);
    }
    let taken = before - pen.room();
    pen.skip(columns.saturating_sub(taken));
}

/// Both stretches on one scale: the first above, the second below.
fn draw_bars(line: &Pair, account: &Account, columns: usize, shared: &Shared, pen: &mut Pen<'_>) {
    let theme = &shared.theme;
    let style = if line.is_effect { theme.effect } else { theme.cpu };
    let of = |stretch: Option<(u64, u64)>| stretch.map_or(0..0, |of| cells(of, account.scale_ns, columns));
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

/// The columns that a stretch (start, length) takes, of those that stand for `scale_ns`; at least one.
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
    fn stretches_are_to_scale_and_never_outside() {
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
