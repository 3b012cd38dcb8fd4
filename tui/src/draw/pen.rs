//! Writes texts on a line, from left to right. Recorded texts are cleaned here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use zerver_trace::text::clean;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The text cut to so many columns, with an ellipsis where something is missing.
pub(crate) fn fit(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let Some(room) = columns.checked_sub(width(ellipsis)) else { return String::new() };
    let mut taken = 0;
    let is_in = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken <= room
    };
    let mut out: String = text.chars().take_while(is_in).collect();
    out.push_str(ellipsis);
    out
}

/// Writes on one line of an area.
pub(crate) struct Pen<'b> {
    buffer: &'b mut Buffer,
    x: u16,
    /// One past the last column.
    end: u16,
    y: u16,
    ellipsis: &'static str,
}

impl<'b> Pen<'b> {
    /// On the line `row` of `area`; what lies outside of the area is not drawn.
    pub(crate) fn new(buffer: &'b mut Buffer, area: Rect, row: u16, ellipsis: &'static str) -> Self {
        let area = area.intersection(buffer.area);
        let is_in = row < area.height;
        Self {
            buffer,
            x: area.x,
            end: if is_in { area.right() } else { area.x },
            y: area.y.saturating_add(row),
            ellipsis,
        }
    }

    /// How many columns are left.
    pub(crate) const fn room(&self) -> usize {
        self.end.saturating_sub(self.x) as usize
    }

    /// Writes a text of our own, cut if it is too long.
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        // Most texts are plain, and need not be taken apart into characters of some width.
        if text.len() <= room && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            for c in text.chars() {
                self.buffer[(self.x, self.y)].set_char(c).set_style(style);
                self.x += 1;
            }
        } else if room > 0 && !text.is_empty() {
            let text = fit(text, room, self.ellipsis);
            let (x, _) = self.buffer.set_stringn(self.x, self.y, &text, room, style);
            self.x = x;
        }
        self
    }

    /// Writes a recorded text.
    pub(crate) fn recorded(&mut self, text: &str, style: Style) -> &mut Self {
        // What cannot be seen need not be cleaned.
        let start = &text[..text.floor_char_boundary(self.room() * 4 + 4)];
        let cleaned = clean(start);
        self.put(&cleaned, style)
    }

    /// Writes a text into a field of so many columns, from its left.
    pub(crate) fn left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let text = fit(text, columns.min(self.room()), self.ellipsis);
        let taken = width(&text);
        self.put(&text, style).skip(columns.saturating_sub(taken))
    }

    /// The same for a recorded text.
    pub(crate) fn recorded_left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let start = &text[..text.floor_char_boundary(columns * 4 + 4)];
        self.left(&clean(start), columns, style)
    }

    /// The same; the characters at the places that `marked` gives for it have a style of their own.
    pub(crate) fn recorded_marked(
        &mut self,
        text: &str,
        columns: usize,
        style: Style,
        (marked, mark): (impl Fn(&str) -> Vec<usize>, Style),
    ) -> &mut Self {
        let start = &text[..text.floor_char_boundary(columns * 4 + 4)];
        let cleaned = clean(start);
        let places = marked(&cleaned);
        let shown = fit(&cleaned, columns.min(self.room()), self.ellipsis);
        let (mut x, y) = (self.x, self.y);
        self.left(&cleaned, columns, style);
        for (at, (c, is)) in shown.chars().zip(cleaned.chars()).enumerate() {
            if c == is && x < self.end && places.contains(&at) {
                self.buffer[(x, y)].set_style(mark);
            }
            x += c.width().unwrap_or(0) as u16;
        }
        self
    }

    /// Writes a text of our own into a field of so many columns, to its right.
    pub(crate) fn right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let text = fit(text, columns.min(self.room()), self.ellipsis);
        self.skip(columns.saturating_sub(width(&text))).put(&text, style)
    }

    /// Leaves columns as they are.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.x = self.x.saturating_add(u16::try_from(columns).unwrap_or(u16::MAX)).min(self.end);
        self
    }

    /// Goes to where `columns` are left, if it is not beyond that already.
    pub(crate) fn until(&mut self, columns: usize) -> &mut Self {
        self.skip(self.room().saturating_sub(columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_columns() {
        for (text, columns, wanted) in [
            ("todo", 4, "todo"),
            ("todos", 4, "tod…"),
            ("漢字漢字", 7, "漢字漢…"),
            ("漢字漢字", 6, "漢字…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            assert_eq!(fit(text, columns, "…"), wanted);
        }
    }

    #[test]
    fn characters_are_marked_where_they_are_drawn() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        let area = buffer.area;
        let marked = |text: &str| (0..text.chars().count()).filter(|at| at % 2 == 1).collect();
        let mark = Style::new().add_modifier(ratatui::style::Modifier::BOLD);
        Pen::new(&mut buffer, area, 0, "…").recorded_marked("漢字ab漢", 6, Style::new(), (marked, mark));
        let bold: Vec<u16> = (0..6).filter(|x| !buffer[(*x, 0)].modifier.is_empty()).collect();
        assert_eq!((buffer[(5, 0)].symbol(), bold), ("…", vec![2]));
    }

    #[test]
    fn nothing_is_drawn_outside() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 8, 2));
        let area = Rect::new(2, 1, 4, 1);
        Pen::new(&mut buffer, area, 0, "…").put("ab", Style::new()).recorded("\u{1b}[31mlong", Style::new());
        Pen::new(&mut buffer, area, 1, "…").put("below", Style::new());
        Pen::new(&mut buffer, Rect::new(0, 0, 99, 99), 9, "…").put("far below", Style::new());
        assert_eq!(buffer, Buffer::with_lines(["        ", "  ab\\…  "]));
    }
}
