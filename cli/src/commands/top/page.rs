//! The part of a long text that the screen shows.

use super::keys::Scroll;

/// The visible part of a text whose length changes.
#[derive(Debug, Default)]
pub(super) struct Page {
    first: usize,
    height: usize,
    len: usize,
}

impl Page {
    /// Returns the visible rows of a text. The position stays where it is as long as there are rows.
    pub(super) fn of(&mut self, text: &str, height: usize) -> String {
        (self.height, self.len) = (height, text.lines().count());
        self.first = self.first.min(self.last_first());
        text.lines().skip(self.first).take(height).flat_map(|line| [line, "\n"]).collect()
    }

    /// Moves the visible part.
    pub(super) fn scroll(&mut self, scroll: Scroll) {
        let page = self.height.saturating_sub(1).max(1);
        self.first = match scroll {
            Scroll::Down => self.first + 1,
            Scroll::Up => self.first.saturating_sub(1),
            Scroll::PageDown => self.first + page,
            Scroll::PageUp => self.first.saturating_sub(page),
            Scroll::Top => 0,
            Scroll::Bottom => usize::MAX,
        }
        .min(self.last_first());
    }

    /// Returns the numbers of the first and the last visible row, from 1, and of all rows; `None` if all are visible.
    pub(super) fn position(&self) -> Option<(usize, usize, usize)> {
        (self.len > self.height).then(|| (self.first + 1, (self.first + self.height).min(self.len), self.len))
    }

    fn last_first(&self) -> usize {
        self.len.saturating_sub(self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_reached_and_none_beyond() {
        let text = "a\nb\nc\nd\ne\n";
        let mut page = Page::default();
        assert_eq!((page.of(text, 9), page.position()), (text.to_owned(), None));
        assert_eq!((page.of(text, 3), page.position()), ("a\nb\nc\n".to_owned(), Some((1, 3, 5))));
        for (scroll, shown) in [
            (Scroll::Down, "b\nc\nd\n"),
            (Scroll::PageDown, "c\nd\ne\n"),
            (Scroll::Down, "c\nd\ne\n"),
            (Scroll::Up, "b\nc\nd\n"),
            (Scroll::PageUp, "a\nb\nc\n"),
            (Scroll::Up, "a\nb\nc\n"),
            (Scroll::Bottom, "c\nd\ne\n"),
            (Scroll::Top, "a\nb\nc\n"),
        ] {
            page.scroll(scroll);
            assert_eq!(page.of(text, 3), shown, "{scroll:?}");
        }
        page.scroll(Scroll::Bottom);
        assert_eq!(page.of("a\nb\n", 3), "a\nb\n", "the text got shorter");
        assert_eq!(page.of(text, 0), "");
    }
}
