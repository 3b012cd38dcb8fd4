//! Areas of the diff screen.

use ratatui::layout::Rect;

use crate::draw::{VerticalSplit, split_columns};

/// Width from which the differences are beside the steps.
const WIDE: u16 = 150;

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
        let left = body.width * 11 / 20;
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
