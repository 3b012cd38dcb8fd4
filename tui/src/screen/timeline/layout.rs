//! Areas of the timeline screen.

use crossterm::event::MouseEvent;
use ratatui::layout::Rect;

/// Width from which the inspector is beside the waterfall.
const WIDE: u16 = 120;

/// Areas of the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Areas {
    pub(super) head: Rect,
    /// Waterfall with its column headings.
    pub(super) waterfall: Rect,
    /// Rows of the waterfall.
    pub(super) rows: Rect,
    pub(super) splitter: Rect,
    pub(super) inspector: Rect,
    /// Waterfall, splitter and inspector together.
    pub(super) whole: Rect,
    pub(super) is_wide: bool,
}

/// Computes the areas for `rows` rows below a head of `head_lines`; the waterfall gets `percent` of the space.
pub(super) fn areas(area: Rect, percent: u16, rows: usize, head_lines: u16) -> Areas {
    let head_height = head_lines.min(area.height);
    let head = Rect { height: head_height, ..area };
    let whole = Rect { y: area.y + head_height, height: area.height - head_height, ..area };
    let is_wide = area.width >= WIDE;
    let share = |of: u16| (u32::from(of) * u32::from(percent) / 100) as u16;
    let (waterfall, splitter, inspector) = if is_wide {
        let width = share(whole.width);
        let splitter = Rect { x: whole.x + width, width: 1, ..whole };
        let inspector = Rect { x: splitter.right(), width: whole.width - width - 1, ..whole };
        (Rect { width, ..whole }, splitter, inspector)
    } else {
        // At most as many rows as needed, at least one.
        let height =
            share(whole.height).min((rows + 1).min(usize::from(u16::MAX)) as u16).max(2).min(whole.height);
        let rest = whole.height - height;
        let splitter = Rect { y: whole.y + height, height: rest.min(1), ..whole };
        let inspector = Rect { y: splitter.bottom(), height: rest - splitter.height, ..whole };
        (Rect { height, ..whole }, splitter, inspector)
    };
    let headings = waterfall.height.min(1);
    let rows = Rect { y: waterfall.y + headings, height: waterfall.height - headings, ..waterfall };
    Areas { head, waterfall, rows, splitter, inspector, whole, is_wide }
}

/// Returns the width of the inspector lines.
pub(super) fn columns(inspector: Rect) -> usize {
    // One column is a margin, and the last one belongs to the scroll bar.
    usize::from(inspector.width.saturating_sub(2))
}

/// Returns the share of the waterfall, in percent, for a splitter at the mouse position.
pub(super) fn share_at(whole: Rect, is_wide: bool, event: MouseEvent) -> u16 {
    let (at, of) = if is_wide {
        (event.column.saturating_sub(whole.x), whole.width)
    } else {
        (event.row.saturating_sub(whole.y), whole.height)
    };
    (u32::from(at) * 100 / u32::from(of.max(1))).min(100) as u16
}
