//! Areas of the diff screen.

use ratatui::layout::Rect;

use crate::draw::{VerticalSplit, split_columns};

/// Width from which the differences are beside the steps.
const WIDE: u16 = 120;

/// Width from which the steps get more than half of it.
const VERY_WIDE: u16 = 150;

/// Returns the width of the steps beside the differences.
const fn steps_width(width: u16) -> u16 {
    if width >= VERY_WIDE { width * 11 / 20 } else { width / 2 }
}

/// Returns the width of the differences, without the margin and the scroll bar.
pub(super) const fn details_columns(width: u16) -> usize {
    let whole = if width >= WIDE { width - steps_width(width) - 1 } else { width };
    whole.saturating_sub(2) as usize
}

/// Areas of the screen.
pub(super) struct Areas {
    pub(super) headings: Rect,
    pub(super) verdict: Rect,
    pub(super) rows_title: Rect,
    pub(super) rows: Rect,
    pub(super) wall: Rect,
    pub(super) details_title: Rect,
    pub(super) details: Rect,
}

/// Computes the areas for a verdict of `verdict` lines, `rows` steps and `details` lines of differences.
pub(super) fn areas(area: Rect, verdict: usize, rows: usize, details: usize) -> Areas {
    let mut stack = VerticalSplit::new(area);
    let headings = stack.take(2);
    let verdict = stack.take(verdict);
    let titles = stack.take(1);
    if area.width >= WIDE {
        let body = stack.take(usize::MAX);
        let left = steps_width(body.width);
        let ((rows_title, _, details_title), (rows, wall, details)) =
            (split_columns(titles, left), split_columns(body, left));
        return Areas { headings, verdict, rows_title, rows, wall, details_title, details };
    }
    // The steps get up to half of the rows, or more if the differences need less.
    let left = stack.remaining().saturating_sub(1);
    let most = (left / 2).max(left.saturating_sub(details));
    let rows = stack.take(rows.min(most));
    let (details_title, details) = (stack.take(1), stack.take(usize::MAX));
    Areas { headings, verdict, rows_title: titles, rows, wall: Rect::default(), details_title, details }
}
