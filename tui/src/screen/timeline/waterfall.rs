//! The waterfall: rows for the request, for each step and effect, and for the response, with bars on a common time
//! scale. The glyph of a bar shows how the time was spent; color is never the only cue.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use zerver_analysis::{RowState, RowSubject, TimeUse, WaterfallRow};
use zerver_trace::duration;

use crate::draw::{Pen, width};
use crate::state::LoadedTrace;
use crate::theme::Theme;

/// Maximum width of the text of a row.
const MAX_WORDS: usize = 64;

/// Data for drawing a waterfall.
pub(crate) struct Waterfall<'a> {
    pub(crate) rows: &'a [WaterfallRow],
    /// Kinds of bars that occur.
    pub(crate) time_uses: &'a [TimeUse],
    pub(crate) loaded: &'a LoadedTrace,
    /// First visible row.
    pub(crate) first: usize,
    /// Selected row, and whether the waterfall has the focus.
    pub(crate) cursor: Option<(usize, bool)>,
    /// Selected moment.
    pub(crate) moment_ns: Option<u64>,
}

/// Column widths.
struct WaterfallColumns {
    at: usize,
    took: usize,
    name: usize,
    words: usize,
    bars: usize,
}

impl Waterfall<'_> {
    /// Draws the headings and as many rows as fit.
    pub(crate) fn draw(&self, area: Rect, theme: &Theme, buffer: &mut Buffer) {
        let total_ns = self.loaded.timeline.totals.total_ns;
        let height = usize::from(area.height.saturating_sub(1));
        let shown = || self.rows.iter().enumerate().skip(self.first).take(height);
        let columns = self.columns(usize::from(area.width), height);
        let mut pen = Pen::new(buffer, area, 0, theme.glyphs.ellipsis);
        pen.skip(1).right("at", columns.at, theme.secondary);
        pen.skip(2).right("took", columns.took, theme.secondary);
        pen.skip(2 + columns.words + 2);
        draw_legend(&mut pen, self.time_uses, theme);
        for (line, (at, row)) in (1..area.height).zip(shown()) {
            let selected = self.cursor.filter(|(cursor, _)| *cursor == at);
            if let Some((_, has_keys)) = selected {
                let line = Rect { y: area.y + line, height: 1, ..area }.intersection(buffer.area);
                buffer.set_style(line, if has_keys { theme.selected } else { theme.selected_inactive });
            }
            let mut pen = Pen::new(buffer, area, line, theme.glyphs.ellipsis);
            let show = |ns: u64| theme.drawable(&duration::show(ns)).into_owned();
            pen.skip(1).right(&show(row.at_ns), columns.at, theme.secondary).skip(2);
            let has_no_time = row.subject == RowSubject::Response || row.state == RowState::Unknown;
            let took = if has_no_time { String::new() } else { show(row.took_ns) };
            pen.right(&took, columns.took, theme.text).skip(2);
            draw_words(&mut pen, row, &columns, theme);
            pen.skip(2);
            let x = area.right().saturating_sub(pen.room() as u16);
            let bars = Rect { x, y: area.y + line, width: columns.bars as u16, height: 1 };
            draw_bars(row, total_ns, self.moment_ns, bars, theme, buffer);
        }
    }

    fn columns(&self, room: usize, height: usize) -> WaterfallColumns {
        let shown = || self.rows.iter().skip(self.first).take(height);
        // All rows count, so that columns stay in place while scrolling.
        let widest = |ns: fn(&WaterfallRow) -> u64, title: &str| {
            self.rows.iter().map(|row| width(&duration::show(ns(row)))).max().unwrap_or(0).max(title.len())
        };
        let (at, took) = (widest(|row| row.at_ns, "at"), widest(|row| row.took_ns, "took"));
        let room = room.saturating_sub(1 + at + 2 + took + 2);
        let steps = shown().filter(|row| !matches!(row.subject, RowSubject::Effect(..)));
        let name = steps.map(|row| width(&row.name)).max().unwrap_or(0).min(24);
        let words = |row: &WaterfallRow| {
            let name =
                if matches!(row.subject, RowSubject::Effect(..)) { 4 + width(&row.name) } else { 2 + name };
            name + if row.outcome.is_empty() { 0 } else { 2 + width(&row.outcome) }
        };
        let widest = shown().map(words).max().unwrap_or(0);
        let least_bars = (room / 3).max(8);
        let words = widest.min(MAX_WORDS.max(room / 2)).min(room.saturating_sub(least_bars + 2));
        WaterfallColumns { at, took, name, words, bars: room.saturating_sub(words + 2) }
    }
}

/// Draws the legend of the bars that occur.
fn draw_legend(pen: &mut Pen<'_>, time_uses: &[TimeUse], theme: &Theme) {
    for time_uses in time_uses {
        let name = match time_uses {
            TimeUse::Cpu => "cpu",
            TimeUse::Effect => "effect",
            TimeUse::Queue => "queue",
            TimeUse::Retry => "retried",
            TimeUse::Receive => "body",
        };
        if pen.room() > name.len() + 3 {
            let (sign, style) = sign(*time_uses, theme);
            pen.put(sign, style).skip(1).put(name, theme.secondary).skip(2);
        }
    }
}

const fn sign(time_uses: TimeUse, theme: &Theme) -> (&'static str, Style) {
    let glyphs = theme.glyphs;
    match time_uses {
        TimeUse::Receive => (glyphs.receive, theme.secondary),
        TimeUse::Queue => (glyphs.queue, theme.queue),
        TimeUse::Cpu => (glyphs.cpu, theme.cpu),
        TimeUse::Effect => (glyphs.effect, theme.effect),
        TimeUse::Retry => (glyphs.retry, theme.retry),
    }
}

/// Returns the style of what ended the request without success; `None` for anything else.
const fn bad_style(state: RowState, theme: &Theme) -> Option<Style> {
    match state {
        RowState::Failed => Some(theme.bad),
        RowState::ClientError => Some(theme.client_error),
        RowState::Good | RowState::Unknown => None,
    }
}

/// Draws marker, name and outcome.
fn draw_words(pen: &mut Pen<'_>, row: &WaterfallRow, columns: &WaterfallColumns, theme: &Theme) {
    let glyphs = theme.glyphs;
    let before = pen.room();
    let is_effect = matches!(row.subject, RowSubject::Effect(..));
    let bad = bad_style(row.state, theme);
    let mark = match (row.subject, row.state) {
        (RowSubject::Effect(..), _) => (glyphs.effect_of, theme.secondary),
        (RowSubject::Response, RowState::ClientError) => (glyphs.dot, theme.secondary),
        (_, RowState::Failed | RowState::ClientError) => (glyphs.bad, theme.secondary),
        (_, RowState::Unknown) => (glyphs.unknown, theme.warn),
        (RowSubject::Run(_), RowState::Good) => (glyphs.good, theme.good),
        (RowSubject::Request | RowSubject::Response, RowState::Good) => (glyphs.dot, theme.secondary),
    };
    if is_effect {
        pen.skip(2);
    }
    pen.put(mark.0, bad.unwrap_or(mark.1)).skip(1);
    let name_style = match row.subject {
        RowSubject::Run(_) => theme.strong,
        RowSubject::Effect(..) => theme.text,
        RowSubject::Request | RowSubject::Response => theme.secondary,
    };
    let room = columns.words.saturating_sub(before - pen.room());
    let wanted = if row.outcome.is_empty() { 0 } else { width(&row.outcome) + 2 };
    let name = if is_effect {
        // The outcome is truncated first, down to half of the space.
        width(&row.name).min(room.saturating_sub(wanted.min(room / 2)))
    } else {
        columns.name.min(room)
    };
    pen.recorded_left(&row.name, name, name_style);
    let left = room.saturating_sub(name + 2);
    if !row.outcome.is_empty() && left > 0 {
        pen.skip(2).recorded_left(&row.outcome, left, bad.unwrap_or(theme.secondary));
    }
    let taken = before - pen.room();
    pen.skip(columns.words.saturating_sub(taken));
}

fn draw_bars(
    row: &WaterfallRow,
    total_ns: u64,
    moment_ns: Option<u64>,
    area: Rect,
    theme: &Theme,
    buffer: &mut Buffer,
) {
    let area = area.intersection(buffer.area);
    if total_ns == 0 || area.is_empty() {
        return;
    }
    let columns = u128::from(area.width);
    let scale = |at: u64| u128::from(at.min(total_ns)) * columns * 8 / u128::from(total_ns);
    let column = |at: u64| ((scale(at) / 8) as u16).min(area.width - 1);
    if let Some(moment) = moment_ns {
        let cell = &mut buffer[(area.x + column(moment), area.y)];
        cell.set_symbol(theme.glyphs.vertical).set_style(theme.border);
    }
    for (time_uses, from, to) in &row.spans {
        if to <= from && *time_uses != TimeUse::Effect && *time_uses != TimeUse::Cpu {
            continue;
        }
        let (symbol, style) = sign(*time_uses, theme);
        let style = match bad_style(row.state, theme) {
            Some(bad) if *time_uses != TimeUse::Queue => style.patch(bad),
            _ => style,
        };
        let (first, eighths) = (column(*from), scale(*to) - scale(*from));
        // A bar shorter than a column keeps its length; a longer one keeps its ends.
        let end = (scale(*to).div_ceil(8) as u16).clamp(first + 1, area.width);
        for x in first..end {
            buffer[(area.x + x, area.y)].set_symbol(symbol).set_style(style);
        }
        if *time_uses == TimeUse::Cpu {
            let last = if end - first == 1 { eighths.max(1) } else { (scale(*to) + 7) % 8 + 1 };
            let last = theme.glyphs.eighths[(last.clamp(1, 8) - 1) as usize];
            buffer[(area.x + end - 1, area.y)].set_symbol(last);
        }
    }
}
