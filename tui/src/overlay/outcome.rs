//! Shared parts of the overlays: the effect of a key, and their position.

use ratatui::layout::Rect;

use crate::keys::{Action, KeyBinding};

/// Effect of a key on an overlay.
pub(crate) enum OverlayOutcome {
    /// Keep it open.
    Stay,
    /// Close it.
    Close,
    /// Close it and run this action.
    Run(Action),
}

/// Key tables with their titles.
pub(crate) type KeyTables = Vec<(&'static str, Vec<&'static [KeyBinding]>)>;

/// Returns an area of at most this size, centered in another.
pub(super) fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}
