//! Splits an area into parts: stacked rows, or two columns.

use ratatui::layout::Rect;

/// Rest of an area from which rows are cut off at the top.
pub(crate) struct VerticalSplit {
    rest: Rect,
}

impl VerticalSplit {
    pub(crate) const fn new(area: Rect) -> Self {
        Self { rest: area }
    }

    /// Cuts off `height` rows, or all that remain.
    pub(crate) fn take(&mut self, height: usize) -> Rect {
        let height = u16::try_from(height).unwrap_or(u16::MAX).min(self.rest.height);
        let taken = Rect { height, ..self.rest };
        self.rest = Rect { y: self.rest.y + height, height: self.rest.height - height, ..self.rest };
        taken
    }

    /// Number of remaining rows.
    pub(crate) fn remaining(&self) -> usize {
        usize::from(self.rest.height)
    }
}

/// Splits an area into its left part, a separating column and the rest.
pub(crate) fn split_columns(area: Rect, left: u16) -> (Rect, Rect, Rect) {
    let left = left.min(area.width);
    let wall = (area.width - left).min(1);
    (
        Rect { width: left, ..area },
        Rect { x: area.x + left, width: wall, ..area },
        Rect { x: area.x + left + wall, width: area.width - left - wall, ..area },
    )
}
