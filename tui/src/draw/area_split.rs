//! Areas cut off another, from its top.

use ratatui::layout::Rect;

/// What is left of an area.
pub(crate) struct VerticalSplit {
    rest: Rect,
}

impl VerticalSplit {
    pub(crate) const fn new(area: Rect) -> Self {
        Self { rest: area }
    }

    /// Cuts off so many lines, or as many as there are.
    pub(crate) fn take(&mut self, height: usize) -> Rect {
        let height = u16::try_from(height).unwrap_or(u16::MAX).min(self.rest.height);
        let taken = Rect { height, ..self.rest };
        self.rest = Rect { y: self.rest.y + height, height: self.rest.height - height, ..self.rest };
        taken
    }

    /// How many lines are left.
    pub(crate) fn remaining(&self) -> usize {
        usize::from(self.rest.height)
    }
}

/// The left part of an area, a column between, and the rest.
pub(crate) fn split_columns(area: Rect, left: u16) -> (Rect, Rect, Rect) {
    let left = left.min(area.width);
    let wall = (area.width - left).min(1);
    (
        Rect { width: left, ..area },
        Rect { x: area.x + left, width: wall, ..area },
        Rect { x: area.x + left + wall, width: area.width - left - wall, ..area },
    )
}
