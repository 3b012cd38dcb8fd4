//! Cursor and scroll position of a list.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::keys::Action;

/// Rows per step of the mouse wheel.
const WHEEL: isize = 3;

/// Effect of a mouse event on a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MouseHit {
    /// The event did not concern the list.
    Miss,
    /// The list was scrolled.
    Scrolled,
    /// Another row was selected.
    Selected,
    /// The selected row was clicked again.
    Reselected,
}

/// Cursor of a list, and the first visible row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Scroll {
    pub(crate) cursor: usize,
    pub(crate) first: usize,
}

impl Scroll {
    /// Moves the cursor in a list of `len` rows, `height` of them visible. Returns false if the action is not a
    /// movement.
    pub(crate) fn apply(&mut self, action: Action, len: usize, height: usize) -> bool {
        let last = len.saturating_sub(1);
        let (page, half) = (height.saturating_sub(1).max(1), (height / 2).max(1));
        self.cursor = match action {
            Action::Down => self.cursor.saturating_add(1),
            Action::Up => self.cursor.saturating_sub(1),
            Action::HalfDown => self.cursor.saturating_add(half),
            Action::HalfUp => self.cursor.saturating_sub(half),
            Action::PageDown => self.cursor.saturating_add(page),
            Action::PageUp => self.cursor.saturating_sub(page),
            Action::Top => 0,
            Action::Bottom => last,
            _ => return false,
        }
        .min(last);
        self.fill(len, height);
        true
    }

    /// Highlights the row of the cursor in the area of the list.
    pub(crate) fn highlight_cursor(&self, area: Rect, style: Style, buffer: &mut Buffer) {
        let row = self.cursor.saturating_sub(self.first);
        if row < usize::from(area.height) {
            let line = Rect { y: area.y + row as u16, height: 1, ..area };
            buffer.set_style(line.intersection(buffer.area), style);
        }
    }

    /// Handles a click or the wheel for a list of `len` rows drawn in `area`.
    pub(crate) fn mouse(&mut self, event: MouseEvent, area: Rect, len: usize) -> MouseHit {
        let rows = match event.kind {
            MouseEventKind::ScrollDown => WHEEL,
            MouseEventKind::ScrollUp => -WHEEL,
            MouseEventKind::Down(MouseButton::Left) if area.contains((event.column, event.row).into()) => {
                let clicked = self.first + usize::from(event.row - area.y);
                let is_again = clicked == self.cursor;
                return match clicked < len {
                    true if is_again => MouseHit::Reselected,
                    true => {
                        self.cursor = clicked;
                        MouseHit::Selected
                    }
                    false => MouseHit::Miss,
                };
            }
            _ => return MouseHit::Miss,
        };
        self.wheel(rows, len, usize::from(area.height));
        MouseHit::Scrolled
    }

    /// Scrolls by `rows`; the cursor stays among the visible rows.
    fn wheel(&mut self, rows: isize, len: usize, height: usize) {
        let most = len.saturating_sub(height.max(1));
        self.first = self.first.saturating_add_signed(rows).min(most);
        let end = (self.first + height.max(1)).min(len.max(1));
        self.cursor = self.cursor.clamp(self.first.min(end - 1), end - 1);
    }

    /// Moves the cursor into the list and scrolls until it is visible.
    pub(crate) fn clamp(&mut self, len: usize, height: usize) {
        self.cursor = self.cursor.min(len.saturating_sub(1));
        self.first = self.first.clamp((self.cursor + 1).saturating_sub(height.max(1)), self.cursor);
    }

    /// Clamps, and scrolls back if rows at the bottom would stay empty.
    pub(crate) fn fill(&mut self, len: usize, height: usize) {
        self.first = self.first.min(len.saturating_sub(height.max(1)));
        self.clamp(len, height);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn movements_keep_the_cursor_visible() {
        use Action::*;
        let moved = |from: (usize, usize), action| {
            let mut scroll = Scroll { cursor: from.0, first: from.1 };
            assert!(scroll.apply(action, 100, 10));
            (scroll.cursor, scroll.first)
        };
        for (from, action, to) in [
            ((0, 0), Down, (1, 0)),
            ((9, 0), Down, (10, 1)),
            ((99, 90), Down, (99, 90)),
            ((5, 5), Up, (4, 4)),
            ((0, 0), Up, (0, 0)),
            ((0, 0), HalfDown, (5, 0)),
            ((0, 0), PageDown, (9, 0)),
            ((9, 0), PageDown, (18, 9)),
            ((50, 45), Top, (0, 0)),
            ((50, 45), Bottom, (99, 90)),
        ] {
            assert_eq!(moved(from, action), to, "{from:?} {action:?}");
        }
        assert!(!Scroll::default().apply(Quit, 1, 1));
    }

    #[test]
    fn mouse_events_scroll_and_select() {
        let left = MouseEventKind::Down(MouseButton::Left);
        for (kind, row, pointed, scroll) in [
            (left, 4, MouseHit::Selected, (3, 2)),
            (left, 3, MouseHit::Reselected, (2, 2)),
            (left, 2, MouseHit::Miss, (2, 2)),
            (left, 9, MouseHit::Miss, (2, 2)),
            (MouseEventKind::ScrollDown, 0, MouseHit::Scrolled, (3, 3)),
            (MouseEventKind::ScrollUp, 0, MouseHit::Scrolled, (2, 0)),
            (MouseEventKind::Moved, 4, MouseHit::Miss, (2, 2)),
        ] {
            let mut list = Scroll { cursor: 2, first: 2 };
            let event = MouseEvent { kind, column: 1, row, modifiers: crossterm::event::KeyModifiers::NONE };
            assert_eq!(list.mouse(event, Rect::new(0, 3, 5, 5), 8), pointed, "{kind:?} {row}");
            assert_eq!((list.cursor, list.first), scroll, "{kind:?} {row}");
        }
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_visible(
            cursor in 0usize..99, first in 0usize..99, rows in -99isize..99, len in 0usize..50, height in 0usize..30,
        ) {
            let mut scroll = Scroll { cursor, first };
            for turn in [None, Some(rows)] {
                match turn {
                    None => scroll.fill(len, height),
                    Some(rows) => scroll.wheel(rows, len, height),
                }
                prop_assert!(scroll.cursor < len.max(1));
                prop_assert!(scroll.first <= scroll.cursor);
                prop_assert!(scroll.cursor < scroll.first + height.max(1));
            }
        }
    }
}
