//! Where the parts of the terminal are: the line of tabs, the screen, the line of hints.

use ratatui::layout::Rect;

/// The line of tabs, the screen, the line of hints.
pub(crate) fn areas(whole: Rect) -> (Rect, Rect, Rect) {
    let head = Rect { height: whole.height.min(1), ..whole };
    let foot_height = whole.height.saturating_sub(head.height).min(1);
    let foot = Rect { y: whole.bottom() - foot_height, height: foot_height, ..whole };
    let body = Rect { y: head.bottom(), height: foot.y - head.bottom(), ..whole };
    (head, body, foot)
}
