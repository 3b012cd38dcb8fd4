//! What overlays have in common: what a key does to one, and where it is drawn.

use ratatui::layout::Rect;

use crate::keys::{Action, KeyBinding};

/// What a key did to it.
pub(crate) enum OverlayOutcome {
    /// It stays.
    Stay,
    /// It closes.
    Close,
    /// It closes, and this is done.
    Run(Action),
}

/// Tables of keys, each with whose they are.
pub(crate) type KeyTables = Vec<(&'static str, Vec<&'static [KeyBinding]>)>;

/// An area in the middle of another.
pub(super) fn centered(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 2, width, height)
}
