//! Areas of the frame: tab bar, screen, footer.

use ratatui::layout::Rect;

/// Splits the terminal into tab bar, screen and footer.
pub(crate) fn areas(whole: Rect) -> (Rect, Rect, Rect) {
    let head = Rect { height: whole.height.min(1), ..whole };
    let foot_height = whole.height.saturating_sub(head.height).min(1);
    let foot = Rect { y: whole.bottom() - foot_height, height: foot_height, ..whole };
    let body = Rect { y: head.bottom(), height: foot.y - head.bottom(), ..whole };
    (head, body, foot)
}
