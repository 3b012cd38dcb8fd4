//! Borders, rules and scroll bars.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::pen::Pen;
use crate::theme::Theme;

/// Clears an area, draws a titled border around it and returns the area inside.
pub(crate) fn border(area: Rect, title: &str, style: Style, theme: &Theme, buffer: &mut Buffer) -> Rect {
    let area = area.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            buffer[(x, y)].reset();
        }
    }
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let glyphs = theme.glyphs;
    let (left, right, top, bottom) = (area.x, area.right() - 1, area.y, area.bottom() - 1);
    for x in left + 1..right {
        for y in [top, bottom] {
            buffer[(x, y)].set_symbol(glyphs.horizontal).set_style(style);
        }
    }
    for y in top + 1..bottom {
        for x in [left, right] {
            buffer[(x, y)].set_symbol(glyphs.vertical).set_style(style);
        }
    }
    for ((x, y), corner) in
        [(left, top), (right, top), (left, bottom), (right, bottom)].into_iter().zip(glyphs.corners)
    {
        buffer[(x, y)].set_symbol(corner).set_style(style);
    }
    if !title.is_empty() && area.width > 6 {
        let line = Rect { x: left + 2, width: area.width - 4, height: 1, ..area };
        Pen::new(buffer, line, 0, glyphs.ellipsis).put(&format!(" {title} "), style);
    }
    Rect::new(left + 1, top + 1, area.width - 2, area.height - 2)
}

/// Draws a horizontal line with a title.
pub(crate) fn titled_rule(area: Rect, title: &str, style: Style, theme: &Theme, buffer: &mut Buffer) {
    let area = Rect { height: area.height.min(1), ..area }.intersection(buffer.area);
    for x in area.left()..area.right() {
        if area.height > 0 {
            buffer[(x, area.y)].set_symbol(theme.glyphs.horizontal).set_style(style);
        }
    }
    if !title.is_empty() && area.width > 4 {
        let line = Rect { x: area.x + 1, width: area.width - 2, ..area };
        Pen::new(buffer, line, 0, theme.glyphs.ellipsis).put(&format!(" {title} "), style);
    }
}

/// Draws a vertical line.
pub(crate) fn vertical_line(area: Rect, style: Style, theme: &Theme, buffer: &mut Buffer) {
    let area = Rect { width: area.width.min(1), ..area }.intersection(buffer.area);
    for y in area.top()..area.bottom() {
        if area.width > 0 {
            buffer[(area.x, y)].set_symbol(theme.glyphs.vertical).set_style(style);
        }
    }
}

/// Draws the scroll bar of a list of `len` rows on the right edge of an area.
pub(crate) fn scrollbar(area: Rect, first: usize, len: usize, theme: &Theme, buffer: &mut Buffer) {
    let height = usize::from(area.height);
    if len <= height || height == 0 || area.width == 0 {
        return;
    }
    let size = (height * height / len).clamp(1, height);
    let top = (first.min(len - height) * (height - size)).div_ceil(len - height);
    let x = area.right() - 1;
    for line in top..(top + size).min(height) {
        let place = (x, area.y + line as u16);
        if buffer.area.contains(place.into()) {
            buffer[place].set_symbol(theme.glyphs.scrollbar).set_style(theme.border);
        }
    }
}
