//! Writes text on a line, from left to right. Recorded text is sanitized here.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use zerver_trace::text::clean;

use super::text_width::{clusters, fit, start, width};

/// Cursor on one line of an area.
pub(crate) struct Pen<'b> {
    buffer: &'b mut Buffer,
    x: u16,
    /// Column after the last one.
    end: u16,
    y: u16,
    ellipsis: &'static str,
}

impl<'b> Pen<'b> {
    /// Starts at the left of line `row` of `area`.
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

    /// Number of remaining columns.
    pub(crate) const fn room(&self) -> usize {
        self.end.saturating_sub(self.x) as usize
    }

    /// Writes trusted text, truncated to the remaining columns.
    pub(crate) fn put(&mut self, text: &str, style: Style) -> &mut Self {
        let room = self.room();
        // Fast path: most text is printable ASCII, one column per byte.
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

    /// Writes recorded text.
    pub(crate) fn recorded(&mut self, text: &str, style: Style) -> &mut Self {
        let cleaned = self.cleaned(text, self.room());
        self.put(&cleaned, style)
    }

    /// Returns recorded text sanitized, as far as it is visible in `columns`.
    fn cleaned<'t>(&self, text: &'t str, columns: usize) -> Cow<'t, str> {
        let start = start(text, columns);
        let cleaned = clean(start);
        if start.len() < text.len() && width(&cleaned) <= columns {
            return Cow::Owned(format!("{cleaned}{}", self.ellipsis));
        }
        cleaned
    }

    /// Writes trusted text left-aligned in a field of `columns`.
    pub(crate) fn left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let text = fit(text, columns.min(self.room()), self.ellipsis);
        let taken = width(&text);
        self.put(&text, style).skip(columns.saturating_sub(taken))
    }

    /// Writes recorded text left-aligned in a field of `columns`.
    pub(crate) fn recorded_left(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let cleaned = self.cleaned(text, columns);
        self.left(&cleaned, columns, style)
    }

    /// Writes recorded text left-aligned in a field, and highlights the characters at the positions that `marked`
    /// returns for the sanitized text.
    pub(crate) fn recorded_marked(
        &mut self,
        text: &str,
        columns: usize,
        style: Style,
        (marked, mark): (impl Fn(&str) -> Vec<usize>, Style),
    ) -> &mut Self {
        let cleaned = self.cleaned(text, columns);
        let places = marked(&cleaned);
        let shown = fit(&cleaned, columns.min(self.room()), self.ellipsis);
        let (mut x, y) = (self.x, self.y);
        self.left(&cleaned, columns, style);
        let mut at = 0;
        for (end, cluster, wide) in clusters(&shown) {
            let next = at + cluster.chars().count();
            let is_ellipsis = cleaned.get(end - cluster.len()..end) != Some(cluster);
            if !is_ellipsis && x < self.end && places.iter().any(|place| (at..next).contains(place)) {
                self.buffer[(x, y)].set_style(mark);
            }
            (x, at) = (x.saturating_add(wide as u16), next);
        }
        self
    }

    /// Writes trusted text right-aligned in a field of `columns`.
    pub(crate) fn right(&mut self, text: &str, columns: usize, style: Style) -> &mut Self {
        let text = fit(text, columns.min(self.room()), self.ellipsis);
        self.skip(columns.saturating_sub(width(&text))).put(&text, style)
    }

    /// Skips columns.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.x = self.x.saturating_add(u16::try_from(columns).unwrap_or(u16::MAX)).min(self.end);
        self
    }

    /// Skips to the column from which `columns` remain, unless it is already behind.
    pub(crate) fn until(&mut self, columns: usize) -> &mut Self {
        self.skip(self.room().saturating_sub(columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_width_equals_measured_width() {
        // Each of these takes one column if measured by character, but two on the screen.
        for text in ["1\u{fe0f}\u{20e3}", "❤\u{fe0f}", "🇩🇪"] {
            let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 1));
            let area = Rect::new(0, 0, 9, 1);
            Pen::new(&mut buffer, area, 0, "…")
                .left(&text.repeat(60), 7, Style::new())
                .put("|x", Style::new());
            let shown: String = (0..12).map(|x| buffer[(x, 0)].symbol()).collect();
            assert_eq!(shown.split_whitespace().collect::<String>(), format!("{}…|x", text.repeat(3)));
            assert_eq!((buffer[(6, 0)].symbol(), buffer[(7, 0)].symbol()), ("…", "|"));
        }
    }

    #[test]
    fn highlights_follow_wide_characters() {
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
